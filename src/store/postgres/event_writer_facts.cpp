// event_writer: what has to be asked before a batch can be decided, all of it in one statement.

#include "base/names.hpp"
#include "store/postgres/event_writer.hpp"

#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

using rule = expected_version::rule;

// Each row says what it is, for which element of which array, and up to eight numbers and two
// texts about it. $1 tenants; $2 kinds, $3 tenants, $4 names; $5 tenants, $6 streams; $7 tenants,
// $8 event ids; $9 tenants, $10 keys; $11 now.
constexpr sql facts{
    "facts",
    "WITH t AS MATERIALIZED (SELECT id, name FROM names WHERE kind = 1 AND tenant = 0 "
    "AND name = ANY ($1::text[])) "
    "SELECT 0 AS what, 0::bigint AS i, position AS n1, changes AS n2, recorded_at AS n3, "
    "last_id AS n4, 0::bigint AS n5, 0::bigint AS n6, 0::bigint AS n7, 0::bigint AS n8, "
    "'' AS t1, '' AS t2 FROM log_head "
    "UNION ALL SELECT 1, 0, t.id, 0, 0, 0, 0, 0, 0, 0, t.name, '' FROM t "
    "UNION ALL SELECT 2, a.i, n.id, n.tenant, n.kind, 0, 0, 0, 0, 0, '', '' "
    "FROM unnest($2::smallint[], $3::text[], $4::text[]) WITH ORDINALITY AS a(kind, tenant, name, "
    "i)"
    " JOIN t ON t.name = a.tenant JOIN names n ON n.kind = a.kind AND n.tenant = t.id "
    "AND n.name = a.name "
    "UNION ALL SELECT 3, a.i, s.id, s.category, "
    "greatest(coalesce((SELECT max(version) FROM events e WHERE e.stream = s.id), 0), "
    "coalesce(r.deleted_to, 0)), "
    "coalesce(r.max_age_us, 0), coalesce(r.max_count, 0), coalesce(r.truncate_before, 0), "
    "coalesce(r.deleted, 0), coalesce(r.deleted_to, 0), '', '' "
    "FROM unnest($5::text[], $6::text[]) WITH ORDINALITY AS a(tenant, name, i) "
    "JOIN t ON t.name = a.tenant JOIN streams s ON s.tenant = t.id AND s.name = a.name "
    "LEFT JOIN stream_rules r ON r.stream = s.id "
    "UNION ALL SELECT 4, a.i, e.position, e.stream, e.version, e.place, e.recorded_at, t.id, 0, 0, "
    "'', '' FROM unnest($7::text[], $8::uuid[]) WITH ORDINALITY AS a(tenant, id, i) "
    "JOIN t ON t.name = a.tenant JOIN events e ON e.id = a.id AND e.tenant = t.id "
    "UNION ALL SELECT 4, a.i, e.position, e.stream, e.version, e.place, e.recorded_at, t.id, 0, 0, "
    "'', '' FROM unnest($7::text[], $8::uuid[]) WITH ORDINALITY AS a(tenant, id, i) "
    "JOIN t ON t.name = a.tenant JOIN removed_ids e ON e.id = a.id AND e.tenant = t.id "
    "UNION ALL SELECT 5, a.i, 0, 0, 0, 0, 0, 0, 0, 0, encode(k.fingerprint, 'hex'), k.answer "
    "FROM unnest($9::text[], $10::text[]) WITH ORDINALITY AS a(tenant, key, i) "
    "JOIN t ON t.name = a.tenant JOIN idempotency_keys k ON k.tenant = t.id AND k.key = a.key "
    "WHERE k.expires_at > $11::bigint"};

bool expects_absence(const expected_version& expected) {
    return expected.what == rule::none || (expected.what == rule::exact && expected.exact == 0);
}

int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

std::string from_hex(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
    return out;
}

std::string_view text_of(const pqxx::field& field) { return {field.c_str(), field.size()}; }

}  // namespace

/// Whether the batch can be decided on what is remembered and on assumptions that usually hold: who
/// expects that a stream is not there is usually right, and ids and keys are usually new.
bool event_writer::knows_enough(const write_batch& batch) {
    for (const auto& queued : batch.entries) {
        const auto& request = queued.request;
        const auto* in = tenant(request.tenant);
        if (in == nullptr) return false;
        const auto known = [&](name_kind kind, std::string_view name) {
            return names_[static_cast<std::size_t>(kind)].find(*in, name) != nullptr;
        };
        if (request.change && streams_.find(*in, request.change->stream) == nullptr) return false;
        for (const auto& append : request.appends) {
            if (streams_.find(*in, append.stream) == nullptr && !expects_absence(append.expected))
                return false;
            if (!known(name_kind::category, category_of(append.stream))) return false;
            for (const auto& event : append.events) {
                if (!known(name_kind::type, event.type)) return false;
                for (const auto tag : event.tags)
                    if (!known(name_kind::tag, tag)) return false;
            }
        }
    }
    return true;
}

