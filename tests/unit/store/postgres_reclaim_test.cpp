// reclaim_step (migrations/postgres/0004_reclaiming.sql): what it removes of streams with rules of
// every kind, and what it leaves.
#include "unit/store/written_log.hpp"

#include <pqxx/result>
#include <pqxx/row>

#include <random>
#include <set>

using namespace postgres_test;

namespace {

using stream_name = std::pair<std::string, std::string>;  // tenant and stream

const std::string kept_category = "kept";
constexpr int steps_max = 10'000;
constexpr unix_us ids_kept = 25 * 3600 * second;

/// A log that grows, and whose streams' rules change, as the dice say.
class reclaimed_log {
public:
    explicit reclaimed_log(unsigned seed) : random_{seed} {
        log_.run("INSERT INTO kept_categories VALUES ($1)", params{}.add(kept_category));
    }

    /// The last event's stream is among those whose rules change: it does not serve it any more.
    void grow_and_change_rules() {
        std::set<stream_name> changed;
        stream_name last;
        for (int i = 100 + below(200); i > 0; --i) {
            const stream_name to{pick("tenant", 2), category() + "-" + std::to_string(below(6))};
            auto& known = streams_[to];
            if (known.rules.deleted == deletion::forever) continue;
            if (known.rules.deleted == deletion::soft) {
                known.rules.deleted = deletion::none;
                changed.insert(to);
            }
            written one{.tenant = to.first, .stream = to.second};
            if (below(2) == 0) one.tags.push_back(pick("x", 3));
            if (below(4) == 0) one.tags.push_back(pick("y", 3));
            stream_of_.push_back(to);
            log_.add(one);
            ++known.last;
            last = to;
        }
        log_.write();
        log_.run("UPDATE log_head SET position = $1", params{}.add(log_.head()));
        for (auto& [name, known] : streams_) {
            if (known.last == 0 || below(3) != 0) continue;
            change(known);
            changed.insert(name);
        }
        hide_all(streams_.at(last));
        changed.insert(last);
        for (const auto& name : changed) save(name);
    }

    /// One pass while time goes on or is told by another clock, one at a single moment: then
    /// nothing is left but what must stay.
    void reclaim() {
        there_ = positions_there();
        pass([this] { return some_moment(); });
        const auto moment = some_moment();
        std::vector<position> expected;
        for (const auto at : there_) {
            if (serves(at, moment) || stays(at)) expected.push_back(at);
        }
        pass([moment] { return moment; });
        CHECK(there_ == expected);
        check_traces();
    }

    // How many events that are not served have stayed for each reason.
    std::size_t stayed_as_head = 0;
    std::size_t stayed_as_last = 0;
    std::size_t stayed_by_category = 0;
    std::size_t deleted_and_removed = 0;
    std::size_t removed_by_settings = 0;

private:
    struct known_stream {
        version last = 0;
        stream_rules rules;
    };

    int below(std::size_t n) { return static_cast<int>(random_() % n); }
    std::string pick(const char* start_of, std::size_t n) {
        return start_of + std::to_string(below(n));
    }
    std::string category() { return below(4) == 0 ? kept_category : pick("cat", 2); }
    /// Often just when some event is as old as its stream's rule allows.
    unix_us some_moment() {
        if (below(4) == 0) return start + below(3 * log_.head()) * second;
        const auto at = 1 + static_cast<position>(below(log_.head()));
        return log_.event(at).recorded_at + streams_.at(stream_of_[at - 1]).rules.max_age_us;
    }

