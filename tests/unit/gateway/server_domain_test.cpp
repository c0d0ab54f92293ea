// Commands, queries, read models and projections over HTTP, with a small domain written here.
#include "domain/projection_behavior.hpp"
#include "gateway/problem.hpp"
#include "server_house.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <mutex>

using namespace flexcore;
using namespace flexcore::tests;

namespace {

/// Accepts "shop.add" with an event, refuses everything named "no".
class shop_handler final : public bus::command_handler {
public:
    explicit shop_handler(store::event_log& log) : log_{log} {}
    void execute(bus::accepted_command got, bus::command_done done) override {
        if (got.cmd.aggregate_id == "no") {
            done(std::unexpected{
                error{make_error_code(bus::bus_errc::command_rejected), "Never."}.with("reason",
                                                                                       "never")});
            return;
        }
        auto keep = std::make_shared<bus::accepted_command>(std::move(got));
        auto event = std::make_shared<store::new_event>();
        event->type = "shop.added";
        event->data = keep->cmd.data;
        store::append_request request;
        request.tenant = keep->cmd.who.tenant;
        request.appends.push_back({keep->stream,
                                   keep->cmd.expected.value_or(store::expected_version{}),
                                   {event.get(), 1}});
        request.backing =
            std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(keep, event);
        log_.append(std::move(request), [keep, done = std::move(done)](
                                            result<store::append_outcome> outcome) mutable {
            if (!outcome) return done(std::unexpected{outcome.error()});
            bus::command_reply reply;
            reply.command_id = *keep->cmd.command_id;
            reply.stream = keep->stream;
            reply.ver = outcome->appends[0].last_version;
            reply.pos = outcome->pos;
            reply.events.push_back({outcome->ids[0], "shop.added", reply.ver, reply.pos});
            reply.result = "{\n\"ok\":true}";
            done(std::move(reply));
        });
    }

private:
    store::event_log& log_;
};

/// A row per event of stream shop-<key>: its data.
class shop_projection final : public domain::projection_behavior {
public:
    void apply(std::string_view, std::span<const store::recorded_event> events,
               domain::projection_views& views, deadline,
               std::move_only_function<void(result<void>)> done) override {
        for (const store::recorded_event& e : events)
            if (auto ok = views.put("shops", e.stream.substr(5), e.data, e.pos); !ok)
                return done(std::unexpected{ok.error()});
        done({});
    }
};

/// Answers its parameters, or the row they name.
class shop_query final : public bus::query_handler {
public:
    void handle(const bus::query& asked, bus::query_views& views,
                std::move_only_function<void(result<std::string>)> done) override {
        ++calls;
        const auto params = boost::json::parse(asked.params).as_object();
        if (!params.contains("key")) return done(std::string{asked.params});
        auto row = views.get("shops", params.at("key").as_string());
        if (!row) return done(std::unexpected{row.error()});
        if (!*row)
            return done(std::unexpected{
                error{make_error_code(bus::bus_errc::not_found), "There is no such shop."}});
        done((*row)->json);
    }
    std::atomic<int> calls{0};
};

/// Answers when it is told to.
class waiting_handler final : public bus::command_handler {
public:
    void execute(bus::accepted_command, bus::command_done done) override {
        const std::lock_guard lock{mutex_};
        waiting_.push_back(std::move(done));
    }
    void end_all() {
        std::vector<bus::command_done> all;
        {
            const std::lock_guard lock{mutex_};
            all.swap(waiting_);
        }
        for (bus::command_done& done : all)
            done(std::unexpected{error{make_error_code(bus::bus_errc::command_rejected), "No."}});
    }

private:
    std::mutex mutex_;
    std::vector<bus::command_done> waiting_;
};

struct shop_house : server_house {
    explicit shop_house(gateway::http_settings settings = quick())
        : server_house{std::move(settings)} {
        bus::command_descriptor add;
        add.type = "shop.add";
        add.category = "shop";
        add.plugin = "test";
        add.data_schema = *schema::compile(
            R"({"type":"object","required":["total"],"properties":{"total":{"type":"integer"}}})");
        REQUIRE(commands->add(add, std::make_shared<shop_handler>(*store.log)));

        domain::projection_spec spec;
        spec.name = "shop_rows";
        spec.plugin = "test";
        spec.selector = {
            {.types = {"shop.added"}, .tags = {}, .categories = {}, .stream_prefix = {}}};
        spec.models = {{"shops", {"total", "code"}}};
        REQUIRE(projections->add(spec, std::make_shared<shop_projection>()));

        bus::query_descriptor query;
        query.name = "shop.get";
        query.plugin = "test";
        query.reads = {"shops"};
        query.params_schema = *schema::compile(
            R"({"type":"object","additionalProperties":false,"properties":{"key":{"type":"string"},
                "n":{"type":"integer"},"f":{"type":"number"},"b":{"type":"boolean"},
                "list":{"type":"array","items":{"type":"integer"}},"names":{"type":"array"}}})");
        REQUIRE(queries->add(query, handler));
    }
    std::shared_ptr<shop_query> handler = std::make_shared<shop_query>();
};

