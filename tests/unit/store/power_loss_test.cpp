// Power that fails at any moment: what was acknowledged holds, once, and what nobody was told of
// has happened wholly or not at all; what was taken away is never served again. The same seed gives
// the same run, as long as it is quick (100 ms after a stream's rules have changed the log writer
// reclaims beside it): FLEXCORE_POWER_SEED, FLEXCORE_POWER_CUTS.
#include "contract/harness.hpp"
#include "store/sqlite/event_log.hpp"
#include "store/sqlite/view_store.hpp"
#include "store/verify.hpp"
#include "unit/store/power_loss_follower.hpp"
#include "unit/store/power_loss_shown.hpp"
#include "unit/store/power_loss_vfs.hpp"
#include "unit/store/power_loss_writes.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <condition_variable>
#include <iostream>
#include <map>
#include <random>

using namespace power_loss_test;

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

class powered_store {
public:
    explicit powered_store(std::uint64_t seed) : random_{seed}, writes_{random_} {}
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
            while (!power_loss::cut()) write_some();
        }
        close();
        const auto lost = power_loss::lose_power(folder_.path(), random_);
        losses.files += lost.files;
        losses.dropped += lost.dropped;
        losses.kept += lost.kept;
        losses.torn += lost.torn;
        losses.sizes += lost.sizes;
        if (model_->head() > events_per_store_max || random_() % 40 == 0) start_anew();
    }
    void last_look() {
        power_loss::arm({});
        demand(open(), "the store does not open though the power stays");
        everything_holds();
        check_pages();
        close();
    }
    [[nodiscard]] std::uint64_t reclaimed() {
        return static_cast<std::uint64_t>(
            metrics_
                .counter_for("flexcore_store_reclaimed_events_total",
                             "Events removed because they were not served any more.")
                .value());
    }

    power_loss::losses losses;
    std::uint64_t stores = 1;
    std::uint64_t cut_while_opening = 0;
    std::uint64_t cut_while_reclaiming = 0;
    std::uint64_t made_again = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t changed = 0;  ///< of these, settings and deletions
    std::uint64_t there_unacknowledged = 0;
    std::uint64_t sent_again = 0;
    std::uint64_t verified = 0;