    void change(known_stream& of) {
        auto& rules = of.rules;
        const auto chance = below(10);
        if (rules.deleted == deletion::none && chance < 8) {
            rules.max_count = below(2) == 0 ? 1 + static_cast<unsigned>(below(of.last + 2)) : 0;
            rules.max_age_us = below(2) == 0 ? (1 + below(log_.head())) * second : 0;
            rules.truncate_before =
                below(2) == 0 ? 1 + static_cast<unsigned>(below(of.last + 2)) : 0;
            return;
        }
        rules.deleted = chance == 9 ? deletion::forever : std::max(rules.deleted, deletion::soft);
        rules.deleted_to = of.last;
    }
    void hide_all(known_stream& of) {
        if (below(2) == 0) {
            of.rules.truncate_before = of.last + 1;
        } else {
            of.rules.deleted = std::max(of.rules.deleted, deletion::soft);
            of.rules.deleted_to = of.last;
        }
    }
    void save(const stream_name& name) {
        const auto& rules = streams_.at(name).rules;
        log_.run(
            "INSERT INTO stream_rules SELECT s.id, t.id, $3, $4, $5, $6, $7, 1 FROM streams s "
            "JOIN names t ON t.id = s.tenant WHERE t.name = $1 AND s.name = $2 "
            "ON CONFLICT (stream) DO UPDATE SET max_age_us = excluded.max_age_us, "
            "max_count = excluded.max_count, truncate_before = excluded.truncate_before, "
            "deleted = excluded.deleted, deleted_to = excluded.deleted_to",
            params{}
                .add(name.first)
                .add(name.second)
                .add(rules.max_age_us)
                .add(rules.max_count)
                .add(rules.truncate_before)
                .add(static_cast<int>(rules.deleted))
                .add(rules.deleted_to));
    }

    /// Whether the rules, or the category, want it to be there.
    [[nodiscard]] bool serves(position at, unix_us moment) const {
        const auto& event = log_.event(at);
        const auto& [last, rules] = streams_.at(stream_of_[at - 1]);
        if (rules.serves(event.ver, event.recorded_at, last, moment)) return true;
        return category_of(event.stream) == kept_category && rules.deleted == deletion::none &&
               event.ver > rules.deleted_to;
    }
    /// Though it is not served.
    [[nodiscard]] bool stays(position at) const {
        const auto& [last, rules] = streams_.at(stream_of_[at - 1]);
        const auto ver = log_.event(at).ver;
        return at == log_.head() || (ver == last && ver > rules.deleted_to);
    }

    [[nodiscard]] std::vector<position> positions_there() {
        std::vector<position> all;
        for (const auto& row :
             value(log_.session().run_once("SELECT position FROM events ORDER BY position", {}))) {
            all.push_back(row[0].as<position>());
        }
        return all;
    }

    /// Steps of any size until no stream is left, each looked at.
    template <class Clock>
    void pass(Clock clock) {
        std::uint64_t after = 0;
        for (int steps = 0;; ++steps) {
            REQUIRE(steps < steps_max);
            const auto moment = clock();
            const auto events_max = 1 + below(30);
            const auto rows = value(log_.session().run_once(
                "SELECT stream_id, removed FROM reclaim_step($1, $2, $3, $4, $5)",
                params{}
                    .add(after)
                    .add(moment)
                    .add(moment + ids_kept)
                    .add(events_max)
                    .add(1 + below(8))));
            const auto was_there = std::exchange(there_, positions_there());
            const std::set<position> left{there_.begin(), there_.end()};
            std::size_t removed = 0;
            for (const auto at : was_there) {
                if (left.contains(at)) continue;
                INFO("position " << at << " at " << moment);
                CHECK_FALSE(serves(at, moment));
                CHECK_FALSE(stays(at));
                forget_at_[at] = moment + ids_kept;
                ++removed;
            }
            CHECK(was_there.size() == there_.size() + removed);
            CHECK(rows[0][1].template as<std::size_t>() == removed);
            CHECK(removed <= static_cast<std::size_t>(events_max));
            if (rows[0][0].is_null()) return;
            const auto next = rows[0][0].template as<std::uint64_t>();
            REQUIRE((next > after || removed > 0));
            REQUIRE(next >= after);
            after = next;
        }
    }

