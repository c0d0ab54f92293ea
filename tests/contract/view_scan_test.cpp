// Scans of read models: operators, orders, cursors.
#include "contract/harness.hpp"

#include <cmath>
#include <random>

using namespace contract;

namespace {

using keys = std::vector<std::string>;

/// One model "items" with indexed fields a and b, and the given rows.
void fill(view_store& views, const std::vector<std::pair<std::string, std::string>>& rows) {
    const auto made = value(views.create("p", 1, {{"items", {"a", "b", "with space"}}}));
    auto change = value(views.begin(made.id, 0));
    for (const auto& [key, json] : rows) value(change->put(tenant, "items", key, json, 1));
    value(change->commit(1));
}

/// All keys of a scan, page after page.
keys scanned(view_store& views, scan_query query, std::size_t limit = 1000) {
    keys all;
    query.limit = limit;
    const auto reader = value(views.read());
    for (;;) {
        const auto page = value(reader->scan(tenant, "items", query));
        REQUIRE(page.rows.size() <= limit);
        for (const auto& row : page.rows) all.push_back(row.key);
        if (page.next.empty()) return all;
        REQUIRE(page.rows.size() == limit);
        query.after = page.next;
    }
}

scan_query where(compare op, scalar value, const std::string& field = "a") {
    scan_query query;
    query.where.push_back({field, op, std::move(value)});
    return query;
}

scan_query ordered(std::vector<scan_query::ordering> order) {
    scan_query query;
    query.order = std::move(order);
    return query;
}

}  // namespace

TEST_CASE("scan: each operator meets values of its own kind", "[store][scan]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    fill(views, {{"int", R"({"a":5})"},
                 {"real", R"({"a":5.5})"},
                 {"whole", R"({"a":5.0})"},
                 {"minus", R"({"a":-1e300})"},
                 {"large", R"({"a":9007199254740993})"},
                 {"text", R"({"a":"5"})"},
                 {"word", R"({"a":"b\u00e4r"})"},
                 {"empty", R"({"a":""})"},
                 {"true", R"({"a":true})"},
                 {"null", R"({"a":null})"},
                 {"none", R"({})"},
                 {"object", R"({"a":{"x":1}})"},
                 {"list", R"({"a":[5]})"}});
    const auto find = [&](compare op, scalar of) {
        auto found = scanned(views, where(op, std::move(of)));
        return found;
    };
    CHECK(find(compare::eq, std::int64_t{5}) == keys{"int", "whole"});
    CHECK(find(compare::eq, 5.0) == keys{"int", "whole"});
    CHECK(find(compare::eq, std::string{"5"}) == keys{"text"});
    CHECK(find(compare::eq, std::string{"bär"}) == keys{"word"});
    CHECK(find(compare::eq, true) == keys{"true"});
    CHECK(find(compare::eq, std::int64_t{1}) == keys{"true"});
    CHECK(find(compare::eq, nullptr) == keys{"list", "none", "null", "object"});
    CHECK(find(compare::eq, std::int64_t{9007199254740993}) == keys{"large"});
    CHECK(find(compare::eq, std::int64_t{9007199254740992}) == keys{});
    CHECK(find(compare::lt, std::int64_t{5}) == keys{"minus", "true"});
    CHECK(find(compare::le, 5.0) == keys{"int", "minus", "true", "whole"});
    CHECK(find(compare::gt, std::int64_t{5}) == keys{"large", "real"});
    CHECK(find(compare::ge, std::int64_t{5}) == keys{"int", "large", "real", "whole"});
    CHECK(find(compare::lt, std::string{"b"}) == keys{"empty", "text"});
    CHECK(find(compare::le, std::string{"5"}) == keys{"empty", "text"});
    CHECK(find(compare::gt, std::string{""}) == keys{"text", "word"});
    CHECK(find(compare::ge, std::string{""}) == keys{"empty", "text", "word"});
}