result<bool> event_writer::look_up(const write_batch& batch) {
    array_text tenants;
    array_text kinds, name_tenants, names;
    array_text stream_tenants, streams;
    array_text id_tenants, ids;
    array_text key_tenants, keys;
    std::set<std::string_view> asked_tenants;
    std::set<std::tuple<std::string_view, int, std::string_view>> asked_names;
    struct asked_name {
        std::string_view tenant;
        name_kind kind;
        std::string_view name;
    };
    std::vector<asked_name> names_by_place;
    std::vector<std::pair<std::string_view, std::string_view>> streams_by_place;
    std::vector<std::pair<std::string_view, uuid>> ids_by_place;
    std::vector<std::pair<std::string_view, std::string_view>> keys_by_place;
    std::set<std::pair<std::string_view, std::string_view>> asked_streams;

    for (const auto& queued : batch.entries) {
        const auto& request = queued.request;
        const std::string_view in = request.tenant;
        if (asked_tenants.insert(in).second) tenants.add(in);
        const auto* id = tenant(in);
        const auto want_name = [&](name_kind kind, std::string_view name) {
            if (id != nullptr && names_[static_cast<std::size_t>(kind)].find(*id, name) != nullptr)
                return;
            if (!asked_names.emplace(in, static_cast<int>(kind), name).second) return;
            kinds.add(static_cast<int>(kind));
            name_tenants.add(in);
            names.add(name);
            names_by_place.push_back({in, kind, name});
        };
        const auto want_stream = [&](std::string_view name) {
            const auto* known = id == nullptr ? nullptr : streams_.find(*id, name);
            if (known != nullptr && known->id != 0) return;
            if (!asked_streams.emplace(in, name).second) return;
            stream_tenants.add(in);
            streams.add(name);
            streams_by_place.emplace_back(in, name);
        };
        if (request.change) want_stream(request.change->stream);
        for (const auto& append : request.appends) {
            want_stream(append.stream);
            want_name(name_kind::category, category_of(append.stream));
            for (const auto& event : append.events) {
                want_name(name_kind::type, event.type);
                for (const auto tag : event.tags) want_name(name_kind::tag, tag);
                if (event.id.is_nil()) continue;
                id_tenants.add(in);
                ids.add(event.id);
                ids_by_place.emplace_back(in, event.id);
            }
        }
        for (const auto& key : request.keys) {
            key_tenants.add(in);
            keys.add(key.key);
            keys_by_place.emplace_back(in, key.key);
        }
    }
    const auto rows = db_->run(facts, params{}
                                          .add(tenants)
                                          .add(kinds)
                                          .add(name_tenants)
                                          .add(names)
                                          .add(stream_tenants)
                                          .add(streams)
                                          .add(id_tenants)
                                          .add(ids)
                                          .add(key_tenants)
                                          .add(keys)
                                          .add(keys_at_));
    if (!rows) return fail(rows.error());
    // First whether the rest may be believed together with what is remembered.
    for (const auto& row : *rows) {
        if (row[0].as<int>() == 0 && row[3].as<std::uint64_t>() != head_.changes) return false;
    }
    looked_ = true;
    for (const auto& row : *rows) {
        const auto n = [&](int which) { return row[1 + which].as<std::uint64_t>(); };
        if (row[0].as<int>() == 1) {
            names_[static_cast<std::size_t>(name_kind::tenant)].add(0, text_of(row[10]), n(1));
        }
    }
    for (const auto& row : *rows) {
        const auto n = [&](int which) { return row[1 + which].as<std::uint64_t>(); };
        const auto place = [&] { return row[1].as<std::size_t>() - 1; };
        switch (row[0].as<int>()) {
            case 2: {
                const auto& asked = names_by_place.at(place());
                names_[static_cast<std::size_t>(asked.kind)].add(n(2), asked.name, n(1));
                break;
            }
            case 3: {
                const auto& [in, name] = streams_by_place.at(place());
                stream_entry entry;
                entry.id = n(1);
                entry.tenant = *tenant(in);
                entry.category = n(2);
                entry.ver = n(3);
                entry.rules.max_age_us = static_cast<unix_us>(n(4));
                entry.rules.max_count = n(5);
                entry.rules.truncate_before = n(6);
                entry.rules.deleted = static_cast<deletion>(n(7));
                entry.rules.deleted_to = n(8);
                entry.deleted = entry.rules.deleted;
                streams_.add(entry.tenant, name, entry) = entry;
                break;
            }
            case 4:
                found_ids_[{n(6), ids_by_place.at(place()).second}] = {
                    .pos = n(1),
                    .stream = n(2),
                    .ver = n(3),
                    .place = static_cast<std::uint32_t>(n(4)),
                    .recorded_at = static_cast<unix_us>(n(5))};
                break;
            case 5: {
                const auto& [in, key] = keys_by_place.at(place());
                found_keys_[{std::string{in}, std::string{key}}] = {from_hex(text_of(row[10])),
                                                                    std::string{text_of(row[11])}};
                break;
            }
            default:
                break;
        }
    }
    return true;
}

}  // namespace flexcore::store::postgres
