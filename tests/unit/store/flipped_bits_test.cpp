// One flipped bit, anywhere in the two databases: verify finds and names it, and nothing that is
// read is other than what was written, or was hidden since. FLEXCORE_FLIP_SEED repeats a run,
// FLEXCORE_FLIPS makes it longer.
#include "contract/rules_fixture.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/event_reader.hpp"
#include "store/sqlite/page_seal.hpp"
#include "store/sqlite/view_reader.hpp"
#include "store/verify.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <map>
#include <random>

using namespace contract;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t flips_wanted = FLIPS;
/// Every so often the whole store is opened over a copy, as a server does.
constexpr std::uint64_t flips_per_opening = 50;
constexpr const char* other_tenant = "other";

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);  // NOLINT: before threads
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void flip(const fs::path& file, std::uint64_t bit) {
    const int handle = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(handle >= 0);
    char byte = 0;
    const auto at = static_cast<off_t>(bit / 8);
    bool done = ::pread(handle, &byte, 1, at) == 1;
    byte = static_cast<char>(byte ^ (1 << bit % 8));
    done = done && ::pwrite(handle, &byte, 1, at) == 1;
    ::close(handle);
    REQUIRE(done);
}

/// The ids of some events: some are served, some hidden, some removed.
using some_ids = std::vector<uuid>;

/// Streams with settings and deletions; what these hide is removed, and some more is hidden since.
some_ids fill_rules(store_under_test& store) {
    some_ids ids;
    const auto add = [&](const std::string& stream, std::size_t count) {
        const auto done = appended(store.log(), {.stream = stream, .events = events(count)});
        ids.insert(ids.end(), done.ids.begin(), done.ids.end());
    };
    for (const char* stream : {"order-0", "order-6", "order-12", "order-18", "order-24"}) {
        add(stream, 10);
    }
    value(set(store.log(), "order-0", {.max_count = 4}));
    value(set(store.log(), "order-6",
              {.max_age_s = max_age_s_max, .max_count = 3, .truncate_before = 8}));
    value(soft_delete(store.log(), "order-12"));
    value(soft_delete(store.log(), "order-18"));
    add("order-18", 3);
    value(bury(store.log(), "order-24"));
    add("order-30", 1);  // the log's last event would stay
    const auto served = static_cast<std::int64_t>(all_positions(store.log(), {}).size());
    auto db = value(sqlite::connection::open({.file = store.folder() / "data" / "events.db"}));
    const auto give_up = monotonic::now() + std::chrono::seconds{30};
    while (value(db.integer("SELECT count(*) FROM events")) != served) {
        REQUIRE(monotonic::now() < give_up);
        std::this_thread::yield();
    }
    // When a store has opened it looks for more to remove, then not for a minute. An append that
    // writes nothing waits for that.
    store.reopen();
    for (int i = 0; i < 2; ++i) appended(store.log(), {.stream = "nothing", .events = {}});
    add("order-0", 7);
    add("order-6", 5);
    return ids;
}

/// A folder as it is after a day of work: long and short events, tags, keys, several tenants,
/// settings and deletions, several read models, and pages that are in use no more.
some_ids fill(store_under_test& store, std::mt19937_64& random) {
    for (int i = 0; i < 250; ++i) {
        request one{.tenant = i % 7 == 0 ? other_tenant : tenant};
        std::vector<event> events;
        for (std::size_t n = 1 + random() % 4; n > 0; --n) {
            const std::size_t bytes = random() % 20 == 0 ? 3000 + random() % 9000 : random() % 300;
            events.push_back(
                {.type = fmt::format("test.type_{}", random() % 8),
                 .tags = {fmt::format("customer:{}", random() % 40)},
                 .data = '"' + std::string(bytes, static_cast<char>('a' + i % 26)) + '"'});
        }
        one.appends.push_back(
            {.stream = fmt::format("order-{}", random() % 60), .events = std::move(events)});
        if (i % 3 == 0) one.keys.push_back({.name = fmt::format("key-{}", i)});
        appended(store.log(), one);
    }
    auto ids = fill_rules(store);
    const auto rows = [&](const char* projection, const char* model, int count) {
        const auto made = value(store.views().create(projection, 1, {{model, {"name", "n"}}}));
        auto change = value(store.views().begin(made.id, 0));
        for (int i = 0; i < count; ++i) {
            const auto json =
                fmt::format(R"({{"name":"row {}","n":{},"text":"{}"}})", i, random() % 50,
                            std::string(random() % 40 == 0 ? 5000 : random() % 200, 'r'));
            value(change->put(i % 9 == 0 ? other_tenant : tenant, model, fmt::format("k{}", i),
                              json, 5));
        }
        value(change->commit(200));
        return made.id;
    };
    rows("first", "things", 900);
    const auto gone = rows("second", "more_things", 600);
    value(store.views().drop(gone));
    rows("third", "few_things", 100);
    return ids;
}