std::string add(const std::string& id, const std::string& data, const std::string& more = "") {
    return R"({"type":"shop.add","id":")" + id + R"(","data":)" + data + more + "}";
}

gateway::http_settings tight() {
    gateway::http_settings out = server_house::quick();
    out.held_bytes_max = 256u << 10;
    return out;
}

/// Sends the request on more and more connections until too much is held; then the clients go, and
/// it stays so.
void fill(const server_house& house, raw_client& other, const std::string& target,
          const std::string& type, const std::string& body) {
    const auto is_full = [&] {
        for (int i = 0; i < 5; ++i)
            if (other.get("/v1/events").status != 503) return false;
        return true;
    };
    std::vector<std::unique_ptr<raw_client>> clients;
    CHECK(eventually([&] {
        clients.push_back(std::make_unique<raw_client>(house.port()));
        clients.back()->send("POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Type: " + type +
                             "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                             body);
        return is_full();
    }));
    for (const auto& one : clients) one->reset();
    CHECK(eventually([&] { return house.metric("flexcore_http_connections") == 1; }));
    CHECK(is_full());
}

std::string plain(const boost::json::value& v) { return std::string{v.as_string()}; }

}  // namespace

TEST_CASE("commands: the reply names stream, version, position and events") {
    shop_house house;
    raw_client client{house.port()};
    const answer got = client.post("/v1/commands", add("a", R"({"total":5})"));
    REQUIRE(got.status == 200);
    CHECK(got.field("flexcore-position") == "1");
    const auto body = got.json();
    CHECK(body.at("stream") == "shop-a");
    CHECK(body.at("version") == 1);
    CHECK(body.at("position") == 1);
    CHECK(body.at("events").at(0).at("type") == "shop.added");
    CHECK(body.at("result").at("ok") == true);
    CHECK(plain(body.at("command_id")).size() == 36);
    const auto catalogue = client.get("/v1/commands").json();
    CHECK(catalogue.at("items").at(0).at("name") == "shop.add");
    CHECK(catalogue.at("items").at(0).at("schema").at("type") == "object");
}

TEST_CASE("commands: refusals, wrong data and wrong bodies") {
    shop_house house;
    raw_client client{house.port()};
    answer got = client.post("/v1/commands", add("no", R"({"total":5})"));
    CHECK(got.status == 422);
    CHECK(got.code() == "command_rejected");
    CHECK(got.json().at("reason") == "never");
    got = client.post("/v1/commands", add("a", R"({"total":"x"})"));
    CHECK(got.status == 400);
    CHECK(got.code() == "validation_failed");
    CHECK(got.json().at("errors").as_array().size() == 1);
    for (const std::string& more :
         {std::string{R"(,"colour":1)"}, std::string{R"(,"command_id":"x")"},
          std::string{R"(,"metadata":{"tenant":"x"})"}, std::string{R"(,"expected_version":-1)"}}) {
        INFO(more);
        CHECK(client.post("/v1/commands", add("a", R"({"total":1})", more)).code() ==
              "validation_failed");
    }
    CHECK(client.post("/v1/commands", add("", R"({"total":1})")).status == 400);
    CHECK(client.post("/v1/commands", add(std::string(256, 'x'), R"({"total":1})")).status == 400);
    CHECK(client.post("/v1/commands", add("a", R"({"total":1})", R"(,"expected_version":7)"))
              .status == 409);
    CHECK(house.store.log->head() == 0);
}

