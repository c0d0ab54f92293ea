// What is read of the log in PostgreSQL, from rows that were put there by hand: each answer is
// compared with what the rules of reading say of the same events in memory.
#include "base/names.hpp"
#include "store/postgres/event_reader.hpp"
#include "store/postgres/migrations.hpp"
#include "store/read_limits_impl.hpp"
#include "store/stream_rules_impl.hpp"

#include "contract/harness.hpp"

#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <random>

using namespace contract;
using namespace flexcore::store::postgres;
using store::direction;

namespace {

constexpr unix_us start = 1'700'000'000'000'000;
constexpr unix_us second = 1'000'000;
const auto missing = make_error_code(store_errc::stream_not_found);

struct written {
    std::string tenant = "default";
    std::string stream = "s";
    std::string type = "test.happened";
    std::vector<std::string> tags = {};
    std::string data = "{}";
    std::string metadata = {};
};

/// A schema of its own, filled with plain statements, and what stands in it.
class written_log {
public:
    written_log() : settings_{settings()}, session_{value(connection::open(settings_))} {
        value(migrate(*session_));
        pool_ = std::make_shared<sessions>(settings_, session_limits{});
        reader_.emplace(pool_, [this] { return now; });
    }
    ~written_log() { (void)session_->script("DROP SCHEMA " + settings_.schema + " CASCADE"); }
    written_log(const written_log&) = delete;
    written_log& operator=(const written_log&) = delete;

    position add(const written& from) {
        auto& one = kept_.emplace_back();
        one.from = from;
        one.tags.assign(one.from.tags.begin(), one.from.tags.end());
        auto& ver = versions_[{from.tenant, from.stream}];
        one.event = {
            .pos = kept_.size(),
            .ver = ++ver,
            .id = uuid_v7(),
            .recorded_at = start + static_cast<unix_us>(kept_.size()) * second,
            .schema_version = 3,
            .tenant = one.from.tenant,
            .stream = one.from.stream,
            .type = one.from.type,
            .data = one.from.data,
            .metadata = one.from.metadata.empty() ? std::string_view{"{}"} : one.from.metadata,
            .tags = one.tags};
        return kept_.size();
    }
    /// Rows that were added since.
    void write() {
        array_text position, stream, version, type, category, tenant, id, tags, metadata, data, tag,
            tagged;
        for (; written_ < kept_.size(); ++written_) {
            const auto& event = kept_[written_].event;
            const auto in = name_id(1, 0, event.tenant);
            const auto its_category = name_id(2, in, category_of(event.stream));
            std::string its_tags;
            for (const auto one : event.tags) {
                its_tags += std::string{one} + '\n';
                tag.add(name_id(4, in, one));
                tagged.add(event.pos);
            }
            position.add(event.pos);
            stream.add(stream_id(in, its_category, event.stream));
            version.add(event.ver);
            type.add(name_id(3, in, event.type));
            category.add(its_category);
            tenant.add(in);
            id.add(event.id);
            tags.add(its_tags);
            metadata.add(kept_[written_].from.metadata);
            data.add(event.data);
        }
        run("INSERT INTO events SELECT p, s, v, t, c, n, 3, 0, $1::bigint + p * $2::bigint, i, g,"
            " m, d FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],"
            " $7::bigint[], $8::bigint[], $9::uuid[], $10::text[], $11::text[], $12::text[])"
            " AS a(p, s, v, t, c, n, i, g, m, d)",
            params{}
                .add(start)
                .add(second)
                .add(position)
                .add(stream)
                .add(version)
                .add(type)
                .add(category)
                .add(tenant)
                .add(id)
                .add(tags)
                .add(metadata)
                .add(data));
        run("INSERT INTO event_tags SELECT * FROM unnest($1::bigint[], $2::bigint[])",
            params{}.add(tag).add(tagged));
    }
    void rule(const std::string& tenant, const std::string& stream, const stream_rules& rules) {
        rules_[{tenant, stream}] = rules;
        const auto in = name_id(1, 0, tenant);
        run("INSERT INTO stream_rules VALUES ($1, $2, $3, $4, $5, $6, $7, 1)",
            params{}
                .add(stream_id(in, 0, stream))
                .add(in)
                .add(rules.max_age_us)
                .add(rules.max_count)
                .add(rules.truncate_before)
                .add(static_cast<int>(rules.deleted))
                .add(rules.deleted_to));
    }
    void remove(position at) {
        kept_[at - 1].removed = true;
        run("INSERT INTO holes VALUES ($1, $1, 'test', 0)", params{}.add(at));
        run("DELETE FROM event_tags WHERE position = $1", params{}.add(at));
        run("DELETE FROM events WHERE position = $1", params{}.add(at));
    }
    void run(const std::string& text, const params& with) { value(session_->run_once(text, with)); }