TEST_CASE("scan: conditions on several fields all hold", "[store][scan]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    fill(views, {{"1", R"({"a":1,"b":"x"})"},
                 {"2", R"({"a":2,"b":"x","with space":1})"},
                 {"3", R"({"a":3,"b":"y"})"}});
    auto query = where(compare::ge, std::int64_t{2});
    query.where.push_back({"b", compare::eq, std::string{"x"}});
    CHECK(scanned(views, query) == keys{"2"});
    query = where(compare::gt, std::int64_t{1});
    query.where.push_back({"a", compare::lt, std::int64_t{3}});
    CHECK(scanned(views, query) == keys{"2"});
    CHECK(scanned(views, where(compare::eq, std::int64_t{1}, "with space")) == keys{"2"});
}

TEST_CASE("scan: rows changed and removed are found where they are now", "[store][scan]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    const auto made = value(views.create("p", 1, {{"items", {"a"}}}));
    auto change = value(views.begin(made.id, 0));
    value(change->put(tenant, "items", "1", R"({"a":1})", 1));
    value(change->put(tenant, "items", "2", R"({"a":1})", 1));
    value(change->commit(1));
    change = value(views.begin(made.id, 1));
    value(change->put(tenant, "items", "1", R"({"a":2})", 2));
    value(change->remove(tenant, "items", "2", 2));
    value(change->commit(2));
    CHECK(scanned(views, where(compare::eq, std::int64_t{1})) == keys{});
    CHECK(scanned(views, where(compare::eq, std::int64_t{2})) == keys{"1"});
    CHECK(scanned(views, {}) == keys{"1"});
}

TEST_CASE("scan: null before numbers before text, then by key", "[store][scan]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    fill(views, {{"n2", R"({"a":null})"},
                 {"n1", R"({})"},
                 {"i", R"({"a":2})"},
                 {"d", R"({"a":1.5})"},
                 {"t", R"({"a":"1"})"},
                 {"j", R"({"a":2})"},
                 {"f", R"({"a":false})"}});
    for (const std::size_t limit : {1u, 2u, 3u, 100u}) {
        CHECK(scanned(views, {}, limit) == keys{"d", "f", "i", "j", "n1", "n2", "t"});
        CHECK(scanned(views, ordered({{"a", false}}), limit) ==
              keys{"n1", "n2", "f", "d", "i", "j", "t"});
        CHECK(scanned(views, ordered({{"a", true}}), limit) ==
              keys{"t", "i", "j", "d", "f", "n1", "n2"});
    }
}