TEST_CASE("commands: a batch is answered in order, as JSON and as NDJSON") {
    shop_house house;
    raw_client client{house.port()};
    std::string all = R"({"commands":[)";
    for (int i = 0; i < 50; ++i)
        all += std::string{i == 0 ? "" : ","} + add(i % 5 == 4 ? "no" : "a", R"({"total":1})");
    const answer got = client.post("/v1/commands/batch", all + "]}");
    REQUIRE(got.status == 200);
    const auto root = got.json();
    const auto& results = root.at("results").as_array();
    REQUIRE(results.size() == 50);
    CHECK(got.field("flexcore-position") == "40");
    for (std::size_t i = 0; i < 50; ++i) {
        if (i % 5 == 4)
            CHECK(results[i].at("reason") == "never");
        else
            CHECK(results[i].at("version") == i - i / 5 + 1);
    }
    std::string lines;
    for (int i = 0; i < 20; ++i) lines += add("b", R"({"total":1})") + "\n";
    const answer bulk = client.request("POST", "/v1/commands/batch", lines,
                                       "Content-Type: application/x-ndjson\r\n");
    CHECK(std::count(bulk.body.begin(), bulk.body.end(), '\n') == 20);
    CHECK(bulk.body.find(R"("version":20)") > bulk.body.find(R"("version":19)"));
}

TEST_CASE("queries: parameters are converted by the schema, and unknown ones refused") {
    shop_house house;
    raw_client client{house.port()};
    const auto data = [&](const std::string& query) {
        const answer got = client.get("/v1/queries/shop.get?" + query);
        return got.status == 200 ? got.json().at("data") : got.json().at("code");
    };
    CHECK(data("n=7&f=1.5&b=true&list=1,2&list=3&names=a,b") ==
          boost::json::parse(R"({"n":7,"f":1.5,"b":true,"list":[1,2,3],"names":["a","b"]})"));
    CHECK(data("") == boost::json::object{});
    CHECK(data("n=x") == "validation_failed");
    CHECK(data("n=1.5") == "validation_failed");
    CHECK(data("b=1") == "validation_failed");
    CHECK(data("list=a") == "validation_failed");
    CHECK(data("n=1&n=2") == "bad_request");
    CHECK(data("wait_ms=1&wait_ms=2") == "bad_request");
    const answer got = client.get("/v1/queries/shop.get?nn=1");
    CHECK(got.status == 400);
    CHECK(got.json().at("detail") == "Unknown query parameter \"nn\"; did you mean \"n\"?");
    CHECK(client.post("/v1/queries/shop.get", R"({"params":{"n":7}})").json().at("data").at("n") ==
          7);
    CHECK(client.post("/v1/queries/shop.get", R"({"param":{}})").code() == "validation_failed");
    CHECK(client.post("/v1/queries/shop.get", R"({"params":{"x":1}})").status == 400);
    CHECK(client.get("/v1/queries").json().at("items").at(0).at("reads").at(0) == "shops");
}

TEST_CASE("queries: parameters that wait for a position count as held, until they are done") {
    shop_house house{tight()};
    raw_client other{house.port()};
    fill(house, other, "/v1/queries/shop.get?min_position=1&wait_ms=20000", "application/json",
         R"({"params":{"key":"a)" + std::string(10'000, 'x') + R"("}})");
    (void)other.post("/v1/commands", add("a", R"({"total":5})"));
    CHECK(eventually([&] { return other.get("/v1/events").status == 200; }));
}

