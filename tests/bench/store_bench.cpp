// The store without HTTP, against a plain loop over SQLite with the same schema, in turn.
//
//   store_bench [rounds] [events per round] [folder]
//
// Prints one line per row and round, then the medians. Everything durable (WAL, synchronous=FULL).
#include "store/open.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/migrations.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace flexcore;
using namespace flexcore::store;

namespace {

constexpr std::size_t stream_count = 10'000;
constexpr std::size_t events_per_append = 100;
constexpr std::size_t appends_in_flight = 16;
const std::string payload = "{\"text\":\"" + std::string(180, 'p') + "\"}";
const std::string type_names[] = {"bench.one", "bench.two", "bench.three"};

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "store_bench: %s\n", why.c_str());
    std::exit(1);
}

template <class T>
T must(result<T> answer) {
    if (!answer) give_up(answer.error().client + " | " + answer.error().log);
    if constexpr (!std::is_void_v<T>) return std::move(*answer);
}

double seconds_since(monotonic::time_point started) {
    return std::chrono::duration<double>(monotonic::now() - started).count();
}

std::string stream_name(std::size_t number) { return "bench.stream-" + std::to_string(number); }

struct opened {
    telemetry::metrics metrics;
    telemetry::health_registry health;
    opened_store store;
    explicit opened(const std::filesystem::path& data) {
        store_settings settings;
        settings.data = data;
        store = must(open_store(settings, metrics, health));
    }
    ~opened() {
        store.log->stop();
        store.views->stop();
    }
};

/// Texts of one append, made before the clock runs.
struct prepared_append {
    std::string stream;
    std::string tag;
    std::vector<std::string_view> tags;
    std::vector<new_event> events;
};

std::shared_ptr<prepared_append> prepare(std::size_t stream, std::size_t count, bool random_ids,
                                         std::mt19937_64& random) {
    auto made = std::make_shared<prepared_append>();
    made->stream = stream_name(stream);
    made->tag = "group:" + std::to_string(stream % 100);
    made->tags = {made->tag};
    for (std::size_t i = 0; i < count; ++i) {
        new_event event{.id = {},
                        .type = type_names[i % 3],
                        .data = payload,
                        .metadata = "{}",
                        .tags = made->tags};
        if (random_ids) {
            const std::uint64_t halves[] = {random(), random()};
            std::memcpy(event.id.bytes.data(), halves, 16);
        }
        made->events.push_back(event);
    }
    return made;
}

append_request to_request(const std::shared_ptr<prepared_append>& from) {
    append_request made;
    made.tenant = "default";
    made.appends = {{from->stream, {}, from->events}};
    made.backing = from;
    return made;
}

/// Appends as a closed loop: so many in flight, the next sent by each answer.
double append_events(event_log& log, const std::vector<std::shared_ptr<prepared_append>>& work,
                     std::size_t in_flight) {
    std::mutex mutex;
    std::condition_variable done;
    std::atomic<std::size_t> next{0};
    std::size_t answered = 0;
    std::function<void()> send = [&] {
        const std::size_t mine = next.fetch_add(1);
        if (mine >= work.size()) return;
        log.append(to_request(work[mine]), [&](result<append_outcome> answer) {
            if (!answer) give_up(answer.error().client);
            send();
            std::lock_guard lock{mutex};
            if (++answered == work.size()) done.notify_one();
        });
    };
    const auto started = monotonic::now();
    for (std::size_t i = 0; i < in_flight; ++i) send();
    std::unique_lock lock{mutex};
    done.wait(lock, [&] { return answered == work.size(); });
    return seconds_since(started);
}

