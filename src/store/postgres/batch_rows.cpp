#include "store/postgres/batch_rows.hpp"

#include "store/event_checksum_impl.hpp"

namespace flexcore::store::postgres {
namespace {

/// bytea's hex format.
std::string hex(std::string_view bytes) {
    std::string out = "\\x";
    out.reserve(2 + bytes.size() * 2);
    for (const char c : bytes)
        fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
    return out;
}

}  // namespace

void batch_rows::assume_no_stream(std::uint64_t tenant, std::string_view name) {
    absent_stream_tenants_.add(tenant);
    absent_streams_.add(name);
}

void batch_rows::assume_no_event(std::uint64_t tenant, const uuid& id) {
    absent_id_tenants_.add(tenant);
    absent_ids_.add(id);
}

void batch_rows::assume_no_key(std::uint64_t tenant, std::string_view key) {
    absent_key_tenants_.add(tenant);
    absent_keys_.add(key);
}

void batch_rows::add_name(std::uint64_t id, name_kind kind, std::uint64_t tenant,
                          std::string_view name) {
    name_ids_.add(id);
    name_kinds_.add(static_cast<int>(kind));
    name_tenants_.add(tenant);
    names_.add(name);
}

void batch_rows::add_stream(std::uint64_t id, std::uint64_t tenant, std::uint64_t category,
                            std::string_view name) {
    stream_ids_.add(id);
    stream_tenants_.add(tenant);
    stream_categories_.add(category);
    streams_.add(name);
}

void batch_rows::add_event(const recorded_event& event, const event_ids& of, std::uint32_t place) {
    const auto metadata = event.metadata == "{}" ? std::string_view{} : event.metadata;
    event_streams_.add(of.stream);
    versions_.add(event.ver);
    types_.add(of.type);
    categories_.add(of.category);
    tenants_.add(of.tenant);
    schema_versions_.add(event.schema_version);
    places_.add(place);
    ids_.add(event.id);
    std::string tags;
    for (const auto tag : event.tags) tags.append(tag) += '\n';
    tags_.add(tags);
    metadata_bytes_.add(metadata.size());
    data_bytes_.add(event.data.size());
    const auto sum = event_checksum({.pos = event.pos,
                                     .ver = event.ver,
                                     .category = of.category,
                                     .schema_version = event.schema_version,
                                     .place = place,
                                     .recorded_at = event.recorded_at,
                                     .id = event.id,
                                     .tags = tags,
                                     .metadata = metadata,
                                     .data = event.data},
                                    {.tenant = name_hash(event.tenant),
                                     .stream = name_hash(event.stream),
                                     .type = name_hash(event.type)});
    checksums_.add(static_cast<std::int64_t>(sum));
    texts_.append(metadata).append(event.data);
}

void batch_rows::add_tag(std::uint64_t tag, position at) {
    tag_ids_.add(tag);
    tag_positions_.add(at);
}

void batch_rows::add_key(std::uint64_t tenant, const idempotency_entry& entry,
                         std::string_view answer, unix_us expires_at) {
    key_tenants_.add(tenant);
    keys_.add(entry.key);
    fingerprints_.add(hex(entry.fingerprint));
    answers_.add(answer);
    expiries_.add(expires_at);
}

void batch_rows::add_rules(std::uint64_t stream, std::uint64_t tenant, const stream_rules& rules) {
    rule_streams_.add(stream);
    rule_tenants_.add(tenant);
    max_ages_.add(rules.max_age_us);
    max_counts_.add(rules.max_count);
    truncations_.add(rules.truncate_before);
    deletions_.add(static_cast<int>(rules.deleted));
    deleted_to_.add(rules.deleted_to);
}

bool batch_rows::any() const noexcept {
    return !event_streams_.empty() || !keys_.empty() || !rule_streams_.empty() ||
           !name_ids_.empty();
}

params batch_rows::call(const uuid& batch, const log_head& known, const log_head& after,
                        unix_us keys_looked_up_at) const {
    params all;
    all.add(batch).add(known.changes).add(after.pos).add(after.recorded_at).add(after.last_id);
    for (const auto* one : {&absent_stream_tenants_,
                            &absent_streams_,
                            &absent_id_tenants_,
                            &absent_ids_,
                            &name_ids_,
                            &name_kinds_,
                            &name_tenants_,
                            &names_,
                            &stream_ids_,
                            &stream_tenants_,
                            &stream_categories_,
                            &streams_,
                            &event_streams_,
                            &versions_,
                            &types_,
                            &categories_,
                            &tenants_,
                            &schema_versions_,
                            &places_,
                            &ids_,
                            &tags_,
                            &metadata_bytes_,
                            &data_bytes_,
                            &checksums_}) {
        all.add(*one);
    }
    all.add(texts_);
    for (const auto* one : {&tag_ids_, &tag_positions_, &key_tenants_, &keys_, &fingerprints_,
                            &answers_, &expiries_, &absent_key_tenants_, &absent_keys_}) {
        all.add(*one);
    }
    all.add(keys_looked_up_at);
    for (const auto* one : {&rule_streams_, &rule_tenants_, &max_ages_, &max_counts_, &truncations_,
                            &deletions_, &deleted_to_}) {
        all.add(*one);
    }
    return all;
}

}  // namespace flexcore::store::postgres