TEST_CASE("commands: what came with them counts as held until they are done") {
    const std::string one =
        R"({"type":"shop.wait","id":"a","data":")" + std::string(10'000, 'x') + R"("})";
    const auto check = [](const std::string& target, const std::string& type,
                          const std::string& body) {
        shop_house house{tight()};
        const auto waiting = std::make_shared<waiting_handler>();
        bus::command_descriptor wait;
        wait.type = "shop.wait";
        wait.category = "shop";
        REQUIRE(house.commands->add(wait, waiting));
        raw_client other{house.port()};
        fill(house, other, target, type, body);
        waiting->end_all();
        CHECK(eventually([&] { return other.get("/v1/events").status == 200; }));
    };
    check("/v1/commands", "application/json", one);
    check("/v1/commands/batch", "application/json", R"({"commands":[)" + one + "]}");
    check("/v1/commands/batch", "application/x-ndjson", one + "\n");
}

TEST_CASE("catalogues: given out page by page, like any list") {
    shop_house house;
    bus::query_descriptor another;
    another.name = "shop.all";
    REQUIRE(house.queries->add(another, house.handler));
    raw_client client{house.port()};
    const auto first = client.get("/v1/queries?limit=1").json();
    CHECK(first.at("items").as_array().size() == 1);
    CHECK(first.at("items").at(0).at("name") == "shop.all");
    CHECK(first.at("next") == "shop.all");
    const auto second = client.get("/v1/queries?limit=1&after=shop.all").json();
    CHECK(second.at("items").at(0).at("name") == "shop.get");
    CHECK(second.at("next").is_null());
    for (const char* list : {"commands", "queries", "read-models", "projections", "plugins"}) {
        CHECK(client.get(std::string{"/v1/"} + list + "?limit=1001").status == 400);
        CHECK(client.get(std::string{"/v1/"} + list + "?limit=5&after=~").body ==
              R"({"items":[],"next":null})");
    }
}

TEST_CASE("queries: an ETag that still holds is 304, one that does not is the new answer") {
    shop_house house;
    raw_client client{house.port()};
    const std::string target = "/v1/queries/shop.get?key=a&min_position=";
    const answer none = client.get("/v1/queries/shop.get?key=a");
    CHECK(none.status == 404);
    CHECK(none.code() == "not_found");
    (void)client.post("/v1/commands", add("a", R"({"total":5})"));
    const answer first = client.get(target + "1");
    REQUIRE(first.status == 200);
    CHECK(first.body == R"({"data":{"total":5},"position":1})");
    const std::string etag = first.field("etag");
    const answer same = client.get(target + "1", "If-None-Match: " + etag + "\r\n");
    CHECK(same.status == 304);
    CHECK(same.field("etag") == etag);
    // Served from the cache, however often.
    const int calls = house.handler->calls;
    for (int i = 0; i < 10; ++i) CHECK(client.get(target + "1").body == first.body);
    CHECK(house.handler->calls == calls);
    (void)client.post("/v1/commands", add("a", R"({"total":6})"));
    const answer changed = client.get(target + "2", "If-None-Match: " + etag + "\r\n");
    CHECK(changed.status == 200);
    CHECK(changed.body == R"({"data":{"total":6},"position":2})");
    // Tenants do not see each other's answers.
    CHECK(client.get("/v1/queries/shop.get?key=a", "X-Tenant-Id: other\r\n").status == 404);
    const answer behind = client.get(target + "99&wait_ms=1");
    CHECK(behind.status == 409);
    CHECK(behind.code() == "read_model_behind");
    CHECK(behind.json().at("position") == 2);
}

TEST_CASE("queries: a target is worked out anew when the catalogue may have changed") {
    shop_house house;
    raw_client client{house.port()};
    CHECK(client.get("/v1/queries/shop.get?n=7").json().at("data").at("n") == 7);
    house.queries->remove("shop.get");
    CHECK(client.get("/v1/queries/shop.get?n=7").status == 404);
}

