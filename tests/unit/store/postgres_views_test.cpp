// Read models and snapshots in PostgreSQL, where it is another database than the others: sessions
// that end, servers beside each other, texts that need quoting, tables that go.
#include "store/postgres/migrations.hpp"
#include "store/postgres/snapshot_store.hpp"
#include "store/postgres/view_store.hpp"

#include "contract/harness.hpp"
#include "support/postgres.hpp"

#include <boost/json/serialize.hpp>
#include <pqxx/row>

#include <unistd.h>

#include <thread>

using namespace contract;
using namespace flexcore::store::postgres;  // NOLINT: a test's vocabulary

namespace {

const std::vector<model_spec> models{{"orders", {"total", "country"}}, {"customers", {}}};
const auto unavailable = make_error_code(store_errc::unavailable);
const auto conflict = make_error_code(store_errc::checkpoint_conflict);

/// A schema that goes with the test, and a session of the test's own in it.
class schema {
public:
    schema() : name_{"test " + std::to_string(::getpid()) + "-" + std::to_string(++count)} {
        session_ = value(connection::open(settings("test")));
        value(migrate(*session_));
    }
    ~schema() { (void)session_->script("DROP SCHEMA \"" + name_ + "\" CASCADE"); }
    schema(const schema&) = delete;
    schema& operator=(const schema&) = delete;

    [[nodiscard]] connection_settings settings(const std::string& application) const {
        std::string whole = flexcore::test::postgres_url();
        whole += (whole.contains('?') ? "&application_name=" : "?application_name=") + application;
        return {.where = value(read_conninfo(whole, "", std::chrono::seconds{5})),
                .schema = name_,
                .statement_timeout = std::chrono::seconds{20},
                .read_only = false,
                .overdue = overdue_};
    }
    pqxx::result ask(const std::string& text) { return value(session_->script(text)); }
    std::int64_t number(const std::string& text) { return ask(text)[0][0].as<std::int64_t>(); }
    /// Ends the sessions of an application, from the database's side.
    void end_sessions(const std::string& application) {
        ask("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name "
            "= '" +
            application + "'");
    }
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    static inline std::atomic<int> count{0};
    const std::string name_;
    const std::shared_ptr<watch> overdue_ = std::make_shared<watch>();
    std::unique_ptr<connection> session_;
};

/// One server's part.
struct server {
    server(const schema& in, const std::string& application)
        : name{application + std::to_string(::getpid())}, reading{in.settings(name + "r")} {
        reading.read_only = true;
        pool = std::make_shared<sessions>(reading, session_limits{});
        views = open_views(in.settings(name + "w"), pool);
        snapshots = open_snapshots(pool);
    }
    [[nodiscard]] std::string row(const std::string& key, const std::string& of = "default") const {
        const auto found = value(value(views->read())->get(of, "orders", key));
        return found ? found->json : "";
    }
    void put(generation_id in, position from, position to, const std::string& key,
             const std::string& json) const {
        auto change = value(views->begin(in, from));
        value(change->put(tenant, "orders", key, json, to));
        value(change->commit(to));
    }

    const std::string name;
    connection_settings reading;
    std::shared_ptr<sessions> pool;
    std::unique_ptr<view_store> views;
    std::unique_ptr<snapshot_store> snapshots;
};

generation created(const server& in) { return value(in.views->create("sales", 1, models)); }

}  // namespace