    [[nodiscard]] bool serves(position at) const {
        const auto& one = kept_[at - 1];
        if (one.removed) return false;
        const auto rules = rules_.find({one.from.tenant, one.from.stream});
        return rules == rules_.end() ||
               rules->second.serves(one.event.ver, one.event.recorded_at,
                                    versions_.at({one.from.tenant, one.from.stream}), now);
    }
    [[nodiscard]] const recorded_event& event(position at) const { return kept_[at - 1].event; }
    [[nodiscard]] position head() const { return kept_.size(); }
    [[nodiscard]] event_reader& reader() { return *reader_; }
    [[nodiscard]] connection& session() { return *session_; }

    [[nodiscard]] log_page log(const log_filter& filter, position after, std::size_t limit,
                               direction way = direction::forward) {
        return value(reader_->read_log(filter, after, limit, way, head()));
    }
    [[nodiscard]] std::vector<position> everything(const log_filter& filter, direction way,
                                                   std::size_t limit) {
        std::vector<position> all;
        position after = 0;
        for (bool more = true; more;) {
            const auto page = log(filter, after, limit, way);
            for (const auto& event : page.batch->events) all.push_back(event.pos);
            REQUIRE((page.at_end || page.scanned_to != after));
            after = page.scanned_to;
            more = !page.at_end;
        }
        return all;
    }
    /// The same, as the rules of reading have it.
    [[nodiscard]] std::vector<position> expected(const log_filter& filter, direction way) const {
        std::vector<position> all;
        for (position at = 1; at <= head(); ++at) {
            if (serves(at) && matches_filter(filter, event(at))) all.push_back(at);
        }
        if (way == direction::backward) std::reverse(all.begin(), all.end());
        return all;
    }

    unix_us now = start + 1'000'000 * second;

private:
    struct kept_event {
        written from;
        std::vector<std::string_view> tags;
        recorded_event event;
        bool removed = false;
    };
    using stream_key = std::pair<std::string, std::string>;

    static connection_settings settings() {
        static int count = 0;
        const char* url = std::getenv("FLEXCORE_TEST_POSTGRES_URL");
        REQUIRE(url != nullptr);
        return {.where = value(read_conninfo(url, "", std::chrono::seconds{10})),
                .schema = fmt::format("reader_{}_{}", getpid(), ++count),
                .overdue = std::make_shared<watch>()};
    }
    std::int64_t name_id(int kind, std::int64_t tenant, std::string_view name) {
        const auto [at, fresh] =
            names_.try_emplace({kind, tenant, std::string{name}}, last_id_ + 1);
        if (fresh) {
            run("INSERT INTO names VALUES ($1, $2, $3, $4)",
                params{}.add(++last_id_).add(kind).add(tenant).add(name));
        }
        return at->second;
    }
    std::int64_t stream_id(std::int64_t tenant, std::int64_t category, std::string_view name) {
        const auto [at, fresh] = names_.try_emplace({0, tenant, std::string{name}}, last_id_ + 1);
        if (fresh) {
            run("INSERT INTO streams VALUES ($1, $2, $3, $4, $5)",
                params{}.add(++last_id_).add(tenant).add(category).add(start).add(name));
        }
        return at->second;
    }

