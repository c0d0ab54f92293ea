#include "store/postgres/snapshot_store.hpp"

#include "store/postgres/literal.hpp"
#include "store/snapshot_checksum_impl.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>
#include <pqxx/binarystring>
#include <pqxx/row>

#include <atomic>

namespace flexcore::store::postgres {
namespace {

constexpr sql find_one{"snapshot_find",
                       "SELECT version, event_id, checksum, state FROM snapshots "
                       "WHERE tenant = $1 AND stream = $2 AND reducer = $3"};

// While the database is away every load of an aggregate fails here.
constexpr std::chrono::seconds complain_every{10};

std::string_view bytes_of(const uuid& id) noexcept {
    return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

class postgres_snapshots final : public snapshot_store {
public:
    explicit postgres_snapshots(std::shared_ptr<sessions> shared) : sessions_{std::move(shared)} {}

    std::optional<snapshot> find(std::string_view tenant, std::string_view stream,
                                 std::uint32_t reducer) override {
        if (stopped_ || !is_storable(tenant) || !is_storable(stream)) return std::nullopt;
        const auto rows = reading(*sessions_, [&](connection& db) {
            return db.run(find_one, params{}.add(tenant).add(stream).add(reducer));
        });
        if (!rows) {
            complain(rows.error());
            return std::nullopt;
        }
        if (rows->empty()) return std::nullopt;
        const auto row = (*rows)[0];
        const auto id = parse_uuid(row[1].c_str());
        const pqxx::binarystring state{row[3]};
        snapshot found;
        found.ver = static_cast<version>(row[0].as<std::int64_t>());
        if (id) found.event_id = *id;
        found.state.assign(state.get(), state.size());
        const auto sum = snapshot_checksum(tenant, stream, reducer, found.ver,
                                           bytes_of(found.event_id), found.state);
        if (!id || static_cast<std::int64_t>(sum) != row[2].as<std::int64_t>()) {
            complain(
                {store_errc::corrupt, "a snapshot is damaged and is dropped", std::string{stream}});
            drop(tenant, stream);
            return std::nullopt;
        }
        return found;
    }

    void put(std::string_view tenant, std::string_view stream, std::uint32_t reducer,
             const snapshot& taken) override {
        if (!is_storable(tenant) || !is_storable(stream)) return;
        const auto sum = snapshot_checksum(tenant, stream, reducer, taken.ver,
                                           bytes_of(taken.event_id), taken.state);
        write(fmt::format(
            "WITH lower AS (DELETE FROM snapshots WHERE tenant = {0} AND stream = {1} AND"
            " reducer < {2}) INSERT INTO snapshots (tenant, stream, reducer, version, event_id,"
            " checksum, state) VALUES ({0}, {1}, {2}, {3}, '{4}', {5}, {6})"
            " ON CONFLICT (tenant, stream, reducer) DO UPDATE SET version = excluded.version,"
            " event_id = excluded.event_id, checksum = excluded.checksum, state = excluded.state",
            literal(tenant), literal(stream), reducer, static_cast<std::int64_t>(taken.ver),
            taken.event_id.to_string(), static_cast<std::int64_t>(sum),
            bytes_literal(taken.state)));
    }

    void drop(std::string_view tenant, std::string_view stream) override {
        if (!is_storable(tenant) || !is_storable(stream)) return;
        write(fmt::format("DELETE FROM snapshots WHERE tenant = {} AND stream = {}",
                          literal(tenant), literal(stream)));
    }

    void stop() override { stopped_ = true; }

private:
    /// Sessions that only read may be asked, and nobody waits for the disk.
    void write(const std::string& statement) {
        if (stopped_) return;
        const auto done = reading(*sessions_, [&](connection& db) {
            auto answer =
                db.script(fmt::format("BEGIN READ WRITE; SET LOCAL synchronous_commit TO off;"
                                      "{}; COMMIT",
                                      statement));
            if (!answer && db.usable()) (void)db.script("ROLLBACK");
            return answer;
        });
        if (!done) complain(done.error());
    }

    void complain(const error& why) {
        const auto now = monotonic::now().time_since_epoch().count();
        auto due = quiet_until_.load();
        if (now < due) return;
        const auto next = now + monotonic::duration{complain_every}.count();
        if (!quiet_until_.compare_exchange_strong(due, next)) return;
        telemetry::log(
            telemetry::level::warn, "store", "a snapshot could not be read or written",
            {{"error", std::string_view{why.client}}, {"detail", std::string_view{why.log}}});
    }

    const std::shared_ptr<sessions> sessions_;
    std::atomic<bool> stopped_{false};
    std::atomic<monotonic::rep> quiet_until_{0};
};

}  // namespace

std::unique_ptr<snapshot_store> open_snapshots(std::shared_ptr<sessions> shared) {
    return std::make_unique<postgres_snapshots>(std::move(shared));
}

}  // namespace flexcore::store::postgres