TEST_CASE("postgres views: any text comes back as it went in", "[store][postgres]") {
    schema in;
    server one{in, "one"};
    const auto made = created(one);
    std::vector<std::string> texts{"'",      "''",  "\"",           "\\",         "\\\\",   "\\'",
                                   "{}",     "{,}", "NULL",         "$1",         "a,b",    " ",
                                   "\t\n\r", "bär", "\u65e5\u672c", "\U0001f600", "%",      "--",
                                   "/*",     ";",   "\x01\x7f",     "\\x00",      "E'\\n'", "null"};
    std::string every;
    for (char c = 1; c != 127; ++c) every += c;
    texts.push_back(every);
    auto change = value(one.views->begin(made.id, 0));
    const auto json_of = [](const std::string& text) {
        return "{\"country\": " + boost::json::serialize(boost::json::value(text)) +
               ",\"total\":1}";
    };
    for (const auto& text : texts) value(change->put(text, "orders", text, json_of(text), 1));
    value(change->put(tenant, "orders", "zero", R"({"country":"a\u0000b"})", 1));
    value(change->commit(1));
    server two{in, "two"};  // knows nothing yet
    for (const auto& text : texts) {
        INFO(text);
        CHECK(one.row(text, text) == json_of(text));
        scan_query query;
        query.where.push_back({"country", compare::eq, text});
        const auto page = value(value(one.views->read())->scan(text, "orders", query));
        REQUIRE(page.rows.size() == 1);
        CHECK(page.rows[0].key == text);
        CHECK(page.rows[0].json == json_of(text));
        auto again = value(two.views->begin(made.id, 1));
        CHECK(value(again->get(text, "orders", text))->json == json_of(text));
    }
    scan_query zero;
    zero.where.push_back({"country", compare::eq, std::string{"a\0b", 3}});
    CHECK(value(value(one.views->read())->scan(tenant, "orders", zero)).rows.at(0).key == "zero");
    // What no text can be is not there, and is not cut either.
    CHECK(one.row(std::string{"zero\0", 5}).empty());
    CHECK(one.row("\xff").empty());
    change = value(one.views->begin(made.id, 1));
    CHECK_FALSE(change->put(tenant, "orders", std::string{"zero\0", 5}, "{}", 2));
    CHECK_FALSE(change->put("\xff", "orders", "1", "{}", 2));
    CHECK(change->remove(tenant, "orders", std::string{"zero\0", 5}, 2));
}

TEST_CASE("postgres views: a row whose indexed text is long is written, found and in its place",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    const auto made = created(one);
    const std::string key(1024, 'k');
    std::string noise;  // which does not compress
    while (noise.size() < 100'000) noise += uuid_v7().to_string();
    auto change = value(one.views->begin(made.id, 0));
    const auto json = R"({"country":"b)" + noise + "\"}";
    value(change->put(std::string(255, 't'), "orders", key, json, 1));
    value(change->put(std::string(255, 't'), "orders", "a", R"({"country":"a"})", 1));
    value(change->put(std::string(255, 't'), "orders", "c", R"({"country":"c"})", 1));
    value(change->commit(1));
    scan_query query;
    query.where.push_back({"country", compare::eq, "b" + noise});
    CHECK(value(value(one.views->read())->scan(std::string(255, 't'), "orders", query))
              .rows.at(0)
              .json == json);
    query = {};
    query.order.push_back({"country", false});
    query.limit = 1;
    std::string order;
    do {
        const auto page =
            value(value(one.views->read())->scan(std::string(255, 't'), "orders", query));
        order += page.rows.at(0).key[0];
        query.after = page.next;
    } while (!query.after.empty());
    CHECK(order == "akc");
}

TEST_CASE("postgres views: a session lost in a transaction leaves nothing of it",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    const auto made = created(one);
    one.put(made.id, 0, 1, "1", R"({"v":1})");
    auto change = value(one.views->begin(made.id, 1));
    value(change->put(tenant, "orders", "1", R"({"v":2})", 2));
    SECTION("nothing was sent yet") {}
    SECTION("a part was sent") { value(change->scan(tenant, "orders", {})); }
    in.end_sessions(one.name + "w");
    CHECK(code_of(change->commit(2)) == unavailable);
    change.reset();
    CHECK(one.row("1") == R"({"v":1})");
    change = value(one.views->begin(made.id, 1));
    CHECK(value(change->get(tenant, "orders", "1"))->json == R"({"v":1})");
    value(change->put(tenant, "orders", "1", R"({"v":3})", 2));
    value(change->commit(2));
    CHECK(one.row("1") == R"({"v":3})");
}

