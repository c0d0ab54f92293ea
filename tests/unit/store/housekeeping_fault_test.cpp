// What fails besides a commit: housekeeping, a statement in the middle, settings that do not hold.
#include "contract/harness.hpp"
#include "store/sqlite/event_reader.hpp"
#include "store/sqlite/event_writer.hpp"
#include "store/sqlite/view_writer.hpp"
#include "unit/store/fault_vfs.hpp"

#include <random>

using namespace contract;
using store::sqlite::access;
using store::sqlite::connection;
using store::sqlite::connection_settings;
using store::sqlite::event_reader;
using store::sqlite::event_writer;
using store::sqlite::view_writer;

namespace {

/// The writing half of a log, on its own.
class bare_writer {
public:
    explicit bare_writer(std::uint64_t wal_bytes_max = 32u << 20, std::size_t cache_kib = 2048) {
        fault::now().heal();
        settings_ = {.file = folder_.path() / "events.db",
                     .mode = access::read_write,
                     .vfs = fault::vfs(),
                     .cache_kib = cache_kib};
        writer_ = value(event_writer::open({.database = settings_,
                                            .wal_bytes_max = wal_bytes_max,
                                            .clock = [this] { return clock; }}));
    }
    ~bare_writer() {
        fault::now().heal();
        writer_->close();
        writer_->release();
    }
    bare_writer(const bare_writer&) = delete;
    bare_writer& operator=(const bare_writer&) = delete;

    result<void> write(const request& from) {
        queued_append entry{build(from), [](result<append_outcome>) {}, 1, 1, append_outcome{}};
        write_batch batch;
        batch.entries = {&entry, 1};
        batch.now = clock;
        batch.head = head;
        auto done = writer_->write(batch);
        if (done) head = batch.head;
        return done;
    }
    [[nodiscard]] event_writer& operator*() { return *writer_; }
    [[nodiscard]] std::unique_ptr<event_reader> reader() const {
        auto reading = settings_;
        reading.mode = access::read_only;
        return value(event_reader::open(
            reading, std::make_shared<store::rule_board>([this] { return clock; })));
    }

    unix_us clock = 1'000'000;
    position head = 0;

private:
    scratch_folder folder_;
    connection_settings settings_;
    std::unique_ptr<event_writer> writer_;
};

}  // namespace

TEST_CASE("connection: settings that did not take effect are refused", "[store][connection]") {
    // A database in memory has no WAL, as one on a file system without shared memory.
    const auto refused = connection::open({.file = ":memory:", .mode = access::read_write});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::unavailable);
    CHECK(refused.error().log.find("journal_mode=memory") != std::string::npos);
}

TEST_CASE("fault: a checkpoint whose fsync fails leaves the disk in doubt", "[store][fault]") {
    bare_writer writer{1};
    value(writer.write({.appends = {{.stream = "s"}}}));
    fault::now().database_sync_fails = true;
    CHECK(code_of((*writer).tidy(true)) == make_error_code(store_errc::unavailable));
    CHECK_FALSE((*writer).recover(writer.head));
    fault::now().heal();
    CHECK(value((*writer).recover(writer.head)).head == writer.head);
    CHECK((*writer).tidy(true));
    value(writer.write({.appends = {{.stream = "s", .expected = at(1)}}}));
}

TEST_CASE("fault: a failed commit that the disk has kept is found, whole", "[store][fault]") {
    bare_writer writer;
    value(writer.write({.appends = {{.stream = "s"}}}));
    fault::now().sync_fails = true;
    CHECK_FALSE(writer.write({.appends = {{.stream = "s", .events = events(2)}}}));
    CHECK_FALSE((*writer).recover(1));
    fault::now().heal();
    // Alone with the WAL SQLite reads it anew, and what was written without its fsync with it.
    const auto back = value((*writer).recover(1));
    REQUIRE(back.head == 3);
    CHECK(positions(*back.surprising) == std::vector<position>{2, 3});
    writer.head = back.head;
    value(writer.write({.appends = {{.stream = "s", .expected = at(3)}}}));
}

TEST_CASE("fault: a purge whose fsync fails leaves the disk in doubt", "[store][fault]") {
    bare_writer writer;
    value(writer.write({.keys = {{.name = "k", .keep_us = 10}}}));
    writer.clock += 100;
    fault::now().sync_fails = true;
    CHECK(code_of((*writer).tidy(true)) == make_error_code(store_errc::unavailable));
    fault::now().heal();
    CHECK((*writer).recover(writer.head));
    CHECK((*writer).tidy(true));
}

TEST_CASE("fault: housekeeping on a full device is put off", "[store][fault]") {
    bare_writer writer{1};
    value(writer.write({.appends = {{.stream = "s"}}, .keys = {{.name = "k", .keep_us = 10}}}));
    writer.clock += 100;
    fault::now().device_full = true;
    CHECK((*writer).tidy(true));
    CHECK((*writer).tidy(true));
    fault::now().heal();
    value(writer.write({.appends = {{.stream = "s", .expected = at(1)}}}));
}