TEST_CASE("scan: random rows agree with a plain sort, in pages of any size", "[store][scan]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    std::mt19937 random{7};  // NOLINT: the same run each time
    struct item {
        std::string key;
        int a = 0;  // 0: null, above 6: text
        int b = 0;
    };
    const auto as_json = [](int of) {
        return of == 0  ? std::string{"null"}
               : of > 6 ? "\"" + std::to_string(of) + "\""
                        : std::to_string(of);
    };
    std::vector<item> items;
    std::vector<std::pair<std::string, std::string>> rows;
    for (int i = 0; i < 200; ++i) {
        item one{"k" + std::to_string(random() % 100'000), int(random() % 9), int(random() % 9)};
        rows.emplace_back(one.key, R"({"a":)" + as_json(one.a) + R"(,"b":)" + as_json(one.b) + "}");
        std::erase_if(items, [&](const item& other) { return other.key == one.key; });
        items.push_back(one);
    }
    fill(views, rows);
    for (const bool a_down : {false, true}) {
        for (const bool b_down : {false, true}) {
            std::sort(items.begin(), items.end(), [&](const item& left, const item& right) {
                if (left.a != right.a) return a_down ? left.a > right.a : left.a < right.a;
                if (left.b != right.b) return b_down ? left.b > right.b : left.b < right.b;
                return left.key < right.key;
            });
            keys expected;
            keys low;
            for (const auto& one : items) {
                expected.push_back(one.key);
                if (one.a >= 2 && one.a <= 4) low.push_back(one.key);
            }
            for (const std::size_t limit : {1u, 7u, 199u, 1000u}) {
                auto query = ordered({{"a", a_down}, {"b", b_down}});
                CHECK(scanned(views, query, limit) == expected);
                query.where.push_back({"a", compare::ge, std::int64_t{2}});
                query.where.push_back({"a", compare::le, 4.0});
                CHECK(scanned(views, query, limit) == low);
            }
        }
    }
}

TEST_CASE("scan: a cursor belongs to its query", "[store][scan]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    fill(views, {{"1", R"({"a":1,"b":1})"}, {"2", R"({"a":2,"b":1})"}, {"3", R"({"a":3,"b":1})"}});
    auto query = ordered({{"a", true}});
    query.limit = 1;
    const auto reader = value(views.read());
    query.after = value(reader->scan(tenant, "items", query)).next;
    REQUIRE_FALSE(query.after.empty());
    const auto code = [&](const scan_query& from) {
        return code_of(reader->scan(tenant, "items", from));
    };
    CHECK_FALSE(code(query));
    const auto invalid = make_error_code(store_errc::invalid_cursor);
    auto other = query;
    other.order[0].descending = false;
    CHECK(code(other) == invalid);
    other = query;
    other.order.push_back({"b", false});
    CHECK(code(other) == invalid);
    other = query;
    other.where.push_back({"b", compare::eq, std::int64_t{1}});
    CHECK(code(other) == invalid);
    other = query;
    other.order.clear();
    CHECK(code(other) == invalid);
    for (const auto& text :
         {std::string{"x"}, std::string{"zz"}, std::string{"00"}, query.after.substr(2),
          query.after + "00", query.after.substr(0, query.after.size() - 2),
          std::string(10'000, 'f')}) {
        other = query;
        other.after = text;
        CHECK(code(other) == invalid);
    }
    // Another page size is the same query.
    other = query;
    other.limit = 100;
    CHECK(value(reader->scan(tenant, "items", other)).rows.size() == 2);
}

TEST_CASE("scan: only declared fields, sane limits, comparable values", "[store][scan]") {
    store_under_test store{each_backend()};
    view_store& views = store.views();
    fill(views, {{"1", R"({"a":1,"c":1})"}});
    const auto reader = value(views.read());
    const auto code = [&](const scan_query& query) {
        return code_of(reader->scan(tenant, "items", query));
    };
    const auto not_indexed = make_error_code(store_errc::not_indexed);
    const auto invalid = make_error_code(store_errc::invalid_request);
    CHECK(code(where(compare::eq, std::int64_t{1}, "c")) == not_indexed);
    CHECK(code(where(compare::eq, std::int64_t{1}, "f0")) == not_indexed);
    CHECK(code(ordered({{"c", false}})) == not_indexed);
    CHECK(code(ordered({{"a; DROP TABLE x", false}})) == not_indexed);
    CHECK(code(where(compare::lt, nullptr)) == invalid);
    CHECK(code(where(compare::eq, std::nan(""))) == invalid);
    CHECK(code(where(compare::ge, -HUGE_VAL)) == invalid);
    scan_query query;
    query.limit = 0;
    CHECK(code(query) == invalid);
    query.limit = 1001;
    CHECK(code(query) == invalid);
    query.limit = 1000;
    CHECK_FALSE(code(query));
}

TEST_CASE("scan: numbers at the edges of what can be said are in order, or refused",
          "[store][scan]") {
    store_under_test store{each_backend()};
    fill(store.views(), {{"largest", R"({"a":1.7976931348623157e308})"},
                         {"tiny", R"({"a":1e-999})"},
                         {"minus-tiny", R"({"a":-1e-999})"},
                         {"one", R"({"a":1})"},
                         {"lowest", R"({"a":-1.7976931348623157e308})"}});
    CHECK(scanned(store.views(), ordered({{.field = "a"}})) ==
          keys{"lowest", "minus-tiny", "tiny", "one", "largest"});
    CHECK(scanned(store.views(), where(compare::eq, std::int64_t{0})) ==
          keys{"minus-tiny", "tiny"});
    // A row that no order has a place for never gets in.
    const auto one = value(store.views().generations()).at(0);
    auto change = value(store.views().begin(one.id, 1));
    for (const char* json : {R"({"a":1e999})", R"({"a":-1e999})", R"({"b":[1e400]})"}) {
        CHECK(code_of(change->put(tenant, "items", "x", json, 2)) ==
              make_error_code(base_errc::invalid_json));
    }
}