TEST_CASE("postgres views: a commit whose session is lost is there whole or not at all",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    server other{in, "other"};
    const auto made = created(one);
    const auto waits = [&] {
        return in.number(
                   "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                   "application_name = '" +
                   one.name + "w'") != 0;
    };
    auto change = value(one.views->begin(made.id, 0));
    value(change->put(tenant, "orders", "1", "{}", 1));
    auto holder = value(connection::open(in.settings("holder")));
    value(holder->begin());
    value(holder->script("SELECT FROM generations FOR UPDATE"));
    std::thread committer{[&] { CHECK(code_of(change->commit(1)) == unavailable); }};
    while (!waits()) continue;  // each look is a round trip
    in.end_sessions(one.name + "w");
    committer.join();
    value(holder->commit());
    // Nobody was told how it ended: the checkpoint says so.
    const auto at = value(other.views->generations()).at(0).checkpoint;
    CHECK(at == 0);
    CHECK(one.row("1").empty() == (at == 0));
    change.reset();
    one.put(made.id, at, 1, "1", "{}");
    CHECK(one.row("1") == "{}");
}

TEST_CASE("postgres views: of two servers that write a generation one wins, each time",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    server two{in, "two"};
    const auto made = created(one);
    auto first = value(one.views->begin(made.id, 0));
    auto second = value(two.views->begin(made.id, 0));
    value(first->put(tenant, "orders", "1", R"({"by":"one"})", 1));
    value(second->put(tenant, "orders", "1", R"({"by":"two"})", 1));
    value(second->put(tenant, "orders", "2", R"({"by":"two"})", 1));
    value(first->commit(1));
    CHECK(code_of(second->commit(1)) == conflict);
    second.reset();
    CHECK(two.row("1") == R"({"by":"one"})");
    CHECK(two.row("2").empty());
    CHECK(code_of(two.views->begin(made.id, 0)) == conflict);
    // What one knows of rows is of the time before two wrote.
    two.put(made.id, 1, 2, "1", R"({"by":"two"})");
    CHECK(code_of(one.views->begin(made.id, 1)) == conflict);
    first = value(one.views->begin(made.id, 2));
    CHECK(value(first->get(tenant, "orders", "1"))->json == R"({"by":"two"})");
    // The same when the checkpoint stayed.
    two.put(made.id, 2, 2, "2", R"({"by":"two"})");
    CHECK(code_of(first->commit(3)) == conflict);
    first.reset();
    first = value(one.views->begin(made.id, 2));
    CHECK(value(first->get(tenant, "orders", "2"))->json == R"({"by":"two"})");
}

TEST_CASE("postgres views: servers that create the same generation at once both succeed",
          "[store][postgres]") {
    schema in;
    constexpr int servers = 4;
    std::vector<std::unique_ptr<server>> all;
    for (int i = 0; i < servers; ++i) {
        all.push_back(std::make_unique<server>(in, "s" + std::to_string(i)));
    }
    std::atomic<int> failures{0};
    std::vector<std::thread> threads;
    for (const auto& one : all) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5; ++i) {
                const auto made = one->views->create("sales", 1, models);
                if (!made || !one->views->set_paused("sales", i % 2 == 0)) ++failures;
                if (made && !made->serving && !one->views->drop(made->id)) ++failures;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(failures == 0);
    const auto left = value(all[0]->views->generations());
    REQUIRE(left.size() == 1);
    CHECK(left[0].serving);
}

TEST_CASE("postgres views: a reader that was handed a dead session answers all the same",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    const auto made = created(one);
    one.put(made.id, 0, 1, "1", R"({"v":1})");
    CHECK(one.row("1") == R"({"v":1})");
    auto reader = value(one.views->read());
    in.end_sessions(one.name + "r");
    CHECK(value(reader->get(tenant, "orders", "1"))->json == R"({"v":1})");
    // In the middle there is no going on: the second answer would be of another moment.
    in.end_sessions(one.name + "r");
    CHECK(code_of(reader->get(tenant, "orders", "1")) == unavailable);
    CHECK(code_of(reader->scan(tenant, "orders", {})) == unavailable);
    reader.reset();
    CHECK(one.row("1") == R"({"v":1})");
}

