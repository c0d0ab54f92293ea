#include "store/postgres/event_row.hpp"

#include "base/names.hpp"
#include "store/event_checksum_impl.hpp"

#include <pqxx/result>

#include <algorithm>
#include <array>
#include <charconv>

namespace flexcore::store::postgres {
namespace {

std::int64_t integer(std::string_view digits) noexcept {
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

}  // namespace

std::string is_served(std::string_view now) {
    return fmt::format(
        "(r.stream IS NULL OR r.deleted = 0 AND e.version > r.deleted_to"
        " AND e.version >= r.truncate_before"
        " AND (r.max_age_us = 0 OR e.recorded_at >= {} - r.max_age_us)"
        " AND (r.max_count = 0 OR e.version > (SELECT max(l.version) FROM events l"
        " WHERE l.stream = e.stream) - r.max_count))",
        now);
}

std::string is_name_of(std::string_view kind, std::string_view tenant, std::string_view name) {
    return fmt::format("n.kind = {0} AND n.tenant = {1} AND n.name >= {2} AND n.name <= {2}", kind,
                       tenant, name);
}

std::string page_of(std::string_view events, std::string_view order) {
    // octet_length does not read a text that is stored apart, and neither does a CASE that leaves
    // it out.
    return fmt::format(
        "SELECT e.position, e.version, e.id, e.recorded_at, e.schema_version,"
        " tenant.name AS tenant_name, stream.name AS stream_name, type.name AS type_name, e.tags,"
        " CASE WHEN e.before < {0} THEN e.metadata END AS metadata,"
        " CASE WHEN e.before < {0} THEN e.data END AS data, e.place, e.category, e.checksum"
        " FROM (SELECT e.*, coalesce(sum(octet_length(e.metadata) + octet_length(e.data)) OVER"
        " (ORDER BY e.{1} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before"
        " FROM ({2}) e) e"
        " LEFT JOIN LATERAL (SELECT name FROM names WHERE id = e.tenant LIMIT 1) tenant ON true"
        " LEFT JOIN LATERAL (SELECT name FROM streams WHERE id = e.stream LIMIT 1) stream ON true"
        " LEFT JOIN LATERAL (SELECT name FROM names WHERE id = e.type LIMIT 1) type ON true"
        " ORDER BY e.{1}",
        page_bytes_max, order, events);
}

std::size_t rows_max(std::size_t limit) noexcept { return std::min(limit, events_looked_at_max); }

std::string_view text(const pqxx::result& rows, int row, column at) noexcept {
    const auto field = rows[row][static_cast<int>(at)];
    return {field.c_str(), field.size()};
}

std::int64_t integer(const pqxx::result& rows, int row, column at) noexcept {
    return integer(text(rows, row, at));
}

bool is_null(const pqxx::result& rows, int row, column at) noexcept {
    return rows[row][static_cast<int>(at)].is_null();
}

result<void> add_row(const pqxx::result& rows, int row, event_page& page) {
    // Each row and field of pqxx that is made counts references up and down, more than all the rest
    // here costs; an iterator over a row is a field that moves.
    std::array<std::string_view, static_cast<std::size_t>(column::count)> texts;
    auto field = rows[row].begin();
    for (auto& one : texts) {
        one = {field->c_str(), field->size()};
        ++field;
    }
    const auto of = [&](column at) { return texts.at(static_cast<std::size_t>(at)); };
    const auto natural = [&](column at) { return static_cast<std::uint64_t>(integer(of(at))); };
    recorded_event event;
    event.pos = natural(column::position);
    for (const auto name : {column::tenant, column::stream, column::type, column::data}) {
        if (!of(name).empty()) continue;
        return fail(store_errc::corrupt, "an event's names are missing",
                    fmt::format("the event at position {} lacks a name", event.pos));
    }
    event.ver = natural(column::version);
    event.id = parse_uuid(of(column::id)).value_or(uuid{});
    event.recorded_at = integer(of(column::recorded_at));
    event.schema_version = static_cast<std::uint32_t>(natural(column::schema_version));
    event.tenant = of(column::tenant);
    event.stream = of(column::stream);
    event.type = of(column::type);
    event.data = of(column::data);
    event.metadata = of(column::metadata).empty() ? "{}" : of(column::metadata);
    const auto sum = event_checksum({.pos = event.pos,
                                     .ver = event.ver,
                                     .category = natural(column::category),
                                     .schema_version = event.schema_version,
                                     .place = static_cast<std::uint32_t>(natural(column::place)),
                                     .recorded_at = event.recorded_at,
                                     .id = event.id,
                                     .tags = of(column::tags),
                                     .metadata = of(column::metadata),
                                     .data = event.data},
                                    {.tenant = name_hash(event.tenant),
                                     .stream = name_hash(event.stream),
                                     .type = name_hash(event.type)});
    if (sum != natural(column::checksum)) {
        return fail(store_errc::corrupt,
                    fmt::format("the event at position {} is damaged", event.pos),
                    fmt::format("the record at position {} does not fit its checksum", event.pos));
    }
    thread_local std::vector<std::string_view> tags;
    tags.clear();
    for (auto rest = of(column::tags); !rest.empty();) {
        const auto end = rest.find('\n');
        tags.push_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end, rest.size() - 1) + 1);
    }
    event.tags = tags;
    page.add(event);
    return {};
}

bool is_storable(std::string_view text) noexcept {
    return text.find('\0') == std::string_view::npos && is_utf8(text);
}

}  // namespace flexcore::store::postgres
