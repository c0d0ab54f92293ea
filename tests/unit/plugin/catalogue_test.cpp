#include "plugin/loading/catalogue.hpp"

#include "plugin/plugin_host.hpp"

#include <catch2/catch.hpp>

using namespace flexcore;
using namespace flexcore::plugin;

namespace {

library_info with(std::string text) {
    library_info info;
    info.interfaces = {FXC_LIFECYCLE, FXC_AGGREGATE, FXC_PROJECTION, FXC_QUERY_HANDLER};
    info.catalogue = std::move(text);
    return info;
}

struct wrong {
    const char* text;
    const char* says;
};

}  // namespace

TEST_CASE("catalogue: everything it can say is read") {
    const auto all = catalogue::parse(with(R"({
        "aggregates": [{"category": "sales.order", "reducer_version": 3,
            "commands": [{"type": "sales.place", "description": "places", "schema": {"type": "object"}}],
            "events": [{"type": "sales.placed", "schema_version": 2, "schema": {"type":"object"}},
                       {"type": "sales.gone"}]}],
        "projections": [{"name": "orders", "version": 4, "mode": "inline", "writes": ["orders"],
            "selector": [{"types": ["sales.placed"], "tags": ["a:b"], "categories": ["sales.order"],
                          "stream_prefix": "sales."}, {"types": ["sales.gone"]}]}],
        "read_models": [{"name": "orders", "indexed": ["units", "sku"], "description": "all"}],
        "queries": [{"name": "sales.order", "schema": {"type": "object"}, "reads": ["orders", "others"],
            "varies_by": ["principal"], "cache": false, "description": "one"}]})"));
    CAPTURE(all ? std::string{} : all.error().client);
    REQUIRE(all.has_value());
    const auto& aggregate = all->aggregates.at(0);
    CHECK(aggregate.reducer_version == 3);
    CHECK(aggregate.commands.at(0).data_schema.has_value());
    CHECK(aggregate.event("sales.placed")->schema_version == 2);
    CHECK(aggregate.event("sales.gone")->schema_version == 1);
    CHECK(aggregate.event("sales.other") == nullptr);
    const auto& projection = all->projections.at(0);
    CHECK(projection.inline_mode);
    REQUIRE(projection.selector.size() == 2);
    CHECK(projection.selector[0].stream_prefix == "sales.");
    CHECK(all->read_model("orders")->indexed == std::vector<std::string>{"units", "sku"});
    const auto& query = all->queries.at(0);
    CHECK(query.varies_by_principal);
    CHECK_FALSE(query.cache);
    CHECK(query.reads.size() == 2);
    CHECK(catalogue::parse(with("")).has_value());
}

TEST_CASE("catalogue: what is wrong is refused and named with its place") {
    const wrong each = GENERATE(values<wrong>({
        {"{", "bad catalogue"},
        {"[]", "must be an object"},
        {R"({"agregates":[]})", "unknown member \"agregates\""},
        {R"({"aggregates":{}})", "aggregates: must be an array"},
        {R"({"aggregates":[{"category":"a","commands":[{"type":"a.do","schema":{"type":[}}]}]})",
         R"(commands":[{"type":"a.do","schema":{"type":[ <here> }}]}]}; look at the schema of a.do)"},
        {R"({"queries":[{"name":"q","schema":{"type":"no"}}]})",
         R"(queries[0].schema: schema at "/type": names a type that draft 7 does not know (of q))"},
        {R"({"aggregates":[{}]})", "aggregates[0]: \"category\" is missing"},
        {R"({"aggregates":[{"category":"a b"}]})", "aggregates[0].category: is not a name"},
        {R"({"aggregates":[{"category":"a-b"}]})", "must not contain '-'"},
        {R"({"aggregates":[{"category":"a"},{"category":"a"}]})", "declared twice"},
        {R"({"aggregates":[{"category":"a","reducer_version":0}]})", "reducer_version"},
        {R"({"aggregates":[{"category":"a","commands":[{"type":"x"},{"type":"x"}]}]})",
         "aggregates[0].commands[1].type"},
        {R"({"aggregates":[{"category":"a","commands":[{"type":"x","schema":{"type":5}}]}]})",
         "aggregates[0].commands[0].schema"},
        {R"({"aggregates":[{"category":"a","events":[{"type":"x","schema_version":"1"}]}]})",
         "schema_version: must be an integer"},
        {R"({"projections":[{"name":"p","version":1,"writes":[]}]})", "\"selector\" is missing"},
        {R"({"projections":[{"name":"p","selector":{},"writes":[]}]})", "\"version\" is missing"},
        {R"({"projections":[{"name":"p","version":1,"selector":{"typs":[]},"writes":[]}]})",
         "typs"},
        {R"({"projections":[{"name":"p","version":1,"selector":{},"mode":"sync","writes":[]}]})",
         "must be async or inline"},
        {R"({"projections":[{"name":"p","version":1,"selector":{},"writes":["m"]}]})",
         "not declared in read_models"},
        {R"({"read_models":[{"name":"m"}]})", "no projection writes \"m\""},
        {R"({"read_models":[{"name":"m"}],"projections":[
             {"name":"p","version":1,"selector":{},"writes":["m"]},
             {"name":"q","version":1,"selector":{},"writes":["m"]}]})",
         "another projection writes \"m\""},
        {R"({"queries":[{"name":"q","varies_by":["tenant"]}]})", "only \"principal\""},
        {R"({"queries":[{"name":"q","schema":{"properties":{"a":{},"min_position":{}}}}]})",
         "queries[0].schema: \"min_position\" is the name of a parameter of every query"},
        {R"({"queries":[{"name":"q","schema":{"properties":{"wait_ms":{}}}}]})", "\"wait_ms\""},
        {R"({"queries":[{"name":"q","cache":1}]})", "must be true or false"},
        {R"({"queries":[{"name":"q","reads":["m","m"]}]})", "twice"},
    }));
    CAPTURE(each.text);
    const auto all = catalogue::parse(with(each.text));
    REQUIRE_FALSE(all.has_value());
    CAPTURE(all.error().client);
    CHECK(all.error().code == make_error_code(plugin_errc::bad_catalogue));
    CHECK(all.error().client.contains(each.says));
}

TEST_CASE("catalogue: what it declares needs the interface behind it") {
    library_info info = with(R"({"queries":[{"name":"q"}]})");
    info.interfaces = {FXC_LIFECYCLE};
    CHECK(catalogue::parse(info).error().client.contains(FXC_QUERY_HANDLER));
    info = with(R"({"aggregates":[{"category":"a"}]})");
    info.interfaces = {FXC_LIFECYCLE, FXC_AGGREGATE_NATIVE};
    CHECK(catalogue::parse(info).has_value());
}