    connection_settings settings_;
    std::unique_ptr<connection> session_;
    std::shared_ptr<sessions> pool_;
    std::optional<event_reader> reader_;
    std::deque<kept_event> kept_;
    std::map<stream_key, version> versions_;
    std::map<stream_key, stream_rules> rules_;
    std::map<std::tuple<int, std::int64_t, std::string>, std::int64_t> names_;
    std::int64_t last_id_ = 0;
    std::size_t written_ = 0;
};

std::vector<version> served_of(written_log& log, const std::string& stream, direction way,
                               std::size_t limit) {
    std::vector<version> all;
    version from = 0;
    do {
        const auto page = value(log.reader().read_stream("default", stream, from, limit, way));
        for (const auto& event : page.batch->events) all.push_back(event.ver);
        from = page.next;
    } while (from != 0);
    if (way == direction::backward) std::reverse(all.begin(), all.end());
    return all;
}

}  // namespace

TEST_CASE("postgres reader: an event comes out as it went in, strange names and texts included",
          "[store][postgres]") {
    written_log log;
    const std::vector<std::string> strange{"a\"b\\c'd{e},f", "äöü-日本-🐘", "50%_x-1", "$1-\\n",
                                           "-"};
    for (const auto& name : strange) {
        log.add({.tenant = name,
                 .stream = name + "-stream",
                 .type = name,
                 .tags = {name, "b" + name},
                 .data = "{\"\\u0000\":\"" + std::string(3000, 'x') + "\\\\\"}",
                 .metadata = "{\"m\":1.0}"});
        log.add({.tenant = name, .stream = name});
    }
    log.write();
    const auto same = [&](const recorded_event& seen) {
        const auto& one = log.event(seen.pos);
        CHECK(seen.ver == one.ver);
        CHECK(seen.id == one.id);
        CHECK(seen.recorded_at == one.recorded_at);
        CHECK(seen.schema_version == one.schema_version);
        CHECK(seen.tenant == one.tenant);
        CHECK(seen.stream == one.stream);
        CHECK(seen.type == one.type);
        CHECK(seen.data == one.data);
        CHECK(seen.metadata == one.metadata);
        CHECK(std::equal(seen.tags.begin(), seen.tags.end(), one.tags.begin(), one.tags.end()));
    };
    for (const auto& event : log.log({}, 0, 100).batch->events) same(event);
    for (position at = 1; at <= log.head(); at += 2) {
        const auto& one = log.event(at);
        const std::string tenant{one.tenant};
        same(value(log.reader().read_event(tenant, one.id))->events.at(0));
        CHECK(code_of(log.reader().read_event("nobody", one.id)) ==
              make_error_code(store_errc::event_not_found));
        const auto page =
            value(log.reader().read_stream(tenant, one.stream, 0, 10, direction::forward));
        REQUIRE(page.batch->events.size() == 1);
        same(page.batch->events[0]);
        for (const selector& what :
             {selector{{.types = {tenant}}}, selector{{.tags = {tenant, "b" + tenant}}},
              selector{{.categories = {std::string{category_of(one.stream)}}}},
              selector{{.stream_prefix = tenant}}}) {
            for (const auto way : {direction::forward, direction::backward}) {
                const log_filter filter{.tenant = tenant, .what = what};
                CHECK(log.everything(filter, way, 10) == log.expected(filter, way));
            }
        }
        CHECK(value(log.reader().streams(tenant, "", tenant, "", 10)).items.size() == 2);
        CHECK(value(log.reader().streams(tenant, "", tenant + "-s", "", 10)).items.size() == 1);
        CHECK(value(log.reader().stream(tenant, one.stream)).ver == 1);
    }
    const std::string_view impossible{"a\0b", 3};
    CHECK(code_of(log.reader().read_stream("default", impossible, 0, 1, direction::forward)) ==
          missing);
    CHECK(code_of(log.reader().stream(impossible, "\xff")) == missing);
    const log_filter broken{.what = {{.types = {std::string{impossible}}}, {.tags = {"\xff"}}}};
    CHECK(log.log(broken, 0, 10).at_end);
}

