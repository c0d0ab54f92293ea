#include "gateway/openapi.hpp"

#include "gateway/api.hpp"
#include "gateway/docs_files.hpp"
#include "server_house.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include <fstream>
#include <set>
#include <sstream>

using namespace flexcore;
using namespace flexcore::gateway;

namespace {

void collect_refs(const boost::json::value& at, std::set<std::string>& into) {
    if (at.is_array())
        for (const auto& one : at.get_array()) collect_refs(one, into);
    if (!at.is_object()) return;
    for (const auto& [name, value] : at.get_object()) {
        if (name == "$ref") into.emplace(value.as_string());
        collect_refs(value, into);
    }
}

}  // namespace

TEST_CASE("openapi: every route, parameter and answer is there, every reference leads somewhere") {
    tests::server_house house;
    router table;
    const auto on = std::make_shared<api>(http_settings{}, house.services());
    add_routes(table, on);
    const auto root = boost::json::parse(openapi_document(table, "1.2.3"));
    CHECK(root.at("info").at("version") == "1.2.3");
    std::set<std::string> operations;
    for (const auto& one : table.all()) {
        INFO(one->pattern);
        const auto& path = root.at("paths").at(one->pattern).as_object();
        std::string method{name_of(one->method)};
        for (char& c : method) c = static_cast<char>(c + 32);
        const auto& operation = path.at(method);
        CHECK(operations.emplace(operation.at("operationId").as_string()).second);
        std::set<std::string> parameters;
        for (const auto& p : operation.at("parameters").as_array())
            parameters.emplace(p.at("name").as_string());
        for (const query_param& q : one->query) CHECK(parameters.contains(std::string{q.name}));
        for (std::size_t open = one->pattern.find('{'); open != one->pattern.npos;
             open = one->pattern.find('{', open + 1))
            CHECK(parameters.contains(
                one->pattern.substr(open + 1, one->pattern.find('}', open) - open - 1)));
        CHECK(parameters.contains("Idempotency-Key") == one->idempotency_key);
        const auto& responses = operation.at("responses").as_object();
        CHECK(responses.contains("400"));
        if (responses.contains("304"))
            for (const char* status : {"200", "304"})
                CHECK(responses.at(status).at("headers").as_object().contains("ETag"));
        if (one->tag == "commands" && one->method == verb::post)
            CHECK(responses.at("200").at("headers").as_object().contains("FlexCore-Position"));
        CHECK(responses.contains("500"));
        for (const answer_spec& a : one->answers)
            CHECK(responses.contains(std::to_string(a.status)));
        CHECK((one->body == body_kind::none) == !operation.as_object().contains("requestBody"));
    }
    std::set<std::string> refs;
    collect_refs(root, refs);
    const std::string prefix = "#/components/";
    for (const std::string& ref : refs) {
        INFO(ref);
        REQUIRE(ref.starts_with(prefix));
        const std::size_t slash = ref.find('/', prefix.size());
        REQUIRE(slash != ref.npos);
        CHECK(root.at("components")
                  .at(ref.substr(prefix.size(), slash - prefix.size()))
                  .as_object()
                  .contains(ref.substr(slash + 1)));
    }
}

TEST_CASE("docs: the page's files are embedded as they are") {
    CHECK(docs_files().size() == 7);
    for (const embedded_file& one : docs_files()) {
        INFO(one.name);
        std::ifstream file{FLEXCORE_SOURCE_DIR "/src/gateway/docs/" + std::string{one.name}};
        std::ostringstream text;
        text << file.rdbuf();
        CHECK(one.text == text.str());
    }
}
