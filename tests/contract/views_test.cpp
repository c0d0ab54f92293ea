// Read models: transactions, checkpoints, generations, what a reader sees.
#include "contract/harness.hpp"

#include <thread>

using namespace contract;

namespace {

const std::vector<model_spec> orders{{"orders", {"total", "country"}}, {"customers", {}}};

generation created(view_store& views, const std::string& projection = "sales",
                   std::uint32_t version = 1, const std::vector<model_spec>& models = orders) {
    return value(views.create(projection, version, models));
}

void put(view_store& views, const generation& in, position from, position to,
         const std::string& key, const std::string& json, const std::string& model = "orders") {
    auto change = value(views.begin(in.id, from));
    value(change->put(tenant, model, key, json, to));
    value(change->commit(to));
}

std::string read_row(view_store& views, const std::string& key, const std::string& model = "orders",
                     const std::string& in = "default") {
    const auto found = value(value(views.read())->get(in, model, key));
    return found ? found->json : "";
}

generation current(view_store& views, generation_id id) {
    for (auto& one : value(views.generations())) {
        if (one.id == id) return one;
    }
    FAIL("no generation " << id);
    return {};
}

}  // namespace

TEST_CASE("views: rows and checkpoint are written together", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    CHECK(made.checkpoint == 0);
    CHECK(made.serving);
    auto change = value(views.begin(made.id, 0));
    value(change->put(tenant, "orders", "1", R"({"total": 5.0})", 3));
    value(change->put(tenant, "customers", "c", R"({"n":1})", 4));
    CHECK(read_row(views, "1").empty());
    value(change->commit(7));
    CHECK(read_row(views, "1") == R"({"total": 5.0})");
    CHECK(read_row(views, "c", "customers") == R"({"n":1})");
    CHECK(current(views, made.id).checkpoint == 7);
    const auto found = value(value(views.read())->get(tenant, "orders", "1"));
    REQUIRE(found);
    CHECK(found->key == "1");
    CHECK(found->pos == 3);
    CHECK_FALSE(value(value(views.read())->get(tenant, "orders", "2")));
}

TEST_CASE("views: what is not committed is rolled back", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    {
        auto change = value(views.begin(made.id, 0));
        value(change->put(tenant, "orders", "1", "{}", 1));
    }
    CHECK(read_row(views, "1").empty());
    CHECK(current(views, made.id).checkpoint == 0);
    CHECK(value(value(views.read())->changed_at("orders")) == 0);
    put(views, made, 0, 1, "2", "{}");
    CHECK(read_row(views, "2") == "{}");
}

TEST_CASE("views: a checkpoint that is elsewhere fails the writer", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    put(views, made, 0, 5, "1", "{}");
    const auto conflict = make_error_code(store_errc::checkpoint_conflict);
    CHECK(code_of(views.begin(made.id, 0)) == conflict);
    CHECK(code_of(views.begin(made.id, 6)) == conflict);
    auto change = value(views.begin(made.id, 5));
    CHECK(code_of(change->commit(4)) == make_error_code(store_errc::invalid_request));
    change.reset();
    CHECK(current(views, made.id).checkpoint == 5);
    put(views, made, 5, 6, "1", "{}");
    const auto gone = make_error_code(store_errc::unknown_generation);
    CHECK(code_of(views.begin(4711, 0)) == gone);
    CHECK(code_of(views.serve(4711)) == gone);
    CHECK(code_of(views.drop(4711)) == gone);
}