/// The baseline: prepared statements, bound and stepped row by row, a commit per `per_commit`
/// events; checkpoints by the same connection.
class plain_loop {
public:
    explicit plain_loop(const std::filesystem::path& folder) {
        std::filesystem::create_directories(folder);
        db_ = must(sqlite::connection::open({.file = folder / "plain.db",
                                             .mode = sqlite::access::read_write,
                                             .cache_kib = 32 * 1024}));
        must(sqlite::migrate(db_, sqlite::event_migrations(), sqlite::event_log_application));
        must(db_.execute("PRAGMA wal_autocheckpoint=8000"));
        must(db_.prepare(insert_, "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
        must(db_.prepare(tag_, "INSERT INTO event_tags VALUES (?,?)"));
        must(db_.prepare(begin_, "BEGIN IMMEDIATE"));
        must(db_.prepare(commit_, "COMMIT"));
    }
    double append(std::size_t events, std::size_t per_append, std::size_t per_commit,
                  bool random_ids, std::mt19937_64& random) {
        const auto started = monotonic::now();
        for (std::size_t written = 0; written < events;) {
            must(db_.run(begin_, "begin"));
            for (std::size_t in_commit = 0; in_commit < per_commit && written < events;) {
                const std::size_t stream = random() % stream_count;
                for (std::size_t i = 0; i < per_append; ++i, ++in_commit, ++written) {
                    insert(stream, i, random_ids, random);
                }
            }
            must(db_.run(commit_, "commit"));
        }
        return seconds_since(started);
    }

private:
    void insert(std::size_t stream, std::size_t i, bool random_ids, std::mt19937_64& random) {
        uuid id;
        if (random_ids) {
            const std::uint64_t halves[] = {random(), random()};
            std::memcpy(id.bytes.data(), halves, 16);
        } else {
            id = uuid_v7();
        }
        ++position_;
        insert_.bind(1, position_)
            .bind(2, std::uint64_t{stream + 1})
            .bind(3, ++versions_[stream])
            .bind(4, std::uint64_t{1 + i % 3})
            .bind(5, std::uint64_t{1})
            .bind(6, std::uint64_t{1})
            .bind(7, std::uint64_t{1})
            .bind(8, std::uint64_t{i})
            .bind(9, std::int64_t{now_unix_us()})
            .bind(10, random())
            .bind(11, id)
            .bind_blob(12, "\x08group:12")
            .bind(13, std::string_view{})
            .bind(14, std::string_view{payload});
        must(db_.run(insert_, "insert"));
        tag_.bind(1, std::uint64_t{1 + stream % 100}).bind(2, position_);
        must(db_.run(tag_, "tag"));
    }

    sqlite::connection db_;
    sqlite::statement insert_, tag_, begin_, commit_;
    position position_ = 0;
    std::vector<version> versions_ = std::vector<version>(stream_count);
};

class report {
public:
    void add(const std::string& row, double per_second) {
        std::printf("%-52s %12.0f /s\n", row.c_str(), per_second);
        std::fflush(stdout);
        seen_[row].push_back(per_second);
    }
    [[nodiscard]] double median(const std::string& row) {
        auto& all = seen_[row];
        std::sort(all.begin(), all.end());
        return all.empty() ? 0 : all[all.size() / 2];
    }
    void ratio(const std::string& ours, const std::string& theirs) {
        std::printf("%-52s %11.2f x\n", (ours + " : " + theirs).c_str(),
                    median(ours) / median(theirs));
    }
    void medians() {
        std::printf("\nmedians\n");
        for (const auto& [row, all] : seen_) {
            std::printf("%-52s %12.0f /s\n", row.c_str(), median(row));
        }
    }

private:
    std::map<std::string, std::vector<double>> seen_;
};

std::vector<std::shared_ptr<prepared_append>> make_work(std::size_t events, std::size_t per_append,
                                                        bool random_ids, std::mt19937_64& random) {
    std::vector<std::shared_ptr<prepared_append>> work;
    for (std::size_t made = 0; made < events; made += per_append) {
        work.push_back(prepare(random() % stream_count, per_append, random_ids, random));
    }
    return work;
}

template <class Work>
double repeat_for(double seconds, Work work) {
    const auto started = monotonic::now();
    std::size_t count = 0;
    while (seconds_since(started) < seconds) count += work();
    return static_cast<double>(count) / seconds_since(started);
}

void measure_reads(event_log& log, report& out) {
    position after = 0;
    out.add("whole log, 1000 per page, events", repeat_for(2, [&] {
                const auto page = must(log.read_log({.tenant = "default", .what = {}, .since = {}},
                                                    after, 1000, direction::forward));
                after = page.at_end ? 0 : page.scanned_to;
                return page.batch->events.size();
            }));
    std::mt19937_64 random{5};
    out.add("stream of 100 events, streams", repeat_for(2, [&] {
                (void)log.read_stream("default", stream_name(random() % stream_count), 0, 100,
                                      direction::forward);
                return 1;
            }));
    after = 0;
    out.add("log by tag, events", repeat_for(2, [&] {
                const auto page = must(log.read_log({.tenant = "default",
                                                     .what = {{.types = {},
                                                               .tags = {"group:7"},
                                                               .categories = {},
                                                               .stream_prefix = {}}},
                                                     .since = {}},
                                                    after, 1000, direction::forward));
                after = page.at_end ? 0 : page.scanned_to;
                return page.batch->events.size();
            }));
}

void measure_views(view_store& views, report& out) {
    auto made = must(views.create("bench", 1, {{"rows", {"total", "country"}}}));
    std::mt19937_64 random{5};
    position checkpoint = 0;
    constexpr std::size_t keys = 50'000;
    const auto started = monotonic::now();
    while (checkpoint < keys) {
        auto change = must(views.begin(made.id, checkpoint));
        for (int i = 0; i < 1000; ++i) {
            ++checkpoint;
            must(change->put("default", "rows", "key-" + std::to_string(checkpoint),
                             R"({"total":)" + std::to_string(random() % 10'000) +
                                 R"(,"country":"uk","text":")" + std::string(150, 'x') + "\"}",
                             checkpoint));
        }
        must(change->commit(checkpoint));
    }
    out.add("view puts, 1000 per commit", static_cast<double>(keys) / seconds_since(started));
    const auto get = [&] {
        const auto reader = must(views.read());
        (void)must(reader->get("default", "rows", "key-" + std::to_string(random() % keys)));
        return 1;
    };
    out.add("view point reads, one thread", repeat_for(1, get));
    out.add("view scans of 20 by an index", repeat_for(1, [&] {
                scan_query query;
                query.where.push_back({"total", compare::ge, std::int64_t(random() % 9000)});
                query.order.push_back({"total", false});
                query.limit = 20;
                (void)must(must(views.read())->scan("default", "rows", query));
                return 1;
            }));
    // The same while another thread commits 1,000 changes a second.
    std::atomic<bool> running{true};
    std::thread writer{[&] {
        auto due = monotonic::now();
        while (running) {
            auto change = must(views.begin(made.id, checkpoint));
            ++checkpoint;
            must(change->put("default", "rows", "other", R"({"total":1})", checkpoint));
            must(change->commit(checkpoint));
            due += std::chrono::milliseconds{1};
            std::this_thread::sleep_until(due);  // polling interval: the rate under which reads run
        }
    }};
    out.add("view point reads beside 1000 commits/s", repeat_for(1, get));
    running = false;
    writer.join();
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
    const auto events = static_cast<std::size_t>(argc > 2 ? std::atoll(argv[2]) : 200'000);
    const std::filesystem::path folder = argc > 3 ? argv[3] : "store_bench.data";
    std::filesystem::remove_all(folder);
    report out;
    {
        opened ours{folder / "ours"};
        plain_loop plain{folder / "plain"};
        std::mt19937_64 random{1};
        for (int round = 0; round < rounds; ++round) {
            for (const bool random_ids : {false, true}) {
                const std::string ids = random_ids ? ", random ids" : "";
                const auto work = make_work(events, events_per_append, random_ids, random);
                out.add("append 100 events" + ids,
                        static_cast<double>(events) /
                            append_events(*ours.store.log, work, appends_in_flight));
                out.add("plain loop, 100 a commit" + ids,
                        static_cast<double>(events) /
                            plain.append(events, events_per_append, 100, random_ids, random));
                out.add("plain loop, 1600 a commit" + ids,
                        static_cast<double>(events) /
                            plain.append(events, events_per_append, 1600, random_ids, random));
            }
            const std::size_t singles = events / 4;
            const auto work = make_work(singles, 1, false, random);
            out.add("append 1 event, 64 in flight",
                    static_cast<double>(singles) / append_events(*ours.store.log, work, 64));
            out.add("plain loop, 1 a commit", 2000 / plain.append(2000, 1, 1, false, random));
            measure_reads(*ours.store.log, out);
        }
        measure_views(*ours.store.views, out);
        out.medians();
        for (const std::string ids : {"", ", random ids"}) {
            out.ratio("append 100 events" + ids, "plain loop, 100 a commit" + ids);
            out.ratio("append 100 events" + ids, "plain loop, 1600 a commit" + ids);
        }
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        std::printf("%-52s %12ld MiB\n", "memory at its highest", used.ru_maxrss / 1024);
    }
    std::filesystem::remove_all(folder);
    return 0;
}