private:
    void demand(bool holds, const std::string& what) const {
        if (!holds) FAIL(what << " (" << model_->head() << " events)");
    }
    void demand_none(const std::optional<std::string>& difference) const {
        if (difference) demand(false, *difference);
    }
    /// False: it failed with the power, which is the only reason there is.
    template <class T>
    [[nodiscard]] bool done(const result<T>& answer) const {
        if (answer) return true;
        demand(power_loss::cut(), answer.error().client + " | " + answer.error().log);
        return false;
    }
    /// Anywhere, or within a sync: then whole commits are there or not that nobody was told of.
    power_loss::moment some_moment() {
        if (random_() % 2 == 0) return {.syncs = 1 + random_() % 25};
        return {.operations = 1 + random_() % (random_() % 3 == 0 ? 40 : 400)};
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
        if (!done(log)) return !++cut_while_opening;
        log_ = std::move(*log);
        // The log writer reclaims what is not served any more.
        housekeeping_is_over();
        if (power_loss::cut()) return !++cut_while_reclaiming;
        auto views = sqlite::open_views(
            {.folder = folder, .wal_bytes_max = wal_bytes_max, .vfs = power_loss::vfs()});
        if (!done(views)) return !++cut_while_opening;
        views_ = std::move(*views);
        follower_.emplace(*views_);
        if (!done(follower_->begin())) return !++cut_while_opening;
        log_->on_commit([this](const commit& made) { (void)follower_->take(made.batch->events); });
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
        in_doubt_.clear();
        model_.emplace();
        ++stores;
    }
    /// Asks and writes nothing: when it is answered, the log writer's housekeeping before is over.
    /// It reclaims in the first, and copies that into the database in the next.
    void housekeeping_is_over() {
        for (int i = 0; i < 3; ++i) (void)append(*log_, {.stream = "nothing", .events = {}});
    }

    /// A handful at once; the log writer writes them in one commit.
    void write_some() {
        std::vector<std::size_t> sent;
        for (std::size_t n = 1 + random_() % 6; n > 0; --n) {
            sent.push_back(tried_.size());
            tried_.push_back(writes_.next(*model_));
        }
        send(sent);
    }
    void send(const std::vector<std::size_t>& which) {
        std::mutex mutex;
        std::condition_variable answered;
        std::size_t open = which.size();
        std::vector<std::optional<result<append_outcome>>> answers(which.size());
        std::vector<event_log::queued> all;
        for (std::size_t i = 0; i < which.size(); ++i) {
            all.push_back({build(tried_[which[i]]), [&, i](result<append_outcome> answer) {
                               const std::lock_guard lock{mutex};
                               answers[i].emplace(std::move(answer));
                               if (--open == 0) answered.notify_one();
                           }});
        }
        log_->append_all(std::move(all));
        {
            std::unique_lock lock{mutex};
            answered.wait(lock, [&] { return open == 0; });
        }
        for (std::size_t i = 0; i < which.size(); ++i) take_answer(which[i], *answers[i]);
        housekeeping_is_over();
    }
    void take_answer(std::size_t of, const result<append_outcome>& answer) {
        tried& one = tried_[of];
        if (!answer && answer.error().code == store_errc::unavailable) {
            (void)done(answer);
            in_doubt_.push_back(of);
            return;
        }
        const auto wanted = tell(*model_, one);
        demand(answer_of(answer) == wanted,
               "answered otherwise than by what was acknowledged: " +
                   (answer ? fmt::format("position {}", answer->pos) : answer.error().client));
        if (one.became == tried::fate::open) {
            one.became = answer ? tried::fate::acknowledged : tried::fate::refused;
        }
        if (!answer) return;
        one.holds = true;
        ++acknowledged;
        if (one.change() != nullptr) ++changed;
    }

    /// What is read, against everything that was tried. The power may fail over it, by what the log
    /// writer does meanwhile: then the next life looks.
    void everything_holds() {
        const auto now = look_at(*log_);
        if (!done(now)) return;
        settle(*now);
        check_keys();
        spot_checks();
        if (!power_loss::cut()) check_views();
        if (!power_loss::cut() && random_() % 8 == 0) check_pages();
        if (!power_loss::cut()) send_some_again();
    }
    /// What had no answer was one commit: it is there as a whole, or not.
    void settle(const shown& now) {
        const auto without = difference(*model_, now);
        if (!without) return in_doubt_.clear();
        demand(!in_doubt_.empty(), *without);
        log_model with = *model_;
        for (const auto which : in_doubt_) {
            tried& one = tried_[which];
            const bool refused = static_cast<bool>(tell(with, one).code);
            one.holds = one.holds || !refused;
            if (!refused) ++there_unacknowledged;
        }
        const auto differs = difference(with, now);
        if (differs) demand(false, fmt::format("half of it is there: {} | {}", *without, *differs));
        model_.emplace(std::move(with));
        in_doubt_.clear();
    }
    /// A key is remembered with what it stands for, whatever has become of that since.
    void check_keys() {
        for (const auto& one : tried_) {
            if (one.append() == nullptr) continue;
            for (const auto& key : one.append()->keys) {
                const auto kept = log_->find_answer(tenant, key.name);
                if (!done(kept)) return;
                demand(kept->has_value() == one.holds, "a key is remembered without its events");
                demand(!*kept || (*kept)->answer == key.answer, "a key has another answer");
            }
        }
    }
    /// Other ways to what was taken away.
    void spot_checks() {
        for (int i = 0; i < 3; ++i) {
            const auto stream = stream_difference(*model_, *log_, writes_.busy_stream());
            if (!done(stream)) return;
            demand_none(*stream);
            if (model_->head() == 0) return;
            const auto event =
                event_difference(*model_, *log_, model_->log()[random_() % model_->head()]);
            if (!done(event)) return;
            demand_none(*event);
        }
    }
    /// What the power left, and what was made of it, has no page without its seal, and nothing is
    /// missing but what was removed.
    void check_pages() {
        const auto report = value(verify(folder_.path(), {}));
        for (const auto& one : report.findings) demand(false, one.file + ": " + one.what);
        ++verified;
    }
    void check_views() {
        const position upto = follower_->checkpoint();
        demand(upto <= model_->head(), "the read models are ahead of the log");
        if (upto == 0 && model_->head() != 0) ++made_again;
        std::map<std::string, std::string> rows;
        {
            auto reader = views_->read();
            if (!done(reader)) return;
            for (std::string cursor;;) {
                const auto page = (*reader)->scan(
                    tenant, "m", {.where = {}, .order = {{"n"}}, .limit = 100, .after = cursor});
                if (!done(page)) return;
                for (const auto& row : page->rows) rows[row.key] = row.json;
                cursor = page->next;
                if (cursor.empty()) break;
            }
        }
        demand_none(row_difference(*model_, upto, rows));
        const auto missed = log_->read_log({}, upto, 1000, direction::forward);
        if (done(missed)) (void)done(follower_->take(missed->batch->events));
    }

    /// With the same ids, whatever became of it the first time. Of what was answered one as well:
    /// its events may be removed by now.
    void send_some_again() {
        const std::size_t known = tried_.empty() ? 0 : random_() % tried_.size();
        for (std::size_t i = 0; i < tried_.size() && !power_loss::cut(); ++i) {
            if (tried_[i].append() == nullptr) continue;
            const bool unanswered = tried_[i].became == tried::fate::open && random_() % 3 == 0;
            const bool answered = tried_[i].became == tried::fate::acknowledged && i == known;
            if (!unanswered && !answered) continue;
            ++sent_again;
            send({i});
        }
    }

    std::mt19937_64 random_;
    some_writes writes_;
    folder_in_memory folder_;
    telemetry::metrics metrics_;
    telemetry::health_registry health_;
    std::atomic<unix_us> clock_{second};
    std::unique_ptr<event_log> log_;
    std::unique_ptr<view_store> views_;
    std::optional<follower> follower_;

    std::optional<log_model> model_{std::in_place};  ///< of what is known to have happened
    std::vector<tried> tried_;
    std::vector<std::size_t> in_doubt_;  ///< of these, what was under way when the power failed
};

}  // namespace

TEST_CASE(
    "power loss: what was acknowledged holds, everything else happened whole or not at all, and "
    "nothing removed comes back",
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
                     "power loss: {} stores, {} acknowledged ({} settings and deletions), {} found "
                     "there though not acknowledged, {} sent again, {} events reclaimed; {} cuts "
                     "while opening, {} while reclaiming; read models made again {} times; sectors "
                     "{} kept, {} dropped, {} writes torn, {} sizes lost",
                     store.stores, store.acknowledged, store.changed, store.there_unacknowledged,
                     store.sent_again, store.reclaimed(), store.cut_while_opening,
                     store.cut_while_reclaiming, store.made_again, lost.kept, lost.dropped,
                     lost.torn, lost.sizes)
              << std::endl;
    CHECK(store.acknowledged > cuts);
    CHECK(store.changed > cuts / 4);
    CHECK(store.reclaimed() > cuts);
    CHECK(lost.torn > cuts / 20);
    CHECK(lost.dropped > cuts / 10);
    CHECK(store.cut_while_opening > 0);
    CHECK(store.cut_while_reclaiming > 0);
    CHECK(store.verified > 0);
}