TEST_CASE("views: a transaction sees its own writes, and is alone", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    put(views, made, 0, 1, "old", R"({"total":1})");
    auto change = value(views.begin(made.id, 1));
    value(change->put(tenant, "orders", "new", R"({"total":2})", 2));
    value(change->put(tenant, "orders", "old", R"({"total":3})", 2));
    CHECK(value(change->get(tenant, "orders", "old"))->json == R"({"total":3})");
    CHECK(value(change->scan(tenant, "orders", {})).rows.size() == 2);
    CHECK(value(change->changed_at("orders")) == 2);
    value(change->remove(tenant, "orders", "old", 2));
    CHECK_FALSE(value(change->get(tenant, "orders", "old")));
    CHECK(code_of(views.begin(made.id, 1)) == make_error_code(store_errc::invalid_request));
    value(change->commit(2));
    CHECK(code_of(change->put(tenant, "orders", "x", "{}", 3)) ==
          make_error_code(store_errc::invalid_request));
    CHECK(code_of(change->commit(3)) == make_error_code(store_errc::invalid_request));
}

TEST_CASE("views: the position of a model's last change", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    const auto changed = [&](const std::string& model) {
        return value(value(views.read())->changed_at(model));
    };
    put(views, made, 0, 5, "1", "{}");
    CHECK(changed("orders") == 5);
    CHECK(changed("customers") == 0);
    auto change = value(views.begin(made.id, 5));
    value(change->remove(tenant, "orders", "not there", 8));
    value(change->commit(8));
    CHECK(changed("orders") == 5);
    change = value(views.begin(made.id, 8));
    value(change->remove(tenant, "orders", "1", 9));
    value(change->commit(20));
    CHECK(changed("orders") == 9);
}

TEST_CASE("views: rows are JSON objects of known models", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    auto change = value(views.begin(made.id, 0));
    const auto unknown = make_error_code(store_errc::unknown_model);
    CHECK(code_of(change->put(tenant, "nothing", "1", "{}", 1)) == unknown);
    CHECK(code_of(change->remove(tenant, "nothing", "1", 1)) == unknown);
    CHECK(code_of(change->changed_at("nothing")) == unknown);
    CHECK_FALSE(change->put(tenant, "orders", "1", "[1]", 1));
    CHECK_FALSE(change->put(tenant, "orders", "1", "{", 1));
    value(change->put(tenant, "orders", "1", R"({"nested":{"total":1},"list":[1]})", 1));
    value(change->commit(1));
    CHECK(code_of(value(views.read())->get(tenant, "nothing", "1")) == unknown);
    CHECK(code_of(value(views.read())->scan(tenant, "nothing", {})) == unknown);
    CHECK(read_row(views, "1") == R"({"nested":{"total":1},"list":[1]})");
}

TEST_CASE("views: generations are built beside the serving one and switched at once",
          "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto first = created(views);
    put(views, first, 0, 3, "1", R"({"v":1})");
    const auto second = created(views, "sales", 2);
    CHECK_FALSE(second.serving);
    CHECK(second.id != first.id);
    put(views, second, 0, 2, "1", R"({"v":2})");
    put(views, second, 2, 3, "2", R"({"v":2})");
    CHECK(read_row(views, "1") == R"({"v":1})");
    CHECK(read_row(views, "2").empty());
    // Both are written to in turn while the new one catches up.
    put(views, first, 3, 4, "1", R"({"v":1.5})");
    put(views, second, 3, 4, "1", R"({"v":2.5})");
    CHECK(read_row(views, "1") == R"({"v":1.5})");

    auto before = value(views.read());
    value(views.serve(second.id));
    CHECK(value(before->get(tenant, "orders", "1"))->json == R"({"v":1.5})");
    CHECK_FALSE(value(before->get(tenant, "orders", "2")));
    before.reset();
    CHECK(read_row(views, "1") == R"({"v":2.5})");
    CHECK(read_row(views, "2") == R"({"v":2})");
    const auto left = value(views.generations());
    REQUIRE(left.size() == 1);
    CHECK(left[0].id == second.id);
    CHECK(left[0].serving);
    CHECK(left[0].checkpoint == 4);
    CHECK(left[0].version == 2);
    CHECK(left[0].models == orders);
    CHECK_FALSE(views.begin(first.id, 4));
    put(views, second, 4, 5, "3", "{}");
    CHECK(read_row(views, "3") == "{}");
}

