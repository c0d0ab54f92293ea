// event_writer as log_state: what a decision asks, and what it adds.

#include "base/names.hpp"
#include "store/postgres/event_writer.hpp"

#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

constexpr sql event_by_position{
    "event_by_position",
    "SELECT position, stream, version, place, recorded_at FROM events WHERE position = $1 "
    "UNION ALL SELECT position, stream, version, place, recorded_at FROM removed_ids "
    "WHERE position = $1"};
// Of the events before $2, or, when none is known, of those from there on: what was removed lies
// below what is there. $3: the stream's last version, when nothing is known of its events.
constexpr sql version_at{
    "version_at",
    "SELECT coalesce((SELECT version FROM events WHERE stream = $1 AND position < $2 "
    "ORDER BY version DESC LIMIT 1), "
    "(SELECT version FROM removed_ids WHERE stream = $1 AND position < $2 "
    "ORDER BY position DESC LIMIT 1), "
    "(SELECT version - 1 FROM removed_ids WHERE stream = $1 AND position >= $2 "
    "ORDER BY position LIMIT 1), "
    "(SELECT version - 1 FROM events WHERE stream = $1 ORDER BY version LIMIT 1), $3)"};

}  // namespace

result<pqxx::result> event_writer::asked(const sql& what, const params& with) {
    if (failure()) return fail(*failure());
    auto rows = db_->run(what, with);
    if (!rows) failed(rows.error());
    return rows;
}

/// Null when there is no such tenant, as far as is known.
std::uint64_t* event_writer::tenant(std::string_view name) {
    return names_[static_cast<std::size_t>(name_kind::tenant)].find(0, name);
}

std::uint64_t event_writer::tenant_made(std::string_view name) {
    if (const auto* known = tenant(name)) return *known;
    return name_made(name_kind::tenant, 0, name);
}

/// Names are looked up before the decision: one that is not known then is not there.
std::uint64_t event_writer::name_made(name_kind kind, std::uint64_t in, std::string_view name) {
    auto& known = names_[static_cast<std::size_t>(kind)];
    if (const auto* id = known.find(in, name)) return *id;
    const std::uint64_t id = ++last_id_;
    rows_->add_name(id, kind, in, name);
    made_names_.push_back({kind, in, std::string{name}});
    return known.add(in, name, id);
}

log_state::stream_state& event_writer::stream(std::string_view tenant_name, std::string_view name) {
    // The first batch of a tenant: its streams have no tenant to be kept under until one of them
    // is written, and the batch goes on using these entries when it is.
    if (!unborn_.empty()) {
        const auto found = unborn_.find({std::string{tenant_name}, std::string{name}});
        if (found != unborn_.end()) return found->second;
    }
    const auto* in = tenant(tenant_name);
    if (in == nullptr) {
        return unborn_
            .emplace(text_pair{std::string{tenant_name}, std::string{name}}, stream_entry{})
            .first->second;
    }
    if (auto* known = streams_.find(*in, name)) return *known;
    stream_entry absent;
    absent.tenant = *in;
    // Gone again when the try comes to nothing: its tenant may be one that is only made in it.
    absent_streams_.emplace_back(*in, std::string{name});
    if (!looked_) {
        assumed_ = true;
        rows_->assume_no_stream(*in, name);
    }
    return streams_.add(*in, name, absent);
}

std::optional<log_state::known_event> event_writer::known_by(const sql& what, const params& with) {
    const auto rows = asked(what, with);
    if (!rows || rows->empty()) return std::nullopt;
    const auto row = (*rows)[0];
    return known_event{.pos = row[0].as<position>(),
                       .stream = row[1].as<std::uint64_t>(),
                       .ver = row[2].as<version>(),
                       .place = row[3].as<std::uint32_t>(),
                       .recorded_at = row[4].as<unix_us>()};
}

std::optional<log_state::known_event> event_writer::event_with_id(std::string_view tenant_name,
                                                                  const uuid& id) {
    const auto* in = tenant(tenant_name);
    if (in == nullptr) return std::nullopt;
    if (const auto found = pending_ids_.find({*in, id}); found != pending_ids_.end()) {
        return pending_[found->second].known;
    }
    if (looked_) {
        const auto found = found_ids_.find({*in, id});
        return found == found_ids_.end() ? std::nullopt : std::optional{found->second};
    }
    assumed_ = true;
    rows_->assume_no_event(*in, id);
    return std::nullopt;
}