using contents = std::map<std::string, std::string>;

/// All that is read of the log, each event and answer by a name. Errors end a read.
contents read_log_of(const sqlite::connection_settings& settings, const some_ids& ids,
                     std::string& refused) {
    contents all;
    const auto note = [&](const error& why) {
        if (why.code != store_errc::corrupt) FAIL(why.client << " | " << why.log);
        refused = why.client;
    };
    // As the writer has it that finds rules when it opens.
    const auto board = std::make_shared<rule_board>(now_unix_us);
    board->note(tenant);
    board->changed();
    auto reader = sqlite::event_reader::open(settings, board);
    if (!reader) {
        note(reader.error());
        return all;
    }
    const auto take = [&](const std::string& way, const event_batch& batch) {
        for (const auto& event : batch.events) {
            all[fmt::format("{} {}", way, event.pos)] =
                fmt::format("{}|{}|{}|{}|{}|{}|{}|{}", event.tenant, event.stream, event.ver,
                            event.type, event.id.to_string(), event.recorded_at,
                            event.tags.empty() ? "" : event.tags.front(), event.data);
        }
    };
    const auto pages = [&](const std::string& way, const log_filter& filter) {
        for (position after = 0;;) {
            const auto page = (*reader)->read_log(filter, after, 100, direction::forward);
            if (!page) {
                note(page.error());
                after += 1;  // what stands behind the damage is read all the same
                if (after > 1000) return;
                continue;
            }
            take(way, *page->batch);
            if (page->at_end) return;
            after = page->scanned_to;
        }
    };
    pages("all", {});
    pages("type", {.tenant = tenant, .what = {{.types = {"test.type_3"}}}});
    pages("tag", {.tenant = other_tenant, .what = {{.tags = {"customer:7"}}}});
    for (int i = 0; i < 60; i += 6) {
        const auto page =
            (*reader)->read_stream(tenant, fmt::format("order-{}", i), 0, 100, direction::forward);
        if (page) {
            take(fmt::format("order-{}", i), *page->batch);
        } else if (page.error().code == store_errc::stream_not_found ||
                   page.error().code == store_errc::stream_deleted) {
            all[fmt::format("order-{}", i)] = page.error().client;
        } else {
            note(page.error());
        }
        const auto key = (*reader)->find_answer(tenant, fmt::format("key-{}", i), 0);
        if (!key) {
            note(key.error());
        } else {
            all[fmt::format("key-{}", i)] = *key ? (*key)->answer : "none";
        }
    }
    for (const auto& id : ids) {
        const auto one = (*reader)->read_event(tenant, id);
        if (one) {
            take(id.to_string(), **one);
        } else if (one.error().code != store_errc::event_not_found) {
            note(one.error());
        }
    }
    const auto streams = (*reader)->streams(tenant, "", "", "", 1000);
    if (!streams) {
        note(streams.error());
    } else {
        for (const auto& one : streams->items) {
            all["stream " + one.stream] =
                fmt::format("{} {} {} {} {} {}", one.ver, one.created_at, one.updated_at,
                            one.settings.max_age_s.value_or(0), one.settings.max_count.value_or(0),
                            one.settings.truncate_before.value_or(0));
        }
    }
    return all;
}

contents read_views_of(const sqlite::connection_settings& settings, std::string& refused) {
    contents all;
    const auto note = [&](const error& why) {
        if (why.code != store_errc::corrupt) FAIL(why.client << " | " << why.log);
        refused = why.client;
    };
    auto reader = sqlite::view_snapshot_reader::open(settings);
    if (!reader) {
        note(reader.error());
        return all;
    }
    if (auto ok = (*reader)->begin(); !ok) {
        note(ok.error());
        return all;
    }
    for (const char* model : {"things", "few_things"}) {
        for (const char* field : {"name", "n"}) {
            scan_query query{.where = {}, .order = {{field}}, .limit = 1000};
            const auto page = (*reader)->tables().scan(tenant, model, query);
            if (!page) {
                note(page.error());
                continue;
            }
            std::size_t number = 0;
            for (const auto& row : page->rows) {
                all[fmt::format("{} by {} {}", model, field, number++)] =
                    fmt::format("{} {} {}", row.key, row.pos, row.json);
            }
        }
        for (int i = 0; i < 900; i += 25) {
            const auto row = (*reader)->tables().get(tenant, model, fmt::format("k{}", i));
            if (!row) {
                note(row.error());
            } else {
                all[fmt::format("{} k{}", model, i)] = *row ? (*row)->json : "none";
            }
        }
        const auto changed = (*reader)->tables().changed_at(model);
        if (!changed) {
            note(changed.error());
        } else {
            all[fmt::format("{} changed", model)] = std::to_string(*changed);
        }
    }
    (void)(*reader)->end();
    return all;
}