TEST_CASE("views: a generation that is not wanted any more is dropped", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto first = created(views);
    put(views, first, 0, 1, "1", "{}");
    const auto second = created(views, "sales", 2);
    put(views, second, 0, 1, "1", R"({"x":1})");
    value(views.drop(second.id));
    CHECK_FALSE(views.drop(second.id));
    CHECK(value(views.generations()).size() == 1);
    CHECK(read_row(views, "1") == "{}");
    value(views.drop(first.id));
    CHECK(code_of(value(views.read())->get(tenant, "orders", "1")) ==
          make_error_code(store_errc::unknown_model));
    const auto third = created(views);
    CHECK(third.serving);
    CHECK(third.id != first.id);
    CHECK(read_row(views, "1").empty());
}

TEST_CASE("views: models belong to one projection", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto sales = created(views);
    const auto invalid = make_error_code(store_errc::invalid_request);
    CHECK(code_of(views.create("other", 1, {{"orders", {}}})) == invalid);
    CHECK(code_of(views.create("other", 1, {{"a", {}}, {"a", {}}})) == invalid);
    CHECK(code_of(views.create("other", 1, {{"a", {"x", "x"}}})) == invalid);
    CHECK(code_of(views.create("other", 1, {{"a", {"quo\"te"}}})) == invalid);
    CHECK_FALSE(views.create("other", 1, {{"no spaces", {}}}));
    const auto other = created(views, "other", 1, {{"products", {"sku"}}});
    CHECK(other.serving);
    put(views, other, 0, 1, "p", "{}", "products");
    put(views, sales, 0, 1, "1", "{}");
    const auto reader = value(views.read());
    CHECK(value(reader->get(tenant, "orders", "1")));
    CHECK(value(reader->get(tenant, "products", "p")));
}

TEST_CASE("views: paused and stopped are remembered", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    value(views.set_paused("sales", true));
    value(views.set_stopped(made.id, "event 7: no such field"));
    auto seen = current(views, made.id);
    CHECK(seen.paused);
    CHECK(seen.stopped_because == "event 7: no such field");
    CHECK(created(views, "sales", 2).paused);
    value(views.set_paused("sales", false));
    value(views.set_stopped(made.id, ""));
    seen = current(views, made.id);
    CHECK_FALSE(seen.paused);
    CHECK(seen.stopped_because.empty());
    CHECK_FALSE(views.set_stopped(4711, "x"));
}

TEST_CASE("views: a reader sees one moment", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    put(views, made, 0, 1, "1", R"({"v":1})");
    const auto reader = value(views.read());
    put(views, made, 1, 2, "1", R"({"v":2})");
    put(views, made, 2, 3, "2", R"({"v":2})");
    CHECK(value(reader->get(tenant, "orders", "1"))->json == R"({"v":1})");
    CHECK(value(reader->scan(tenant, "orders", {})).rows.size() == 1);
    CHECK(value(reader->changed_at("orders")) == 1);
    CHECK(read_row(views, "1") == R"({"v":2})");
}

