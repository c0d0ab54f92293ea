// event_writer as log_state: what a decision asks, and what it adds.

#include "base/names.hpp"
#include "store/sqlite/event_writer.hpp"

namespace flexcore::store::sqlite {
// After a failure nothing more is run: SQLite may have rolled the transaction back by itself, and
// what is written then would be committed alone, a key's answer without its events for instance.

/// True when there is a row; then the caller resets the statement.
bool event_writer::step_row(statement& asked, std::string_view attempted) {
    if (failure()) return false;
    const int code = asked.step();
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) failed(db_.failure(code, attempted));
    asked.reset();
    return false;
}

void event_writer::step_done(statement& once, std::string_view attempted) {
    if (failure()) return;
    if (auto ok = db_.run(once, attempted); !ok) failed(std::move(ok.error()));
}

/// Null when there is no such tenant.
const event_writer::name_entry* event_writer::tenant(std::string_view name) {
    if (const auto* known = tenants_.find(0, name)) return known;
    if (!step_row(tenant_find_.bind(1, name), "look up a tenant")) return nullptr;
    const name_entry found{tenant_find_.natural(0), name_hash(name)};
    tenant_find_.reset();
    return &tenants_.add(0, name, found);
}

const event_writer::name_entry& event_writer::tenant_made(std::string_view name) {
    if (const auto* known = tenant(name)) return *known;
    wrote_ = true;
    step_done(tenant_add_.bind(1, name), "add a tenant");
    const auto id = static_cast<std::uint64_t>(sqlite3_last_insert_rowid(db_.get()));
    return tenants_.add(0, name, {id, name_hash(name)});
}

const event_writer::name_entry& event_writer::name(posting_kind kind, std::uint64_t tenant,
                                                   std::string_view name) {
    auto& known = names_[static_cast<std::size_t>(kind)];
    if (const auto* entry = known.find(tenant, name)) return *entry;
    auto& [find, add] = name_statements_[static_cast<std::size_t>(kind)];
    name_entry entry{0, name_hash(name)};
    if (step_row(find.bind(1, name).bind(2, tenant), "look up a name")) {
        entry.id = find.natural(0);
        find.reset();
    } else {
        wrote_ = true;
        step_done(add.bind(1, name).bind(2, tenant), "add a name");
        entry.id = static_cast<std::uint64_t>(sqlite3_last_insert_rowid(db_.get()));
    }
    return known.add(tenant, name, entry);
}

log_state::stream_state& event_writer::stream(std::string_view tenant_name, std::string_view name) {
    // The first batch of a tenant: its streams have no tenant to be kept under until one of them
    // is written, and the batch goes on using these entries when it is.
    if (!unborn_.empty()) {
        const auto found = unborn_.find({std::string{tenant_name}, std::string{name}});
        if (found != unborn_.end()) return found->second;
    }
    const auto* in = tenant(tenant_name);
    stream_entry entry;
    entry.name_hash = name_hash(name);
    if (in == nullptr) {
        return unborn_.emplace(std::pair{std::string{tenant_name}, std::string{name}}, entry)
            .first->second;
    }
    if (auto* known = streams_.find(in->id, name)) return *known;
    entry.tenant = in->id;
    entry.tenant_hash = in->hash;
    if (step_row(stream_find_.bind(1, in->id).bind(2, name), "look up a stream")) {
        entry.id = stream_find_.natural(0);
        entry.category = stream_find_.natural(1);
        stream_find_.reset();
        if (step_row(stream_version_.bind(1, entry.id), "look up a version")) {
            entry.ver = stream_version_.natural(0);
            stream_version_.reset();
        }
        if (const auto* rules = rules_of(entry.id, in->id)) {
            entry.deleted = rules->deleted;
            // Its events may be gone.
            entry.ver = std::max(entry.ver, rules->deleted_to);
        }
    }
    return streams_.add(in->id, name, entry);
}

std::optional<log_state::known_event> event_writer::known(statement& asked,
                                                          std::string_view attempted) {
    if (!step_row(asked, attempted)) return std::nullopt;
    const known_event found{.pos = asked.natural(0),
                            .stream = asked.natural(1),
                            .ver = asked.natural(2),
                            .place = static_cast<std::uint32_t>(asked.integer(3)),
                            .recorded_at = asked.integer(4)};
    asked.reset();
    return found;
}

/// An event that is gone, as long as its id is remembered.
std::optional<log_state::known_event> event_writer::removed(statement& asked) {
    if (!step_row(asked, "look up a removed event")) return std::nullopt;
    const auto row = read_removed(db_, asked);
    asked.reset();
    if (!row) {
        failed(row.error());
        return std::nullopt;
    }
    return known_event{.pos = row->pos,
                       .stream = row->stream,
                       .ver = row->ver,
                       .place = row->place,
                       .recorded_at = row->recorded_at};
}

const rule_row* event_writer::rules_of(std::uint64_t stream, std::uint64_t tenant) {
    if (failure()) return nullptr;
    const auto found = rules_.of(stream, tenant);
    if (found) return *found;
    failed(found.error());
    return nullptr;
}

void event_writer::write_rules(const rule_row& row) {
    wrote_ = true;
    rules_changed_ = true;
    bind_rule(rules_put_, row);
    step_done(rules_put_, "write a stream's rules");
    rules_.forget();
    begin_rules(rules_.now());
}