    /// What is gone is in holes that do not meet, its id is known, its tags are gone; nothing else.
    void check_traces() {
        std::set<position> gone;
        for (position at = 1; at <= log_.head(); ++at) gone.insert(gone.end(), at);
        std::size_t tags_left = 0;
        for (const auto at : there_) {
            gone.erase(at);
            tags_left += log_.event(at).tags.size();
        }
        std::set<position> in_holes;
        position above = 0;
        for (const auto& row :
             value(log_.session().run_once("SELECT first, last FROM holes ORDER BY first", {}))) {
            CHECK(row[0].as<position>() > above);
            for (above = row[0].as<position>(); above <= row[1].as<position>(); ++above)
                in_holes.insert(above);
        }
        CHECK(in_holes == gone);
        std::set<position> with_id;
        for (const auto& row : value(log_.session().run_once(
                 "SELECT r.position, r.version, r.id, r.recorded_at, r.forget_at, s.name, t.name "
                 "FROM removed_ids r JOIN streams s ON s.id = r.stream "
                 "JOIN names t ON t.id = r.tenant",
                 {}))) {
            const auto at = row[0].as<position>();
            with_id.insert(at);
            REQUIRE(gone.contains(at));
            const auto& event = log_.event(at);
            CHECK(row[1].as<version>() == event.ver);
            CHECK(row[2].as<std::string>() == event.id.to_string());
            CHECK(row[3].as<unix_us>() == event.recorded_at);
            CHECK(row[4].as<unix_us>() == forget_at_.at(at));
            CHECK(row[5].as<std::string>() == event.stream);
            CHECK(row[6].as<std::string>() == event.tenant);
        }
        CHECK(with_id == gone);
        const auto tags = value(log_.session().run_once(
            "SELECT count(*), count(*) FILTER (WHERE position IN (SELECT position FROM events)) "
            "FROM event_tags",
            {}));
        CHECK(tags[0][0].as<std::size_t>() == tags_left);
        CHECK(tags[0][1].as<std::size_t>() == tags_left);
        count(gone);
    }
    void count(const std::set<position>& gone) {
        for (const auto at : gone) {
            const bool deleted =
                log_.event(at).ver <= streams_.at(stream_of_[at - 1]).rules.deleted_to;
            ++(deleted ? deleted_and_removed : removed_by_settings);
        }
        for (const auto at : there_) {
            const auto& [last, rules] = streams_.at(stream_of_[at - 1]);
            if (log_.event(at).ver >= rules.first_served(last)) continue;
            ++(at == log_.head()            ? stayed_as_head
               : log_.event(at).ver == last ? stayed_as_last
                                            : stayed_by_category);
        }
    }

    std::minstd_rand random_;
    written_log log_;
    std::map<stream_name, known_stream> streams_;
    std::vector<stream_name> stream_of_;  ///< by position
    std::vector<position> there_;
    std::map<position, unix_us> forget_at_;
};

}  // namespace

TEST_CASE("postgres reclaim: what is not served goes, nothing else, whatever the rules and steps",
          "[store][postgres][reclaim]") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::size_t as_head = 0;
    std::size_t as_last = 0;
    std::size_t by_category = 0;
    std::size_t deleted = 0;
    std::size_t by_settings = 0;
    for (unsigned number = 0; number < 3; ++number) {
        reclaimed_log log{seed + number};
        for (int round = 0; round < 6; ++round) {
            INFO("log " << number << ", round " << round);
            log.grow_and_change_rules();
            log.reclaim();
        }
        as_head += log.stayed_as_head;
        as_last += log.stayed_as_last;
        by_category += log.stayed_by_category;
        deleted += log.deleted_and_removed;
        by_settings += log.removed_by_settings;
    }
    // Each reason has had its turn.
    CHECK(as_head > 0);
    CHECK(as_last > 0);
    CHECK(by_category > 0);
    CHECK(deleted > 0);
    CHECK(by_settings > 0);
}