TEST_CASE("views: readers on many threads see every model at the same moment", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    {
        auto change = value(views.begin(made.id, 0));
        value(change->put(tenant, "orders", "1", R"({"v":0})", 1));
        value(change->put(tenant, "customers", "1", R"({"v":0})", 1));
        value(change->commit(1));
    }
    std::atomic<bool> running{true};
    std::atomic<int> torn{0};
    std::atomic<int> reads{0};
    std::vector<std::thread> readers;
    for (int t = 0; t < 4; ++t) {
        readers.emplace_back([&] {
            while (running) {
                const auto reader = views.read();
                if (!reader) {
                    ++torn;
                    continue;
                }
                const auto left = (*reader)->get(tenant, "orders", "1");
                const auto right = (*reader)->get(tenant, "customers", "1");
                if (!left || !right || !*left || !*right || (*left)->json != (*right)->json) {
                    ++torn;
                }
                ++reads;
            }
        });
    }
    auto in = made;
    position checkpoint = 1;
    for (int i = 1; i <= 150 || reads < 200; ++i) {
        const std::string json = R"({"v":)" + std::to_string(i) + "}";
        auto change = value(views.begin(in.id, checkpoint));
        value(change->put(tenant, "orders", "1", json, checkpoint + 1));
        value(change->put(tenant, "customers", "1", json, checkpoint + 1));
        value(change->commit(++checkpoint));
        if (i % 25 == 0) {
            const auto next = created(views, "sales", static_cast<std::uint32_t>(i));
            auto fill = value(views.begin(next.id, 0));
            value(fill->put(tenant, "orders", "1", json, 1));
            value(fill->put(tenant, "customers", "1", json, 1));
            value(fill->commit(checkpoint));
            value(views.serve(next.id));
            in = next;
        }
    }
    running = false;
    for (auto& thread : readers) thread.join();
    CHECK(torn == 0);
}

TEST_CASE("views: tenants have rows of their own", "[store][views]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = created(views);
    auto change = value(views.begin(made.id, 0));
    value(change->put("red", "orders", "1", R"({"total":1})", 1));
    value(change->put("blue", "orders", "1", R"({"total":2})", 1));
    value(change->put("blue", "orders", "2", R"({"total":1})", 1));
    value(change->remove("red", "orders", "2", 1));
    value(change->commit(1));
    CHECK(read_row(views, "1", "orders", "red") == R"({"total":1})");
    CHECK(read_row(views, "1", "orders", "blue") == R"({"total":2})");
    CHECK(read_row(views, "2", "orders", "red").empty());
    scan_query ones;
    ones.where.push_back({"total", compare::eq, std::int64_t{1}});
    const auto reader = value(views.read());
    CHECK(value(reader->scan("red", "orders", ones)).rows.at(0).key == "1");
    CHECK(value(reader->scan("blue", "orders", ones)).rows.at(0).key == "2");
    CHECK(value(reader->scan("green", "orders", {})).rows.empty());
}

TEST_CASE("views: everything is there after reopening", "[store][views]") {
    store_under_test store{each_keeping_backend()};
    // No store opens whose read models have seen more than its log has.
    appended(store.log(), {.stream = "s", .events = events(9)});
    const auto made = created(store.views());
    put(store.views(), made, 0, 9, "1", R"({"total":1})");
    value(store.views().set_paused("sales", true));
    store.reopen();
    CHECK(read_row(store.views(), "1") == R"({"total":1})");
    const auto seen = current(store.views(), made.id);
    CHECK(seen.checkpoint == 9);
    CHECK(seen.paused);
    CHECK(seen.models == orders);
    CHECK(value(value(store.views().read())->changed_at("orders")) == 9);
    put(store.views(), made, 9, 10, "2", "{}");
}

TEST_CASE("views: after stop nothing is read or written", "[store][views]") {
    store_under_test store{each_backend()};
    const auto made = created(store.views());
    store.views().stop();
    CHECK(code_of(store.views().read()) == make_error_code(store_errc::stopped));
    CHECK(code_of(store.views().begin(made.id, 0)) == make_error_code(store_errc::stopped));
}

TEST_CASE("views: a transaction that is over neither reads nor writes", "[store][views]") {
    store_under_test store{each_backend()};
    const auto made = created(store.views());
    auto change = value(store.views().begin(made.id, 0));
    value(change->commit(1));
    const auto over = make_error_code(store_errc::invalid_request);
    CHECK(code_of(change->get(tenant, "orders", "1")) == over);
    CHECK(code_of(change->scan(tenant, "orders", {})) == over);
    CHECK(code_of(change->changed_at("orders")) == over);
    CHECK(code_of(change->put(tenant, "orders", "1", "{}", 2)) == over);
    CHECK(code_of(change->remove(tenant, "orders", "1", 2)) == over);
    CHECK(code_of(change->commit(2)) == over);
}