TEST_CASE("postgres reader: a stream's pages, both ways, in rows and in bytes",
          "[store][postgres]") {
    written_log log;
    for (int i = 0; i < 9; ++i) {
        log.add({.data = '"' + std::string(1'000'000, static_cast<char>('a' + i)) + '"'});
        log.add({.stream = "small"});
    }
    log.write();
    const auto read = [&](const char* stream, version from, std::size_t limit, direction way) {
        return value(log.reader().read_stream("default", stream, from, limit, way));
    };
    const auto large = read("s", 0, 100, direction::forward);
    CHECK(versions(*large.batch) == std::vector<version>{1, 2, 3, 4, 5});
    CHECK(large.next == 6);
    CHECK(large.batch->events[4].data.substr(0, 3) == "\"ee");
    CHECK(versions(*read("s", 7, 100, direction::backward).batch) ==
          std::vector<version>{7, 6, 5, 4, 3});
    CHECK(read("s", 7, 100, direction::backward).next == 2);
    CHECK(log.log({}, 0, 100).scanned_to == 9);
    CHECK(positions(*log.log({.what = {{.categories = {"s"}}}}, 0, 100).batch) ==
          std::vector<position>{1, 3, 5, 7, 9});
    for (const auto way : {direction::forward, direction::backward}) {
        for (const std::size_t limit : {1u, 4u, 9u, 10u}) {
            CHECK(served_of(log, "s", way, limit).size() == 9);
            CHECK(served_of(log, "small", way, limit).size() == 9);
        }
    }
    CHECK(read("small", 0, 9, direction::forward).next == 0);
    CHECK(read("small", 0, 8, direction::forward).next == 9);
    CHECK(read("small", 1, 1, direction::backward).next == 0);
    CHECK(read("small", UINT64_MAX, 1, direction::forward).batch->events.empty());
    CHECK(versions(*read("small", UINT64_MAX, 1, direction::backward).batch) ==
          std::vector<version>{9});
    CHECK(code_of(log.reader().read_stream("default", "t", 0, 1, direction::forward)) == missing);
    CHECK(code_of(log.reader().read_stream("nobody", "s", 0, 1, direction::backward)) == missing);
    CHECK(code_of(log.reader().read_history("nobody", "s", 0, 1)) == missing);

    const auto all = value(read_all(log.session(), 2, 17, 100));
    CHECK(all->events.front().pos == 3);
    CHECK(all->events.back().pos == 11);
    CHECK(value(read_all(log.session(), 15, 17, 100))->events.size() == 2);
    CHECK(value(read_all(log.session(), UINT64_MAX, UINT64_MAX, 100))->events.empty());
}

