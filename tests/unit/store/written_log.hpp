// A log in PostgreSQL whose rows were put there by hand, and the same events in memory.
#pragma once

#include "base/names.hpp"
#include "store/event_checksum_impl.hpp"
#include "store/postgres/event_reader.hpp"
#include "store/postgres/migrations.hpp"
#include "store/read_limits_impl.hpp"
#include "store/stream_rules_impl.hpp"

#include "contract/harness.hpp"
#include "support/postgres.hpp"

#include <unistd.h>

#include <deque>
#include <map>

namespace postgres_test {

using namespace contract;                   // NOLINT: a test's vocabulary
using namespace flexcore::store::postgres;  // NOLINT
using store::direction;

inline constexpr unix_us start = 1'700'000'000'000'000;
inline constexpr unix_us second = 1'000'000;

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
        array_text position, stream, version, type, category, tenant, id, tags, metadata, data, sum,
            tag, tagged;
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
            sum.add(static_cast<std::int64_t>(
                event_checksum({.pos = event.pos,
                                .ver = event.ver,
                                .category = static_cast<std::uint64_t>(its_category),
                                .schema_version = event.schema_version,
                                .recorded_at = event.recorded_at,
                                .id = event.id,
                                .tags = its_tags,
                                .metadata = kept_[written_].from.metadata,
                                .data = event.data},
                               {.tenant = name_hash(event.tenant),
                                .stream = name_hash(event.stream),
                                .type = name_hash(event.type)})));
        }
        run("INSERT INTO events SELECT p, s, v, t, c, n, 3, 0, $1::bigint + p * $2::bigint, i, g,"
            " m, d, h FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],"
            " $7::bigint[], $8::bigint[], $9::uuid[], $10::text[], $11::text[], $12::text[],"
            " $13::bigint[]) AS a(p, s, v, t, c, n, i, g, m, d, h)",
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
                .add(data)
                .add(sum));
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
        return {.where = value(
                    read_conninfo(flexcore::test::postgres_url(), "", std::chrono::seconds{10})),
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

}  // namespace postgres_test
