// Power that fails at any moment: what was acknowledged is there, once, and everything else whole
// or not at all. The same seed gives the same run: FLEXCORE_POWER_SEED, FLEXCORE_POWER_CUTS.
#include "contract/harness.hpp"
#include "store/sqlite/event_log.hpp"
#include "store/sqlite/view_store.hpp"
#include "store/verify.hpp"
#include "unit/store/power_loss_vfs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <condition_variable>
#include <iostream>
#include <map>
#include <random>
#include <set>

using namespace contract;

namespace {

constexpr std::uint64_t cuts_wanted = POWER_CUTS;
constexpr std::size_t events_per_store_max = 400;
constexpr unix_us second = 1'000'000;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);  // NOLINT: before threads
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// In memory where that is possible: nothing here waits for a real disk.
class folder_in_memory {
public:
    folder_in_memory() {
        const std::filesystem::path memory = "/dev/shm";
        const auto below =
            std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
        path_ = below / fmt::format("flexcore-power-{}", ::getpid());
        empty();
    }
    ~folder_in_memory() { std::filesystem::remove_all(path_); }
    folder_in_memory(const folder_in_memory&) = delete;
    folder_in_memory& operator=(const folder_in_memory&) = delete;
    void empty() const {
        std::filesystem::remove_all(path_);
        std::filesystem::create_directories(path_);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// What a follower of the log makes of it: a row per stream. On the log writer's thread, so that
/// the order of what is written does not depend on threads.
class follower {
public:
    explicit follower(view_store& views) : views_{views} {}

    /// Fails only when the power has.
    result<void> begin() {
        auto all = views_.generations();
        if (!all) return fail(all.error());
        if (all->empty()) {
            auto made = views_.create("p", 1, {{"m", {"n"}}});
            if (!made) return fail(made.error());
            generation_ = *made;
        } else {
            generation_ = all->front();
        }
        return {};
    }
    result<void> take(std::span<const recorded_event> events) {
        if (events.empty()) return {};
        auto change = views_.begin(generation_.id, generation_.checkpoint);
        if (!change) return fail(change.error());
        for (const auto& event : events) {
            const std::string key = fmt::format("{}/{}", event.tenant, event.stream);
            const auto json =
                fmt::format(R"({{"n":{},"id":"{}"}})", event.ver, event.id.to_string());
            if (auto ok = (*change)->put(tenant, "m", key, json, event.pos); !ok) return ok;
        }
        if (auto ok = (*change)->commit(events.back().pos); !ok) return ok;
        generation_.checkpoint = events.back().pos;
        return {};
    }
    [[nodiscard]] position checkpoint() const { return generation_.checkpoint; }

private:
    view_store& views_;
    generation generation_;
};

struct tried {
    request what;
    bool acknowledged = false;
    bool refused = false;
    bool surprising = false;  ///< answered with something that no power loss explains
    append_outcome outcome;
};

class powered_store {
public:
    explicit powered_store(std::uint64_t seed) : random_{seed} {}
    ~powered_store() {
        close();
        power_loss::forget();
    }
    powered_store(const powered_store&) = delete;
    powered_store& operator=(const powered_store&) = delete;

    /// One life, from opening to the cut.
    void live() {
        power_loss::arm(some_moment());
        if (open()) {
            everything_holds();
            while (!power_loss::cut()) append_some();
        }
        close();
        const auto lost = power_loss::lose_power(folder_.path(), random_);
        losses.files += lost.files;
        losses.dropped += lost.dropped;
        losses.kept += lost.kept;
        losses.torn += lost.torn;
        losses.sizes += lost.sizes;
        if (log_events_ > events_per_store_max || random_() % 40 == 0) start_anew();
    }
    void last_look() {
        power_loss::arm({});
        demand(open(), "the store does not open though the power stays");
        everything_holds();
        close();
    }

    power_loss::losses losses;
    std::uint64_t stores = 1;
    std::uint64_t cut_while_opening = 0;
    std::uint64_t made_again = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t there_unacknowledged = 0;
    std::uint64_t sent_again = 0;
    std::uint64_t verified = 0;

private:
    void demand(bool holds, const std::string& what) const {
        if (!holds) FAIL(what << " (" << log_events_ << " events)");
    }
    /// Anywhere, or within a sync: then whole commits are there or not that nobody was told of.
    power_loss::moment some_moment() {
        if (random_() % 2 == 0) return {.syncs = 1 + random_() % 25};
        return {.operations = 1 + random_() % (random_() % 3 == 0 ? 40 : 400)};
    }
    template <class T>
    [[nodiscard]] bool opened(const result<T>& answer) {
        if (answer) return true;
        demand(power_loss::cut(), answer.error().client + " | " + answer.error().log);
        ++cut_while_opening;
        return false;
    }

    bool open() {
        auto folder = value(data_folder::open(folder_.path()));
        // Either every commit is copied into the database at once or none is: in between, it would
        // depend on threads.
        const std::uint64_t wal_bytes_max = random_() % 2 == 0 ? 0 : 1U << 30;
        auto log = sqlite::open_log({.folder = folder,
                                     .limits = {},
                                     .wal_bytes_max = wal_bytes_max,
                                     .vfs = power_loss::vfs(),
                                     .clock = [this] { return clock_ += second; }},
                                    metrics_, health_);
        if (!opened(log)) return false;
        log_ = std::move(*log);
        auto views = sqlite::open_views(
            {.folder = folder, .wal_bytes_max = wal_bytes_max, .vfs = power_loss::vfs()});
        if (!opened(views)) return false;
        views_ = std::move(*views);
        follower_.emplace(*views_);
        if (!opened(follower_->begin())) return false;
        log_->on_commit([this](const commit& done) { (void)follower_->take(done.batch->events); });
        return true;
    }
    void close() {
        if (log_) log_->stop();
        if (views_) views_->stop();
        follower_.reset();
        views_.reset();
        log_.reset();
    }
    void start_anew() {
        power_loss::forget();
        folder_.empty();
        tried_.clear();
        seen_.clear();
        log_events_ = 0;
        next_stream_ = 0;
        ++stores;
    }

    uuid fresh_id() {
        uuid made;
        for (auto& byte : made.bytes) byte = static_cast<std::uint8_t>(random_());
        return made;
    }
    std::string some_stream() {
        // A new one now and then: expected to be absent, and its names are written too.
        if (random_() % 5 == 0) return fmt::format("s{}-{}", random_() % 3, ++next_stream_);
        return fmt::format("s{}-{}", random_() % 3, random_() % 6 + 1'000'000);
    }
    expected_version some_expectation(const std::string& stream) {
        switch (random_() % 4) {
            case 0: {
                const auto at_version = versions_[stream];
                return at_version == 0 ? none : at(at_version);
            }
            case 1:
                return random_() % 3 == 0 ? none : any;
            default:
                return any;
        }
    }
    request some_request() {
        request made;
        std::set<std::string> streams{some_stream()};
        while (random_() % 4 == 0) streams.insert(some_stream());
        for (const auto& stream : streams) {
            to_stream one{.stream = stream, .expected = some_expectation(stream), .events = {}};
            for (std::size_t n = 1 + random_() % 3; n > 0; --n) {
                const std::size_t bytes = random_() % 10 == 0 ? random_() % 9000 : random_() % 200;
                one.events.push_back({.type = fmt::format("t.{}", random_() % 4),
                                      .tags = {fmt::format("k:{}", random_() % 30)},
                                      .data = '"' + std::string(bytes, 'x') + '"',
                                      .id = fresh_id()});
            }
            made.appends.push_back(std::move(one));
        }
        if (random_() % 3 == 0) {
            made.condition = append_condition{
                .none_match = {{.tags = {made.appends.front().events.front().tags.front()}}},
                .after = log_->head() - std::min<position>(log_->head(), random_() % 20)};
        }
        if (random_() % 3 == 0) {
            made.keys.push_back({.name = fmt::format("key-{}", fresh_id().to_string()),
                                 .answer = fmt::format("answer {}", random_()),
                                 // None expires: the housekeeping has its own time.
                                 .keep_us = 1'000'000 * second});
        }
        return made;
    }

    /// A handful at once; the log writer writes them in one commit.
    void append_some() {
        std::vector<std::size_t> sent;
        for (std::size_t n = 1 + random_() % 6; n > 0; --n) {
            sent.push_back(tried_.size());
            tried_.push_back({.what = some_request()});
        }
        send(sent);
    }
    void send(const std::vector<std::size_t>& which) {
        std::mutex mutex;
        std::condition_variable changed;
        std::size_t open = which.size();
        std::vector<event_log::queued> all;
        for (const std::size_t one : which) {
            all.push_back({build(tried_[one].what), [&, one](result<append_outcome> answer) {
                               const std::lock_guard lock{mutex};
                               take_answer(tried_[one], std::move(answer));
                               if (--open == 0) changed.notify_one();
                           }});
        }
        log_->append_all(std::move(all));
        {
            std::unique_lock lock{mutex};
            changed.wait(lock, [&] { return open == 0; });
        }
        // Asks and writes nothing: when it is answered, the log writer's housekeeping is over.
        (void)append(*log_, {.stream = "nothing", .events = {}});
    }
    void take_answer(tried& of, result<append_outcome> answer) {
        if (answer) {
            of.acknowledged = true;
            of.outcome = std::move(*answer);
            ++acknowledged;
            for (std::size_t i = 0; i < of.outcome.appends.size(); ++i) {
                versions_[of.what.appends[i].stream] = of.outcome.appends[i].last_version;
            }
            return;
        }
        const auto code = answer.error().code;
        of.refused = code == store_errc::version_conflict || code == store_errc::condition_failed;
        of.surprising = !of.refused && !power_loss::cut();
    }

    struct stored {
        position pos = 0;
        version ver = 0;
        std::string stream, data;
        std::vector<std::string> tags;
    };

    /// The log as it is read, against everything that was tried.
    void everything_holds() {
        std::map<uuid, stored> found;
        read_all(found);
        for (auto& one : tried_) check(one, found);
        for (const auto& [id, pos] : seen_) {
            const auto again = found.find(id);
            demand(again != found.end() && again->second.pos == pos,
                   "an event that was read is there no more");
        }
        for (const auto& [id, event] : found) seen_[id] = event.pos;
        if (!power_loss::cut()) check_views(found);
        if (!power_loss::cut() && random_() % 8 == 0) check_pages();
        if (!power_loss::cut()) send_some_again(found);
    }

    /// What the power left, and what was made of it, has no page without its seal.
    void check_pages() {
        const auto report = value(verify(folder_.path(), {}));
        for (const auto& one : report.findings) demand(false, one.file + ": " + one.what);
        ++verified;
    }

    void read_all(std::map<uuid, stored>& found) {
        versions_.clear();
        unix_us last_time = 0;
        position expected = 0;
        for (position after = 0;;) {
            const auto page = value(log_->read_log({}, after, 1000, direction::forward));
            for (const auto& event : page.batch->events) {
                demand(event.pos == ++expected, fmt::format("a gap before {}", event.pos));
                const std::string stream{event.stream};
                demand(event.ver == ++versions_[stream], stream + " has a gap");
                demand(event.recorded_at >= last_time, "the time goes back");
                last_time = event.recorded_at;
                const bool once =
                    found
                        .try_emplace(event.id, stored{event.pos,
                                                      event.ver,
                                                      stream,
                                                      std::string{event.data},
                                                      {event.tags.begin(), event.tags.end()}})
                        .second;
                demand(once, "an event is there twice");
            }
            if (page.at_end) break;
            after = page.scanned_to;
        }
        demand(log_->head() == expected, "the head is not the last event");
        log_events_ = expected;
    }

    void check(tried& one, const std::map<uuid, stored>& found) {
        demand(!one.surprising, "an append is answered as no power loss explains");
        std::size_t there = 0;
        std::size_t wanted = 0;
        position first = 0;
        for (std::size_t a = 0; a < one.what.appends.size(); ++a) {
            const auto& append = one.what.appends[a];
            version ver = one.acknowledged ? one.outcome.appends.at(a).first_version : 0;
            for (const auto& event : append.events) {
                ++wanted;
                const auto at_id = found.find(event.id);
                if (at_id == found.end()) continue;
                ++there;
                const stored& is = at_id->second;
                demand(is.stream == append.stream && is.data == event.data && is.tags == event.tags,
                       "an event is not what was sent");
                demand(!one.acknowledged || is.ver == ver++, "an event has another version");
                if (first == 0) {
                    first = is.pos;
                    const auto& expected = append.expected;
                    demand(expected.what != rule::exact || is.ver == expected.exact + 1,
                           "an expected version did not hold");
                    demand(expected.what != rule::none || is.ver == 1,
                           "a stream was there already");
                }
            }
        }
        if (one.acknowledged) {
            demand(there == wanted,
                   fmt::format("acknowledged and lost: {} of {}", wanted - there, wanted));
            demand(one.outcome.appends.front().first_position == first,
                   "an event has another position");
        }
        demand(there == 0 || there == wanted, "half an append is there");
        demand(!one.refused || there == 0, "what was refused is there");
        if (there != 0 && !one.acknowledged) ++there_unacknowledged;
        if (there != 0 && one.what.condition) check_condition(one, first, found);
        for (const auto& key : one.what.keys) check_key(key, there != 0);
    }
    void check_condition(const tried& one, position first, const std::map<uuid, stored>& found) {
        const auto& tag = one.what.condition->none_match.front().tags.front();
        for (const auto& [id, event] : found) {
            const bool matches = event.tags.front() == tag;
            demand(!matches || event.pos <= one.what.condition->after || event.pos >= first,
                   "a condition did not hold");
        }
    }
    void check_key(const key& one, bool there) {
        const auto kept = value(log_->find_answer(tenant, one.name));
        demand(kept.has_value() == there, "a key is remembered otherwise than its events");
        demand(!kept || kept->answer == one.answer, "a key has another answer");
    }

    void check_views(const std::map<uuid, stored>& found) {
        const position upto = follower_->checkpoint();
        demand(upto <= log_events_, "the read models are ahead of the log");
        if (upto == 0 && log_events_ != 0) ++made_again;
        std::map<std::string, std::pair<version, std::string>> expected;
        for (const auto& [id, event] : found) {
            auto& row = expected[fmt::format("{}/{}", tenant, event.stream)];
            if (event.pos <= upto && event.ver > row.first) row = {event.ver, id.to_string()};
        }
        std::erase_if(expected, [](const auto& row) { return row.second.first == 0; });
        std::size_t rows = 0;
        {
            auto reader = value(views_->read());
            for (std::string cursor;;) {
                const auto page = value(reader->scan(
                    tenant, "m", {.where = {}, .order = {{"n"}}, .limit = 100, .after = cursor}));
                for (const auto& row : page.rows) {
                    ++rows;
                    const auto& [ver, id] = expected[row.key];
                    demand(row.json == fmt::format(R"({{"n":{},"id":"{}"}})", ver, id),
                           "a row is not what the log says at its checkpoint");
                }
                cursor = page.next;
                if (cursor.empty()) break;
            }
        }
        demand(rows == expected.size(), "rows and checkpoint do not belong together");
        const auto missed = value(log_->read_log({}, upto, 1000, direction::forward));
        const auto caught_up = follower_->take(missed.batch->events);
        demand(caught_up || power_loss::cut(), "the read models cannot catch up");
    }

    /// With the same ids, whatever became of it the first time.
    void send_some_again(const std::map<uuid, stored>& found) {
        for (std::size_t i = 0; i < tried_.size() && !power_loss::cut(); ++i) {
            if (tried_[i].acknowledged || tried_[i].refused || random_() % 3 != 0) continue;
            ++sent_again;
            const bool there = found.contains(tried_[i].what.appends.front().events.front().id);
            send({i});
            const auto& after = tried_[i];
            demand(!there || power_loss::cut() || after.outcome.repeated ||
                       after.outcome.stored_answer.has_value(),
                   "what is there already is not known when it is sent again");
            if (after.outcome.stored_answer) {
                tried_.erase(tried_.begin() + static_cast<std::ptrdiff_t>(i--));
            }
        }
    }

    std::mt19937_64 random_;
    folder_in_memory folder_;
    telemetry::metrics metrics_;
    telemetry::health_registry health_;
    std::atomic<unix_us> clock_{second};
    std::unique_ptr<event_log> log_;
    std::unique_ptr<view_store> views_;
    std::optional<follower> follower_;

    std::vector<tried> tried_;
    std::map<uuid, position> seen_;
    std::map<std::string, version> versions_;
    std::size_t log_events_ = 0;
    std::size_t next_stream_ = 0;
};

}  // namespace

TEST_CASE("power loss: what was acknowledged is there once, everything else whole or not at all",
          "[store][power]") {
    const auto seed = number_from("FLEXCORE_POWER_SEED", std::random_device{}());
    const auto cuts = number_from("FLEXCORE_POWER_CUTS", cuts_wanted);
    std::cout << fmt::format("power loss: seed {}, {} cuts", seed, cuts) << std::endl;
    powered_store store{seed};
    for (std::uint64_t cut = 1; cut <= cuts; ++cut) {
        INFO("seed " << seed << ", cut " << cut);
        store.live();
    }
    store.last_look();
    const auto& lost = store.losses;
    std::cout << fmt::format(
                     "power loss: {} stores, {} acknowledged, {} found there though not "
                     "acknowledged, {} sent again; {} cuts while opening; read models made again "
                     "{} times; sectors {} kept, {} dropped, {} writes torn, {} sizes lost",
                     store.stores, store.acknowledged, store.there_unacknowledged, store.sent_again,
                     store.cut_while_opening, store.made_again, lost.kept, lost.dropped, lost.torn,
                     lost.sizes)
              << std::endl;
    CHECK(store.acknowledged > cuts);
    CHECK(lost.torn > cuts / 20);
    CHECK(lost.dropped > cuts / 10);
    CHECK(store.cut_while_opening > 0);
    CHECK(store.verified > 0);
}