TEST_CASE("fault: after a statement of a batch has failed nothing more of the batch is written",
          "[store][fault]") {
    // With so little memory the pages of new streams go to the disk before the commit; SQLite then
    // rolls back by itself and goes on without a transaction.
    bare_writer writer{32u << 20, 64};
    request from{.keys = {{.name = "k"}}};
    for (int i = 0; i < 600; ++i) {
        from.appends.push_back({.stream = std::string(900, 's') + std::to_string(i)});
    }
    fault::now().writes_to_fail = 1;
    const int failed = fault::now().failed;
    CHECK_FALSE(writer.write(from));
    CHECK(fault::now().failed == failed + 1);
    const auto reader = writer.reader();
    CHECK_FALSE(value(reader->find_answer(tenant, "k", writer.clock)));
    CHECK(value(reader->streams(tenant, "", "", "", 10)).items.empty());
    CHECK(value((*writer).recover(0)).head == 0);
    value(writer.write(from));
    CHECK(writer.head == 600);
}

TEST_CASE("fault: rows written after SQLite gave a transaction up are not kept", "[store][fault]") {
    fault::now().heal();
    scratch_folder folder;
    const auto writer = value(view_writer::open({.file = folder.path() / "views.db",
                                                 .mode = access::read_write,
                                                 .vfs = fault::vfs(),
                                                 .cache_kib = 64,
                                                 .durable_commits = false},
                                                32u << 20));
    const auto made = value(writer->create("p", 1, {{"m", {"a"}}}));
    const bool full = GENERATE(true, false);
    const auto expected = make_error_code(full ? store_errc::full : store_errc::unavailable);
    const std::string large = R"({"a":")" + std::string(2000, 'x') + "\"}";
    {
        auto change = value(writer->begin(made.id, 0));
        (full ? fault::now().device_full : fault::now().write_fails) = true;
        std::error_code met;
        for (int i = 0; i < 2000 && !met; ++i) {
            met = code_of(change->put(tenant, "m", std::to_string(i), large, 1));
        }
        CHECK(met == expected);
        fault::now().heal();
        // A caller that does not look at what it is told.
        CHECK(code_of(change->put(tenant, "m", "late", "{}", 1)) == expected);
        CHECK(code_of(change->remove(tenant, "m", "0", 1)) == expected);
        CHECK(code_of(change->get(tenant, "m", "0")) == expected);
        CHECK(code_of(change->commit(1)) == expected);
    }
    auto change = value(writer->begin(made.id, 0));
    CHECK_FALSE(value(change->get(tenant, "m", "late")));
    CHECK_FALSE(value(change->get(tenant, "m", "0")));
    CHECK(value(change->changed_at("m")) == 0);
    value(change->put(tenant, "m", "1", "{}", 1));
    value(change->commit(1));
    change.reset();
    CHECK(writer->begin(made.id, 1));
}

TEST_CASE("fault: a transaction that is open when the read models stop writes nothing more",
          "[store][fault]") {
    fault::now().heal();
    scratch_folder folder;
    const connection_settings settings{
        .file = folder.path() / "views.db", .mode = access::read_write, .durable_commits = false};
    auto writer = value(view_writer::open(settings, 32u << 20));
    const auto made = value(writer->create("p", 1, {{"m", {}}}));
    {
        auto change = value(writer->begin(made.id, 0));
        value(change->put(tenant, "m", "1", "{}", 1));
        writer->stop();
        CHECK_FALSE(change->put(tenant, "m", "2", "{}", 1));
        CHECK_FALSE(change->commit(1));
    }
    writer = value(view_writer::open(settings, 32u << 20));
    auto change = value(writer->begin(made.id, 0));
    CHECK_FALSE(value(change->get(tenant, "m", "1")));
    CHECK_FALSE(value(change->get(tenant, "m", "2")));
}

TEST_CASE("fault: under random faults rows and checkpoint of read models stay together",
          "[store][fault]") {
    fault::now().heal();
    scratch_folder folder;
    const connection_settings settings{.file = folder.path() / "views.db",
                                       .mode = access::read_write,
                                       .vfs = fault::vfs(),
                                       .cache_kib = 64,
                                       .durable_commits = false};
    auto writer = value(view_writer::open(settings, 64 << 10));
    const auto made = value(writer->create("p", 1, {{"m", {"n"}}}));
    std::mt19937 random{7};  // NOLINT: the same run each time
    position stands = 0;
    int committed = 0;
    const auto look = [&] {
        fault::now().heal();
        stands = value(writer->generations()).at(0).checkpoint;
        auto change = value(writer->begin(made.id, stands));
        for (int k = 0; k < 8; ++k) {
            const auto row = value(change->get(tenant, "m", std::to_string(k)));
            REQUIRE((row ? row->pos : 0) == stands);
        }
    };
    for (int i = 0; i < 400; ++i) {
        switch (random() % 8) {
            case 0:
                fault::now().writes_to_fail = static_cast<int>(1 + random() % 2);
                break;
            case 1:
                fault::now().device_full = true;
                break;
            case 2:
                fault::now().syncs_to_fail = 1;
                break;
            default:
                fault::now().heal();
                break;
        }
        if (auto change = writer->begin(made.id, stands)) {
            const std::size_t size = random() % 3 == 0 ? 30'000 : 100;
            for (int k = 0; k < 8; ++k) {
                // Whatever it is told it goes on, and the faults come and go meanwhile.
                (void)(*change)->put(tenant, "m", std::to_string(k),
                                     R"({"n":1,"x":")" + std::string(size, 'x') + "\"}",
                                     stands + 1);
                if (random() % 16 == 0) fault::now().heal();
            }
            if ((*change)->commit(stands + 1)) {
                ++stands;
                ++committed;
                if (random() % 2 == 0) continue;
            }
        }
        look();
    }
    CHECK(committed > 100);
    CHECK(fault::now().failed > 0);
    writer->stop();
    writer = value(view_writer::open(settings, 64 << 10));
    look();
}
