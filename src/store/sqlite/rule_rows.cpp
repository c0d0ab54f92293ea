#include "store/sqlite/rule_rows.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>

namespace flexcore::store::sqlite {
namespace {

template <std::size_t N>
std::uint64_t sum_of(const std::array<std::uint64_t, N>& numbers, std::string_view text = {}) {
    std::uint64_t sum = XXH3_64bits(numbers.data(), sizeof numbers);
    if (!text.empty()) sum = XXH3_64bits_withSeed(text.data(), text.size(), sum);
    return sum;
}

std::string_view bytes_of(const uuid& id) noexcept {
    return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()};
}

std::unexpected<error> damaged(const connection& db, std::string_view table, std::uint64_t key) {
    return fail(store_errc::corrupt, fmt::format("events.db: row {} of {} is damaged", key, table),
                fmt::format("{}: row {} of {} does not fit its checksum", db.file(), key, table));
}

}  // namespace

std::uint64_t checksum_of(const rule_row& row) noexcept {
    return sum_of(std::array{row.stream, row.tenant, static_cast<std::uint64_t>(row.max_age_us),
                             row.max_count, row.truncate_before,
                             static_cast<std::uint64_t>(row.deleted), row.deleted_to});
}

std::uint64_t checksum_of(const hole_row& row) noexcept {
    return sum_of(std::array{row.first, row.last, static_cast<std::uint64_t>(row.removed_at)},
                  row.operation);
}

std::uint64_t checksum_of(const removed_row& row) noexcept {
    return sum_of(std::array{row.pos, row.tenant, row.stream, row.ver, std::uint64_t{row.place},
                             static_cast<std::uint64_t>(row.recorded_at),
                             static_cast<std::uint64_t>(row.forget_at)},
                  bytes_of(row.id));
}

std::uint64_t checksum_of_category(std::string_view name) noexcept {
    return XXH3_64bits(name.data(), name.size());
}

result<rule_row> read_rule(const connection& db, const statement& at) {
    const rule_row row{{.max_age_us = at.integer(2),
                        .max_count = at.natural(3),
                        .truncate_before = at.natural(4),
                        .deleted = static_cast<deletion>(at.natural(5) & 0xff),
                        .deleted_to = at.natural(6)},
                       at.natural(0),
                       at.natural(1)};
    if (at.natural(5) > 2 || checksum_of(row) != at.natural(7)) {
        return damaged(db, "stream_rules", row.stream);
    }
    return row;
}

result<hole_row> read_hole(const connection& db, const statement& at) {
    hole_row row{.first = at.natural(0),
                 .last = at.natural(1),
                 .operation = std::string{at.blob(2)},
                 .removed_at = at.integer(3)};
    if (checksum_of(row) != at.natural(4)) return damaged(db, "holes", row.first);
    return row;
}

result<removed_row> read_removed(const connection& db, const statement& at) {
    removed_row row{.pos = at.natural(0),
                    .tenant = at.natural(1),
                    .stream = at.natural(2),
                    .ver = at.natural(3),
                    .place = static_cast<std::uint32_t>(at.integer(4)),
                    .recorded_at = at.integer(5),
                    .forget_at = at.integer(6),
                    .id = {}};
    const auto id = at.blob(7);
    if (id.size() == row.id.bytes.size()) std::copy(id.begin(), id.end(), row.id.bytes.begin());
    if (checksum_of(row) != at.natural(8)) return damaged(db, "removed_ids", row.pos);
    return row;
}

void bind_rule(statement& to, const rule_row& row) {
    to.bind(1, row.stream)
        .bind(2, row.tenant)
        .bind(3, std::int64_t{row.max_age_us})
        .bind(4, row.max_count)
        .bind(5, row.truncate_before)
        .bind(6, static_cast<std::int64_t>(row.deleted))
        .bind(7, row.deleted_to)
        .bind(8, checksum_of(row));
}

void bind_hole(statement& to, const hole_row& row) {
    to.bind(1, row.first)
        .bind(2, row.last)
        .bind(3, std::string_view{row.operation})
        .bind(4, std::int64_t{row.removed_at})
        .bind(5, checksum_of(row));
}

void bind_removed(statement& to, const removed_row& row) {
    to.bind(1, row.pos)
        .bind(2, row.tenant)
        .bind(3, row.stream)
        .bind(4, row.ver)
        .bind(5, std::uint64_t{row.place})
        .bind(6, std::int64_t{row.recorded_at})
        .bind(7, std::int64_t{row.forget_at})
        .bind(8, row.id)
        .bind(9, checksum_of(row));
}

}  // namespace flexcore::store::sqlite