/// Whatever was read over a flipped bit was written so, and is not hidden.
void demand_right(const contents& read, const contents& truth) {
    for (const auto& [name, text] : read) {
        const auto right = truth.find(name);
        if (right == truth.end())
            FAIL("read, and never written or hidden: " << name << " = " << text);
        if (right->second != text) FAIL("read as something else: " << name << " = " << text);
    }
}

/// A copy, opened as a server does it: refused by name, or serving what is right. A row may also
/// not be there when the bit is among the read models: they are made anew.
void open_whole(const fs::path& data, const fs::path& copy, const contents& truth,
                const contents& rows, bool in_log) {
    fs::remove_all(copy);
    fs::copy(data, copy);
    telemetry::metrics metrics;
    telemetry::health_registry health;
    store_settings settings;
    settings.data = copy;
    auto opened = open_store(settings, metrics, health);
    if (!opened) {
        CHECK(opened.error().code == store_errc::corrupt);
        CHECK(opened.error().client.find("events.db") != std::string::npos);
        return;
    }
    if (const auto page = opened->log->read_log({}, 0, 1000, direction::forward)) {
        for (const auto& event : page->batch->events) {
            const auto right = truth.find(fmt::format("all {}", event.pos));
            if (right == truth.end()) FAIL("served, and hidden: " << event.pos);
            REQUIRE(right->second.ends_with(event.data));
        }
    } else {
        CHECK(page.error().code == store_errc::corrupt);
    }
    const auto row = value(opened->views->read())->get(tenant, "things", "k25");
    if (row && *row) {
        CHECK((*row)->json == rows.at("things k25"));
    } else {
        CHECK_FALSE(in_log);
    }
    opened->log->stop();
    opened->views->stop();
}

}  // namespace

TEST_CASE("flipped bits: each of 2,000 is found and named, and none is served", "[store][flips]") {
    const auto seed = number_from("FLEXCORE_FLIP_SEED", std::random_device{}());
    const auto flips = number_from("FLEXCORE_FLIPS", flips_wanted);
    std::cout << fmt::format("flipped bits: seed {}, {} flips", seed, flips) << std::endl;
    std::mt19937_64 random{seed};
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    const auto ids = fill(store, random);
    store.close();
    const auto data = store.folder() / "data";
    const sqlite::connection_settings log{.file = data / "events.db"};
    const sqlite::connection_settings views{.file = data / "views.db"};

    const auto sound = value(verify(data, {}));
    for (const auto& one : sound.findings) FAIL(one.file << ": " << one.what);
    REQUIRE(sound.unsealed_pages == 0);
    REQUIRE(sound.pages > 150);
    REQUIRE(sound.removed > 30);
    std::string refused;
    const auto log_truth = read_log_of(log, ids, refused);
    const auto views_truth = read_views_of(views, refused);
    REQUIRE(refused.empty());
    REQUIRE(log_truth.size() > 500);
    const auto served = std::count_if(log_truth.begin(), log_truth.end(), [](const auto& one) {
        return one.first.starts_with("all ");
    });
    REQUIRE(sound.events > static_cast<std::uint64_t>(served) + 10);  // hidden, and there
    REQUIRE(views_truth.size() > 500);

    std::uint64_t refusals = 0;
    for (std::uint64_t number = 1; number <= flips; ++number) {
        const bool in_log = random() % 2 == 0;
        const auto& file = in_log ? log.file : views.file;
        const std::uint64_t bit = random() % (fs::file_size(file) * 8);
        const std::uint64_t page = bit / 8 / sqlite::page_bytes + 1;
        INFO("seed " << seed << ", flip " << number << ": bit " << bit % 8 << " of byte " << bit / 8
                     << " in " << file.filename().string() << ", page " << page);
        flip(file, bit);

        const auto report = value(verify(data, {}));
        const bool named =
            std::any_of(report.findings.begin(), report.findings.end(), [&](const finding& one) {
                return one.file == file.filename() && one.page == page && !one.remedy.empty();
            });
        if (!named) FAIL("not found by verify");

        refused.clear();
        demand_right(read_log_of(log, ids, refused), log_truth);
        demand_right(read_views_of(views, refused), views_truth);
        if (!refused.empty()) ++refusals;
        if (number % flips_per_opening == 0) {
            open_whole(data, store.folder() / "copy", log_truth, views_truth, in_log);
        }
        flip(file, bit);
    }
    std::cout << fmt::format("flipped bits: {} pages; {} flips found, {} met by a read and refused",
                             sound.pages, flips, refusals)
              << std::endl;
    CHECK(refusals > flips / 3);
    const auto again = value(verify(data, {}));
    CHECK(again.sound());
}