std::optional<log_state::known_event> event_writer::event_at(position at) {
    if (at > head_.pos) {
        const position index = at - head_.pos - 1;
        if (index >= pending_.size()) return std::nullopt;
        return pending_[index].known;
    }
    return known_by(event_by_position, params{}.add(at));
}

version event_writer::version_before(const stream_state& state, position before) {
    if (state.id == 0) return 0;
    version ver = state.ver;
    for (const auto& one : pending_) {
        if (one.known.stream == state.id && one.known.pos >= before)
            ver = std::min(ver, one.known.ver - 1);
    }
    if (before > head_.pos) return ver;
    const auto rows = asked(version_at, params{}.add(state.id).add(before).add(ver));
    return rows ? (*rows)[0][0].as<version>() : 0;
}

std::optional<event_log::stored_answer> event_writer::answer(std::string_view tenant_name,
                                                             std::string_view key, unix_us) {
    const text_pair name{std::string{tenant_name}, std::string{key}};
    if (const auto found = pending_keys_.find(name);
        found != pending_keys_.end() && found->second.expires_at > keys_at_) {
        return event_log::stored_answer{std::string{found->second.entry->fingerprint},
                                        found->second.answer};
    }
    const auto* in = tenant(tenant_name);
    if (in == nullptr) return std::nullopt;
    if (looked_) {
        const auto found = found_keys_.find(name);
        return found == found_keys_.end() ? std::nullopt : std::optional{found->second};
    }
    assumed_ = true;
    rows_->assume_no_key(*in, key);
    return std::nullopt;
}

void event_writer::touch(stream_entry& entry) {
    const auto same = [&](const auto& one) { return one.first == &entry; };
    // The last one touched is the likeliest; twice does no harm, undone from the last on.
    if (!touched_.empty() && same(touched_.back())) return;
    touched_.emplace_back(&entry, entry);
}

void event_writer::add(const recorded_event& event, stream_state& state, std::uint32_t place) {
    auto& stream = static_cast<stream_entry&>(state);
    touch(stream);
    if (stream.id == 0) {
        stream.tenant = tenant_made(event.tenant);
        stream.category = name_made(name_kind::category, stream.tenant, category_of(event.stream));
        stream.id = ++last_id_;
        rows_->add_stream(stream.id, stream.tenant, stream.category, event.stream);
    }
    const event_ids of{.stream = stream.id,
                       .type = name_made(name_kind::type, stream.tenant, event.type),
                       .category = stream.category,
                       .tenant = stream.tenant};
    rows_->add_event(event, of, place);
    for (const auto tag : event.tags)
        rows_->add_tag(name_made(name_kind::tag, stream.tenant, tag), event.pos);
    pending_ids_.emplace(id_in_tenant{stream.tenant, event.id}, pending_.size());
    pending_.push_back({.known = {.pos = event.pos,
                                  .stream = stream.id,
                                  .ver = event.ver,
                                  .place = place,
                                  .recorded_at = event.recorded_at},
                        .tenant = stream.tenant,
                        .id = event.id});
    pending_shown_.push_back(event);
    ++stream.ver;
    head_position_ = event.pos;
}

void event_writer::write_rules(stream_entry& entry) {
    entry.deleted = entry.rules.deleted;
    changed_rules_[entry.id] = &entry;
}

void event_writer::change(const stream_change& change, std::string_view tenant_name,
                          stream_state& state) {
    auto& entry = static_cast<stream_entry&>(state);
    touch(entry);
    switch (change.what) {
        case stream_change::kind::settings:
            entry.rules.set(change.settings);
            break;
        case stream_change::kind::soft_delete:
            entry.rules.deleted = deletion::soft;
            entry.rules.deleted_to = entry.ver;
            break;
        case stream_change::kind::tombstone:
            entry.rules.deleted = deletion::forever;
            entry.rules.deleted_to = entry.ver;
            break;
    }
    settings_.rules->note(tenant_name);
    write_rules(entry);
}

void event_writer::revive(stream_state& state) {
    auto& entry = static_cast<stream_entry&>(state);
    touch(entry);
    entry.rules.deleted = deletion::none;
    write_rules(entry);
}

void event_writer::remember(std::string_view tenant_name, const idempotency_entry& entry,
                            std::string answer, unix_us) {
    const std::uint64_t in = tenant_made(tenant_name);
    pending_keys_[{std::string{tenant_name}, std::string{entry.key}}] = {
        .entry = &entry,
        .answer = std::move(answer),
        .tenant = in,
        .expires_at = keys_at_ + entry.keep_us};
}

}  // namespace flexcore::store::postgres