TEST_CASE("postgres views: readers follow when another server switches generations",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    server two{in, "two"};
    const auto first = created(one);
    one.put(first.id, 0, 1, "1", R"({"v":1})");
    CHECK(two.row("1") == R"({"v":1})");
    const auto before = value(two.views->read());
    CHECK(value(before->get(tenant, "orders", "1"))->json == R"({"v":1})");
    const auto second = value(one.views->create("sales", 2, {{"orders", {}}, {"more", {"x"}}}));
    one.put(second.id, 0, 1, "1", R"({"v":2})");
    value(one.views->serve(second.id));
    CHECK(two.row("1") == R"({"v":2})");
    const auto after = value(two.views->read());
    CHECK(value(after->scan(tenant, "more", {})).rows.empty());
    CHECK(code_of(after->get(tenant, "customers", "1")) ==
          make_error_code(store_errc::unknown_model));
    CHECK(value(before->get(tenant, "orders", "1"))->json == R"({"v":1})");
    CHECK(value(before->changed_at("customers")) == 0);
    // Nor is anything written to what is gone.
    CHECK(code_of(two.views->begin(first.id, 1)) ==
          make_error_code(store_errc::unknown_generation));
}

TEST_CASE("postgres views: tables that are left go when nobody reads them any more",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    const auto first = created(one);
    one.put(first.id, 0, 1, "1", R"({"v":1})");
    auto reader = value(one.views->read());
    CHECK(value(reader->get(tenant, "orders", "1")));
    const auto second = value(one.views->create("sales", 2, models));
    value(one.views->serve(second.id));
    // Within the grace they stay, also unread.
    CHECK(in.number("SELECT drop_tables_left('1 hour')") == 2);
    // After it, one that is still read stays, and nobody waits for long.
    CHECK(in.number("SELECT drop_tables_left('0 s')") == 1);
    CHECK(value(reader->get(tenant, "orders", "1"))->json == R"({"v":1})");
    // A reader is told that its moment is gone, not that the model is empty.
    CHECK(code_of(reader->get(tenant, "customers", "1")) == unavailable);
    reader.reset();
    CHECK(in.number("SELECT drop_tables_left('0 s')") == 0);
    CHECK(in.number("SELECT count(*) FROM pg_tables WHERE schemaname = '" + in.name() +
                    "' AND tablename LIKE 'rows_%'") == 2);
    CHECK(one.row("1").empty());
}

TEST_CASE("postgres views: a commit into a generation that another server dropped is refused",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    server two{in, "two"};
    const auto made = created(one);
    auto change = value(one.views->begin(made.id, 0));
    value(change->put(tenant, "orders", "1", "{}", 1));
    value(two.views->drop(made.id));
    SECTION("its tables are still there") {}
    SECTION("its tables are gone") { CHECK(in.number("SELECT drop_tables_left('0 s')") == 0); }
    CHECK(code_of(change->commit(1)) == make_error_code(store_errc::unknown_generation));
}

TEST_CASE("postgres views: a transaction larger than memory allows is still one",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    const auto made = created(one);
    const std::string text(1'000'000, 'x');
    const auto fill = [&](view_transaction& change) {
        for (int i = 0; i < 20; ++i) {
            value(change.put(tenant, "orders", std::to_string(i), R"({"v":")" + text + "\"}", 1));
        }
        value(change.remove(tenant, "orders", "19", 1));
        CHECK(value(change.get(tenant, "orders", "0"))->json.size() > text.size());
        CHECK_FALSE(value(change.get(tenant, "orders", "19")));
        CHECK(value(change.scan(tenant, "orders", {})).rows.size() == 19);
        CHECK(value(change.changed_at("orders")) == 1);
        CHECK(value(change.changed_at("customers")) == 0);
    };
    {
        auto change = value(one.views->begin(made.id, 0));
        fill(*change);
        CHECK(one.row("0").empty());
    }
    auto change = value(one.views->begin(made.id, 0));
    CHECK_FALSE(value(change->get(tenant, "orders", "0")));
    CHECK_FALSE(value(change->get(tenant, "orders", "18")));
    fill(*change);
    value(change->commit(1));
    CHECK(one.row("0").size() > text.size());
    CHECK(one.row("19").empty());
    CHECK(value(one.views->generations()).at(0).checkpoint == 1);
}