void event_writer::change(const stream_change& change, std::string_view tenant_name,
                          stream_state& state) {
    auto& entry = static_cast<stream_entry&>(state);
    rule_row row;
    if (const auto* known = rules_of(entry.id, entry.tenant)) row = *known;
    row.stream = entry.id;
    row.tenant = entry.tenant;
    switch (change.what) {
        case stream_change::kind::settings:
            row.set(change.settings);
            break;
        case stream_change::kind::soft_delete:
            row.deleted = deletion::soft;
            row.deleted_to = entry.ver;
            break;
        case stream_change::kind::tombstone:
            row.deleted = deletion::forever;
            row.deleted_to = entry.ver;
            break;
    }
    entry.deleted = row.deleted;
    settings_.rules->note(tenant_name);
    write_rules(row);
}

void event_writer::revive(stream_state& state) {
    auto& entry = static_cast<stream_entry&>(state);
    entry.deleted = deletion::none;
    if (const auto* known = rules_of(entry.id, entry.tenant)) {
        rule_row row = *known;
        row.deleted = deletion::none;
        write_rules(row);
    }
}

namespace {

log_state::known_event known_from(const event_row& row) {
    return {.pos = row.pos,
            .stream = row.stream,
            .ver = row.ver,
            .place = row.place,
            .recorded_at = row.recorded_at};
}

}  // namespace

std::optional<log_state::known_event> event_writer::event_with_id(std::string_view tenant_name,
                                                                  const uuid& id) {
    const auto* in = tenant(tenant_name);
    if (in == nullptr) return std::nullopt;
    for (; pending_ids_upto_ < pending_.events.size(); ++pending_ids_upto_) {
        const auto& row = pending_.events[pending_ids_upto_];
        pending_ids_.emplace(id_in_tenant{row.id, row.tenant}, pending_ids_upto_);
    }
    if (const auto found = pending_ids_.find({id, in->id}); found != pending_ids_.end()) {
        return known_from(pending_.events[found->second]);
    }
    auto found = known(by_id_.bind(1, id).bind(2, in->id), "look up an event id");
    if (found || !reclaimer_.any_removed()) return found;
    return removed(removed_by_id_.bind(1, id).bind(2, in->id));
}

std::optional<log_state::known_event> event_writer::event_at(position at) {
    if (!pending_.events.empty() && at >= pending_.events.front().pos) {
        const position index = at - pending_.events.front().pos;
        if (index >= pending_.events.size()) return std::nullopt;
        return known_from(pending_.events[index]);
    }
    auto found = known(by_position_.bind(1, at), "look up an event");
    if (found || !reclaimer_.any_removed()) return found;
    return removed(removed_at_.bind(1, at));
}

std::optional<event_log::stored_answer> event_writer::answer(std::string_view tenant_name,
                                                             std::string_view key, unix_us now) {
    const auto* in = tenant(tenant_name);
    if (in == nullptr) return std::nullopt;
    key_find_.bind(1, in->id).bind(2, key).bind(3, std::int64_t{now});
    if (!step_row(key_find_, "look up an idempotency key")) return std::nullopt;
    event_log::stored_answer found{std::string{key_find_.blob(0)}, std::string{key_find_.text(1)}};
    key_find_.reset();
    return found;
}

void event_writer::create(stream_entry& entry, const recorded_event& event) {
    wrote_ = true;
    if (entry.tenant == 0) {
        const auto& in = tenant_made(event.tenant);
        entry.tenant = in.id;
        entry.tenant_hash = in.hash;
    }
    entry.category = name(posting_kind::category, entry.tenant, category_of(event.stream)).id;
    stream_add_.bind(1, entry.tenant)
        .bind(2, entry.category)
        .bind(3, std::int64_t{event.recorded_at})
        .bind(4, event.stream);
    step_done(stream_add_, "add a stream");
    entry.id = static_cast<std::uint64_t>(sqlite3_last_insert_rowid(db_.get()));
}

void event_writer::add(const recorded_event& event, stream_state& state, std::uint32_t place) {
    auto& stream = static_cast<stream_entry&>(state);
    if (stream.id == 0) create(stream, event);
    const auto& type = name(posting_kind::type, stream.tenant, event.type);
    event_row row{.pos = event.pos,
                  .stream = stream.id,
                  .ver = event.ver,
                  .type = type.id,
                  .category = stream.category,
                  .tenant = stream.tenant,
                  .schema_version = event.schema_version,
                  .place = place,
                  .recorded_at = event.recorded_at,
                  .checksum = 0,
                  .id = event.id,
                  .tags = {},
                  .metadata = event.metadata == "{}" ? std::string_view{} : event.metadata,
                  .data = event.data};
    if (!event.tags.empty()) {
        tag_bytes_.clear();
        encode_tags(tag_bytes_, event.tags);
        auto* kept = static_cast<char*>(batch_memory_.allocate(tag_bytes_.size(), 1));
        std::copy(tag_bytes_.begin(), tag_bytes_.end(), kept);
        row.tags = {kept, tag_bytes_.size()};
        for (const auto tag : event.tags) {
            pending_.tags.push_back({name(posting_kind::tag, stream.tenant, tag).id, event.pos});
        }
    }
    row.checksum = checksum_of(
        row, {.tenant = stream.tenant_hash, .stream = stream.name_hash, .type = type.hash});
    pending_.events.push_back(row);
    ++stream.ver;
    head_ = event.pos;
}

void event_writer::remember(std::string_view tenant_name, const idempotency_entry& entry,
                            std::string answer, unix_us now) {
    const std::uint64_t in = tenant_made(tenant_name).id;
    wrote_ = true;
    key_add_.bind(1, in)
        .bind(2, entry.key)
        .bind_blob(3, entry.fingerprint)
        .bind(4, std::string_view{answer})
        .bind(5, std::int64_t{now + entry.keep_us});
    step_done(key_add_, "record an idempotency key");
}

}  // namespace flexcore::store::sqlite