TEST_CASE("read models: rows by key, filtered, ordered, page by page") {
    shop_house house;
    raw_client client{house.port()};
    for (int i = 0; i < 10; ++i)
        (void)client.post("/v1/commands", add("k" + std::to_string(i),
                                              R"({"total":)" + std::to_string(i * 10) +
                                                  R"(,"code":"1)" + std::to_string(i % 2) + "\"}"));
    answer got = client.get("/v1/read-models/shops/k3?min_position=10");
    REQUIRE(got.status == 200);
    CHECK(got.body == R"({"key":"k3","row":{"total":30,"code":"11"},"position":4})");
    CHECK(client.get("/v1/read-models/shops/k3", "If-None-Match: " + got.field("etag") + "\r\n")
              .status == 304);
    CHECK(client.get("/v1/read-models/shops/none").status == 404);
    const auto keys = [&](const std::string& query) {
        std::string out;
        const auto root = client.get("/v1/read-models/shops?" + query).json();
        for (const auto& one : root.at("items").as_array()) out += plain(one.at("key"));
        return out;
    };
    CHECK(keys("where[total]=30") == "k3");
    CHECK(keys("where[total][ge]=70&order=-total") == "k9k8k7");
    // A text that looks like a number is a text where the field holds texts.
    CHECK(keys("where[code]=11") == "k1k3k5k7k9");
    CHECK(keys("where[code]=%2211%22&where[total][lt]=40") == "k1k3");
    CHECK(keys("where[total]=x").empty());
    std::string all, after;
    for (int page = 0; page < 4; ++page) {
        const auto root = client.get("/v1/read-models/shops?limit=3&order=-total" + after).json();
        for (const auto& one : root.at("items").as_array()) all += plain(one.at("key"));
        if (root.at("next").is_null()) break;
        after = "&after=" + plain(root.at("next"));
    }
    CHECK(all == "k9k8k7k6k5k4k3k2k1k0");
    CHECK(client.get("/v1/read-models/shops?where[colour]=1").status == 400);
    CHECK(client.get("/v1/read-models/shops?order=colour").status == 400);
    CHECK(client.get("/v1/read-models/shops?after=nonsense").status == 400);
    CHECK(client.get("/v1/read-models/shops?whre[total]=1").status == 400);
    CHECK(client.get("/v1/read-models/none").status == 404);
    got = client.get("/v1/read-models/shops/k1?min_position=99&wait_ms=1");
    CHECK(got.status == 409);
    CHECK(got.json().at("position") == 10);
    got = client.get("/v1/read-models");
    CHECK(
        got.body ==
        R"({"items":[{"name":"shops","projection":"shop_rows","indexed":["total","code"]}],"next":null})");
}

TEST_CASE("projections: status, pause, resume, rebuild and skip") {
    shop_house house;
    raw_client client{house.port()};
    (void)client.post("/v1/commands", add("a", R"({"total":5})"));
    CHECK(client.get("/v1/read-models/shops/a?min_position=1").status == 200);
    const std::string at = "/v1/projections/shop_rows";
    auto status = client.get(at).json();
    CHECK(status.at("state") == "running");
    CHECK(status.at("position") == 1);
    CHECK(status.at("lag_events") == 0);
    answer got = client.request("POST", at + "/pause");
    CHECK(got.status == 202);
    CHECK(eventually([&] { return client.get(at).json().at("state") == "paused"; }));
    CHECK(client.request("POST", at + "/resume").status == 202);
    CHECK(eventually([&] { return client.get(at).json().at("state") == "running"; }));
    CHECK(client.request("POST", at + "/resume").code() == "wrong_state");
    CHECK(client.request("POST", at + "/rebuild").status == 202);
    CHECK(eventually([&] { return client.get(at).json().at("state") == "running"; }));
    CHECK(client.post(at + "/skip", R"({"position":1})").status == 409);
    CHECK(client.post(at + "/skip", R"({"position":-1})").status == 400);
    CHECK(client.get("/v1/projections").json().at("items").as_array().size() == 1);
    CHECK(client.request("POST", at + "/explode").status == 404);
}