TEST_CASE("postgres views: removing a row nobody knows of counts only when it was there",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    const auto made = created(one);
    one.put(made.id, 0, 1, "1", "{}");
    server two{in, "two"};
    auto change = value(two.views->begin(made.id, 1));
    value(change->remove(tenant, "orders", "not there", 2));
    CHECK(value(change->changed_at("orders")) == 1);
    value(change->commit(2));
    change = value(two.views->begin(made.id, 2));
    value(change->remove(tenant, "orders", "1", 3));
    value(change->remove(tenant, "orders", "2", 4));
    CHECK_FALSE(value(change->get(tenant, "orders", "1")));
    value(change->commit(4));
    CHECK(value(value(one.views->read())->changed_at("orders")) == 3);
    CHECK(one.row("1").empty());
}

TEST_CASE("postgres views: a database that cannot be reached is unavailable, at once from then on",
          "[store][postgres]") {
    schema in;
    auto nowhere = in.settings("nowhere");
    nowhere.where =
        value(read_conninfo("postgresql://127.0.0.1:1/nowhere", "", std::chrono::seconds{1}));
    const auto pool = std::make_shared<sessions>(nowhere, session_limits{});
    const auto views = open_views(nowhere, pool);
    const auto snapshots = open_snapshots(pool);
    for (int i = 0; i < 3; ++i) {
        CHECK(code_of(views->generations()) == unavailable);
        CHECK(code_of(views->begin(1, 0)) == unavailable);
        CHECK(code_of(views->read()) == unavailable);
        CHECK_FALSE(snapshots->find(tenant, "s", 1));
        snapshots->put(tenant, "s", 1, {});
    }
    views->stop();
    views->stop();
    CHECK(code_of(views->begin(1, 0)) == make_error_code(store_errc::stopped));
}

TEST_CASE("postgres views: stopping in a transaction rolls it back", "[store][postgres]") {
    schema in;
    server one{in, "one"};
    const auto made = created(one);
    auto change = value(one.views->begin(made.id, 0));
    value(change->put(tenant, "orders", "1", "{}", 1));
    one.views->stop();
    CHECK_FALSE(change->put(tenant, "orders", "2", "{}", 1));
    CHECK(code_of(change->commit(1)) == unavailable);
    server two{in, "two"};
    CHECK(value(two.views->generations()).at(0).checkpoint == 0);
}

TEST_CASE("postgres snapshots: one that is damaged is not there, and is begun anew",
          "[store][postgres]") {
    schema in;
    server one{in, "one"};
    one.snapshots->put(tenant, "s", 1, {.ver = 5, .event_id = uuid_v7(), .state = "state"});
    REQUIRE(one.snapshots->find(tenant, "s", 1));
    for (const char* damage :
         {"state = 'other'", "version = 6", "event_id = gen_random_uuid()", "checksum = 0"}) {
        one.snapshots->put(tenant, "s", 1, {.ver = 5, .event_id = uuid_v7(), .state = "state"});
        in.ask(std::string{"UPDATE snapshots SET "} + damage);
        CHECK_FALSE(one.snapshots->find(tenant, "s", 1));
        CHECK(in.number("SELECT count(*) FROM snapshots") == 0);
    }
    in.end_sessions(one.name + "r");
    one.snapshots->put(tenant, "s", 1, {.ver = 7, .event_id = uuid_v7(), .state = "again"});
    in.end_sessions(one.name + "r");
    CHECK(one.snapshots->find(tenant, "s", 1)->state == "again");
}