TEST_CASE("postgres reader: rules hide what they say, deletions all there was",
          "[store][postgres]") {
    written_log log;
    for (int i = 0; i < 10; ++i) {
        for (const auto* stream :
             {"plain", "count", "age", "before", "all", "none", "soft", "again", "gone"}) {
            log.add({.stream = stream});
        }
    }
    log.write();
    log.now = start + 100 * second;
    log.rule("default", "count", {.max_count = 3});
    log.rule("default", "age", {.max_age_us = 40 * second});
    log.rule("default", "before", {.truncate_before = 5});
    log.rule("default", "all",
             {.max_age_us = 70 * second, .max_count = 9, .truncate_before = 3, .deleted_to = 3});
    log.rule("default", "none", {.truncate_before = INT64_MAX});
    log.rule("default", "soft", {.deleted = deletion::soft, .deleted_to = 10});
    log.rule("default", "again", {.max_count = 9, .deleted_to = 6});
    log.rule("default", "gone", {.deleted = deletion::forever, .deleted_to = 10});
    using list = std::vector<version>;
    for (const auto way : {direction::forward, direction::backward}) {
        for (const std::size_t limit : {1u, 3u, 100u}) {
            CHECK(served_of(log, "plain", way, limit).size() == 10);
            CHECK(served_of(log, "count", way, limit) == list{8, 9, 10});
            // Recorded at 3, 12, …, 84, of which those from 60 on are young enough.
            CHECK(served_of(log, "age", way, limit) == list{8, 9, 10});
            CHECK(served_of(log, "before", way, limit) == list{5, 6, 7, 8, 9, 10});
            CHECK(served_of(log, "all", way, limit) == list{4, 5, 6, 7, 8, 9, 10});
            CHECK(served_of(log, "none", way, limit).empty());
            CHECK(served_of(log, "again", way, limit) == list{7, 8, 9, 10});
            CHECK(log.everything({}, way, limit) == log.expected({}, way));
        }
        CHECK(code_of(log.reader().read_stream("default", "soft", 0, 9, way)) == missing);
        CHECK(code_of(log.reader().read_stream("default", "gone", 0, 9, way)) ==
              make_error_code(store_errc::stream_deleted));
    }
    const auto history = [&](const char* stream) {
        return value(log.reader().read_history("default", stream, 1, 4));
    };
    CHECK(versions(*history("count").batch) == list{1, 2, 3, 4});
    CHECK(history("count").next == 5);
    CHECK(history("count").base == 0);
    CHECK(versions(*history("again").batch) == list{7, 8, 9, 10});
    CHECK(history("again").next == 0);
    CHECK(history("again").base == 6);
    CHECK(history("soft").batch->events.empty());
    CHECK(history("soft").base == 10);
    CHECK(code_of(log.reader().read_history("default", "gone", 1, 4)) ==
          make_error_code(store_errc::stream_deleted));
    for (position at = 1; at <= log.head(); ++at) {
        CHECK(log.reader().read_event("default", log.event(at).id).has_value() == log.serves(at));
    }
    CHECK(value(log.reader().stream("default", "none")).ver == 10);
    CHECK(value(log.reader().stream("default", "all")).settings ==
          stream_settings{.max_age_s = 70, .max_count = 9, .truncate_before = 3});
    CHECK(code_of(log.reader().stream("default", "soft")) == missing);
    CHECK(code_of(log.reader().stream("default", "gone")) ==
          make_error_code(store_errc::stream_deleted));
    const auto streams = value(log.reader().streams("default", "", "", "", 100));
    REQUIRE(streams.items.size() == 7);
    CHECK(streams.items[0].stream == "again");
    CHECK(streams.items[0].ver == 10);
    CHECK(streams.items[0].updated_at == start + 89 * second);
    // What is removed from a stream's beginning was hidden before; halving goes on over it.
    log.remove(3);
    log.remove(12);
    CHECK(served_of(log, "age", direction::forward, 100) == list{8, 9, 10});
    CHECK(log.everything({}, direction::forward, 7) == log.expected({}, direction::forward));
}

TEST_CASE("postgres reader: streams by category, prefix and the last name, bytewise",
          "[store][postgres]") {
    written_log log;
    for (const auto* name :
         {"order-2", "order-10", "order", "order,x", "orders-1", "order-1", "Zebra-1", "ärger-1",
          "order-\xf4\x8f\xbf\xbf", "order-%", "order-_"}) {
        log.add({.stream = name});
    }
    log.add({.tenant = "other", .stream = "order-3"});
    log.write();
    const auto names = [&](std::string_view category, std::string_view prefix) {
        std::vector<std::string> all;
        std::string after;
        do {
            const auto page = value(log.reader().streams("default", category, prefix, after, 2));
            for (const auto& info : page.items) all.push_back(info.stream);
            after = page.next;
        } while (!after.empty());
        return all;
    };
    using texts = std::vector<std::string>;
    CHECK(names("", "") == texts{"Zebra-1", "order", "order,x", "order-%", "order-1", "order-10",
                                 "order-2", "order-_", "order-\xf4\x8f\xbf\xbf", "orders-1",
                                 "ärger-1"});
    CHECK(names("order", "") == texts{"order", "order-%", "order-1", "order-10", "order-2",
                                      "order-_", "order-\xf4\x8f\xbf\xbf"});
    CHECK(names("order", "order-1") == texts{"order-1", "order-10"});
    CHECK(names("", "order-%") == texts{"order-%"});
    CHECK(names("", "order-_") == texts{"order-_"});
    CHECK(names("", "order-\xf4\x8f\xbf\xbf") == texts{"order-\xf4\x8f\xbf\xbf"});
    CHECK(names("order", "orders").empty());
    CHECK(names("unknown", "").empty());
    CHECK(value(log.reader().streams("default", "", "order-1", "zzz", 10)).items.empty());
    CHECK(value(log.reader().streams("default", "", "ä", "order", 10)).items.size() == 1);
    CHECK(value(log.reader().streams("nobody", "", "", "", 10)).items.empty());
}

TEST_CASE("postgres reader: answers are remembered until they expire", "[store][postgres]") {
    written_log log;
    log.add({});
    log.write();
    log.run(
        "INSERT INTO idempotency_keys VALUES ((SELECT id FROM names WHERE kind = 1), $1,"
        " '\\x00ff41', $2, $3)",
        params{}.add("k").add("{\"a\":1}").add(log.now + 1));
    const auto found = value(log.reader().find_answer("default", "k"));
    REQUIRE(found);
    CHECK(found->fingerprint == std::string("\0\xff"
                                            "A",
                                            3));
    CHECK(found->answer == "{\"a\":1}");
    CHECK_FALSE(value(log.reader().find_answer("nobody", "k")));
    CHECK_FALSE(value(log.reader().find_answer("default", "l")));
    ++log.now;
    CHECK_FALSE(value(log.reader().find_answer("default", "k")));
}

TEST_CASE("postgres reader: how far a read of the log came, at its edges", "[store][postgres]") {
    written_log log;
    CHECK(log.log({}, 0, 10).at_end);
    CHECK(log.log({}, 0, 10).scanned_to == 0);
    CHECK(log.log({}, 0, 10, direction::backward).at_end);
    for (int i = 1; i <= 12; ++i) log.add({.stream = i % 3 == 0 ? "b-1" : "a-1", .tags = {"t"}});
    log.write();
    const auto first = log.log({}, 0, 5);
    CHECK(first.scanned_to == 5);
    CHECK_FALSE(first.at_end);
    CHECK(log.log({}, 7, 5).at_end);
    CHECK(log.log({}, 99, 5).scanned_to == 99);
    CHECK(log.log({}, 3, 3, direction::backward).at_end);
    CHECK(log.log({}, 0, 3, direction::backward).scanned_to == 10);
    const log_filter none{.what = {{.types = {"unknown"}}}};
    CHECK(log.log(none, 3, 10).at_end);
    CHECK(log.log(none, 3, 10).scanned_to == 12);
    CHECK(log.log({.tenant = "nobody"}, 3, 10).at_end);
    const log_filter bs{.what = {{.categories = {"b"}}}};
    CHECK(positions(*log.log(bs, 3, 2).batch) == std::vector<position>{6, 9});
    CHECK_FALSE(log.log(bs, 3, 2).at_end);
    CHECK(log.log(bs, 3, 3).at_end);
    // What others have written beyond the head is not shown.
    const auto known = value(log.reader().read_log({}, 0, 100, direction::forward, 7));
    CHECK(known.batch->events.size() == 7);
    CHECK(known.scanned_to == 7);
    CHECK(known.at_end);
    CHECK(positions(*value(log.reader().read_log(bs, 0, 9, direction::backward, 7)).batch) ==
          std::vector<position>{6, 3});
}

TEST_CASE("postgres reader: what is rare in a long log is found without going through all of it",
          "[store][postgres]") {
    written_log log;
    for (int i = 1; i <= 60'000; ++i) {
        const bool rare = i == 50 || i == 59'000;
        log.add({.tenant = rare ? "small" : "default",
                 .stream = rare ? "rare-1" : "noise-1",
                 .tags = rare ? std::vector<std::string>{"rare", "all"}
                              : std::vector<std::string>{"all"}});
    }
    log.write();
    const log_filter filters[] = {
        {.tenant = "small"},
        {.what = {{.categories = {"rare"}}}},
        {.what = {{.tags = {"all", "rare"}}}},
        {.what = {{.types = {"test.happened"}, .tags = {"rare"}}}},
        {.what = {{.stream_prefix = "rare-"}}},
        {.what = {{.tags = {"rare"}}, {.types = {"unknown"}}}},
        {.tenant = "small", .what = {{.types = {"test.happened"}}}},
    };
    for (const auto& filter : filters) {
        const auto all = log.log(filter, 0, 10);
        CHECK(positions(*all.batch) == std::vector<position>{50, 59'000});
        CHECK(all.at_end);
        const auto back = log.log(filter, 0, 10, direction::backward);
        CHECK(positions(*back.batch) == std::vector<position>{59'000, 50});
        CHECK(back.at_end);
    }
    const log_filter scanned{.what = {{.stream_prefix = "rar"}}};
    CHECK(log.log(scanned, 50, 10).batch->events.empty());
    CHECK(log.log(scanned, 50, 10).scanned_to == 50 + events_looked_at_max);
    CHECK(log.everything(scanned, direction::backward, 10) ==
          log.expected(scanned, direction::backward));
}

TEST_CASE("postgres reader: whatever is asked of the log, the answer is what its rules say",
          "[store][postgres]") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::minstd_rand random{seed};
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    const auto pick = [&](const char* start_of, int n) {
        return start_of + std::to_string(below(n));
    };
    written_log log;
    for (int i = 0; i < 1500; ++i) {
        written one{.tenant = pick("tenant", 2),
                    .stream = pick("cat", 4) + "-" + std::to_string(below(6)),
                    .type = pick("type", 5)};
        if (below(3) == 0) one.tags.push_back(pick("x", 3));
        if (below(30) == 0) one.tags.push_back(pick("y", 3));
        log.add(one);
    }
    log.write();
    log.now = start + 1500 * second;
    for (int i = 0; i < 12; ++i) {
        const auto of = pick("tenant", 2);
        stream_rules rules;
        if (below(2) == 0) rules.max_count = 1 + static_cast<std::uint64_t>(below(20));
        if (below(2) == 0) rules.max_age_us = (1 + below(1500)) * second;
        if (below(2) == 0) rules.truncate_before = 1 + static_cast<version>(below(20));
        if (below(3) == 0) rules.deleted_to = static_cast<version>(below(15));
        if (below(6) == 0) rules.deleted = deletion::soft;
        log.rule(of, "cat" + std::to_string(i % 4) + "-" + std::to_string(i / 4), rules);
    }
    for (position at = 1; at < log.head(); ++at) {
        if (!log.serves(at) && below(2) == 0) log.remove(at);
    }
    const auto some = [&](const char* start_of, int n, int one_in) {
        std::vector<std::string> all;
        while (below(one_in) == 0 && all.size() < 3) all.push_back(pick(start_of, n));
        return all;
    };
    for (int i = 0; i < 400; ++i) {
        log_filter filter;
        if (below(2) == 0) filter.tenant = pick("tenant", 2);
        if (below(4) == 0) filter.since = start + below(1700) * second;
        for (int clauses = below(4); clauses > 0; --clauses) {
            filter.what.push_back({.types = some("type", 6, 3),
                                   .tags = some(below(2) == 0 ? "x" : "y", 4, 2),
                                   .categories = some("cat", 5, 3),
                                   .stream_prefix = below(4) == 0   ? pick("cat", 4) + "-"
                                                    : below(4) == 0 ? "cat"
                                                                    : ""});
        }
        const std::size_t limit = i % 3 == 0 ? 1000 : 20 + static_cast<std::size_t>(below(80));
        for (const auto way : {direction::forward, direction::backward}) {
            INFO("filter " << i);
            CHECK(log.everything(filter, way, limit) == log.expected(filter, way));
        }
    }
}
