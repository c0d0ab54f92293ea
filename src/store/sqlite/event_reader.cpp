#include "store/sqlite/event_reader.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

// Names kept per connection; beyond it the cache starts afresh.
constexpr std::size_t names_kept_max = 16'384;

error damaged(const connection& db, position pos) {
    return {store_errc::corrupt, fmt::format("events.db: the event at position {} is damaged", pos),
            fmt::format("{}: the record at position {} does not fit its checksum", db.file(), pos)};
}

}  // namespace

result<std::unique_ptr<event_reader>> event_reader::open(const connection_settings& settings,
                                                         std::shared_ptr<const rule_board> board) {
    auto db = connection::open(settings);
    if (!db) return fail(std::move(db.error()));
    std::unique_ptr<event_reader> made{new event_reader{std::move(board)}};
    made->db_ = std::move(*db);
    if (auto ok = made->prepare(); !ok) return fail(std::move(ok.error()));
    return made;
}

result<void> event_reader::prepare() {
    const auto events = [](std::string_view rest) {
        return fmt::format("SELECT {} FROM events e {}", event_columns, rest);
    };
    const auto of_stream = [](std::string_view rest) {
        // CROSS JOIN: the stream first, whatever the planner thinks.
        return fmt::format(
            "SELECT {} FROM streams s CROSS JOIN events e ON e.stream=s.id "
            "WHERE s.tenant=?1 AND s.name=?2 AND {} LIMIT ?4",
            event_columns, rest);
    };
    const std::pair<statement*, std::string> all[] = {
        {&begin_, "BEGIN"},
        {&commit_, "COMMIT"},
        {&last_position_, "SELECT max(position) FROM events"},
        {&stream_forward_, of_stream("e.version>=?3 ORDER BY e.version")},
        {&stream_backward_, of_stream("e.version<=?3 AND e.version>=?5 ORDER BY e.version DESC")},
        {&log_forward_, events("WHERE e.position>=?1 ORDER BY e.position")},
        {&log_backward_, events("WHERE e.position<=?1 ORDER BY e.position DESC")},
        {&event_at_, events("WHERE e.position=?1")},
        {&event_by_id_, events("WHERE e.id=?1 AND e.tenant=?2")},
        {&time_at_, "SELECT recorded_at FROM events WHERE position>=?1 ORDER BY position LIMIT 1"},
        {&stream_by_name_, "SELECT id, created_at FROM streams WHERE tenant=?1 AND name=?2"},
        {&streams_,
         "SELECT id, name, created_at FROM streams WHERE tenant=?1 AND name>=?2 AND name<?3 "
         "AND (?4=0 OR category=?4) AND NOT EXISTS "
         "(SELECT 1 FROM stream_rules r WHERE r.stream=streams.id AND r.deleted<>0) "
         "ORDER BY name LIMIT ?5"},
        {&stream_end_,
         "SELECT version, recorded_at FROM events WHERE stream=?1 ORDER BY version DESC LIMIT 1"},
        {&tenant_by_name_, "SELECT id FROM tenants WHERE name=?1"},
        {&tenant_name_, "SELECT name FROM tenants WHERE id=?1"},
        {&stream_name_, "SELECT name FROM streams WHERE id=?1"},
        {&type_name_, "SELECT name FROM types WHERE id=?1"},
        {&category_by_name_, "SELECT id FROM categories WHERE name=?1 AND tenant=?2"},
        {&categories_, "SELECT name FROM categories WHERE tenant=?1 LIMIT ?2"},
        {&answer_,
         "SELECT fingerprint, answer FROM idempotency_keys "
         "WHERE tenant=?1 AND key=?2 AND expires_at>?3"},
    };
    for (const auto& [out, text] : all) {
        if (auto ok = db_.prepare(*out, text); !ok) return ok;
    }
    if (auto ok = rules_.prepare(db_); !ok) return ok;
    return postings_.prepare(db_);
}

result<void> event_reader::snapshot::begin(position& last) {
    if (auto ok = reader.db_.run(reader.begin_, "begin a read"); !ok) return ok;
    // It is opened by the first look.
    run_scope scope{reader.last_position_};
    const int code = reader.last_position_.step();
    if (code != SQLITE_ROW) return fail(reader.db_.failure(code, "read the log's end"));
    last = reader.last_position_.natural(0);
    // Rules have changed since their number was taken, before or after the snapshot: it says.
    const auto changes = reader.board_->changes();
    if (changes != reader.began_with_) reader.rules_.begin(changes | 1, reader.rules_.now());
    return {};
}

void event_reader::trim_caches() {
    if (streams_by_id_.size() > names_kept_max) streams_by_id_.clear();
    if (types_.size() > names_kept_max) types_.clear();
    if (tenants_.size() > names_kept_max) tenants_.clear();
    if (tenant_ids_.size() > names_kept_max) tenant_ids_.clear();
}

result<std::uint64_t> event_reader::tenant_id(std::string_view name) {
    std::string key{name};
    if (const auto known = tenant_ids_.find(key); known != tenant_ids_.end()) {
        return known->second;
    }
    run_scope scope{tenant_by_name_};
    const int code = tenant_by_name_.bind(1, name).step();
    if (code == SQLITE_DONE) return 0;
    if (code != SQLITE_ROW) return fail(db_.failure(code, "look up a tenant"));
    return tenant_ids_[std::move(key)] = tenant_by_name_.natural(0);
}

result<const event_reader::named*> event_reader::name_of(names_by_id& known, statement& asked,
                                                         std::uint64_t id) {
    if (const auto found = known.find(id); found != known.end()) return &found->second;
    run_scope scope{asked};
    const int code = asked.bind(1, id).step();
    if (code == SQLITE_DONE) {
        return fail(
            store_errc::corrupt, "an event's names are missing",
            fmt::format("{}: an event names the id {}, which is not there", db_.file(), id));
    }
    if (code != SQLITE_ROW) return fail(db_.failure(code, "look up a name"));
    named& kept = known[id];
    kept.name = asked.blob(0);
    kept.hash = name_hash(kept.name);
    return &kept;
}

result<recorded_event> event_reader::current(statement& at) {
    const event_row row = row_of(at);
    const auto tenant = name_of(tenants_, tenant_name_, row.tenant);
    if (!tenant) return fail(tenant.error());
    const auto stream = name_of(streams_by_id_, stream_name_, row.stream);
    if (!stream) return fail(stream.error());
    const auto type = name_of(types_, type_name_, row.type);
    if (!type) return fail(type.error());
    const name_hashes hashes{(*tenant)->hash, (*stream)->hash, (*type)->hash};
    const auto tags = count_tags(row.tags);
    if (!tags || checksum_of(row, hashes) != row.checksum) return fail(damaged(db_, row.pos));
    tags_.resize(*tags);
    decode_tags(row.tags, tags_.data());
    return recorded_event{.pos = row.pos,
                          .ver = row.ver,
                          .id = row.id,
                          .recorded_at = row.recorded_at,
                          .schema_version = row.schema_version,
                          .tenant = (*tenant)->name,
                          .stream = (*stream)->name,
                          .type = (*type)->name,
                          .data = row.data,
                          .metadata = row.metadata.empty() ? std::string_view{"{}"} : row.metadata,
                          .tags = tags_};
}

result<void> event_reader::add_current(statement& at, event_page& page) {
    const auto event = current(at);
    if (!event) return fail(event.error());
    page.add(*event);
    return {};
}

result<event_reader::found_stream> event_reader::find(std::uint64_t tenant, std::string_view name,
                                                      bool waits) {
    found_stream found;
    {
        run_scope scope{stream_by_name_};
        const int code = stream_by_name_.bind(1, tenant).bind(2, name).step();
        if (code == SQLITE_DONE) return fail(no_such_stream(name));
        if (code != SQLITE_ROW) return fail(db_.failure(code, "look up a stream"));
        found.id = stream_by_name_.natural(0);
        found.created_at = stream_by_name_.integer(1);
    }
    const auto rules = rules_.of(found.id, tenant);
    if (!rules) return fail(rules.error());
    found.rules = *rules;
    if (found.rules == nullptr) return found;
    if (found.rules->deleted == deletion::forever) return fail(stream_is_deleted(name));
    if (found.rules->deleted == deletion::soft && !waits) return fail(no_such_stream(name));
    return found;
}

result<stream_page> event_reader::read_stream(std::string_view tenant, std::string_view stream,
                                              version from, std::size_t limit, direction way) {
    if (auto ok = check_limit(limit); !ok) return fail(ok.error());
    trim_caches();
    return under_rules([&]() -> result<stream_page> {
        const auto in = tenant_id(tenant);
        if (!in) return fail(in.error());
        version first = 1;
        if (!rules_.empty()) {
            const auto found = find(*in, stream);
            if (!found) return fail(found.error());
            if (found->rules != nullptr) {
                const auto last = rules_.last_version(*found->rules);
                if (!last) return fail(last.error());
                const auto served = rules_.first_served(*found->rules, *last);
                if (!served) return fail(served.error());
                first = *served;
            }
        }
        return read_versions(*in, stream, from, first, limit, way);
    });
}

result<stream_page> event_reader::read_history(std::string_view tenant, std::string_view stream,
                                               version from, std::size_t limit) {
    if (auto ok = check_limit(limit); !ok) return fail(ok.error());
    trim_caches();
    return under_rules([&]() -> result<stream_page> {
        const auto in = tenant_id(tenant);
        if (!in) return fail(in.error());
        version base = 0;
        if (!rules_.empty()) {
            const auto found = find(*in, stream, true);
            if (!found) return fail(found.error());
            if (found->rules != nullptr) base = found->rules->deleted_to;
        }
        auto page = read_versions(*in, stream, from, base + 1, limit, direction::forward);
        if (page) page->base = base;
        return page;
    });
}

/// Versions from `first` on, those before it left out.
result<stream_page> event_reader::read_versions(std::uint64_t tenant, std::string_view stream,
                                                version from, version first, std::size_t limit,
                                                direction way) {
    const bool forward = way == direction::forward;
    if (from == 0) from = forward ? 1 : INT64_MAX;
    if (forward) from = std::max(from, first);
    from = std::min<version>(from, INT64_MAX);
    auto& asked = forward ? stream_forward_ : stream_backward_;
    run_scope scope{asked};
    // One more than the page holds tells whether there is more.
    const std::uint64_t rows_max = std::min<std::uint64_t>(limit, INT64_MAX - 1) + 1;
    asked.bind(1, tenant).bind(2, stream).bind(3, from).bind(4, rows_max);
    if (!forward) asked.bind(5, std::min<version>(first, INT64_MAX));
    event_page events{limit};
    stream_page page;
    bool any = false;
    int code = asked.step();
    for (; code == SQLITE_ROW; code = asked.step()) {
        any = true;
        if (events.full()) {
            page.next = asked.natural(2);
            break;
        }
        if (auto ok = add_current(asked, events); !ok) return fail(ok.error());
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(db_.failure(code, "read a stream"));
    if (!any) {
        if (const auto known = find(tenant, stream, true); !known) return fail(known.error());
    }
    page.batch = std::move(events).finish();
    return page;
}

result<std::shared_ptr<const event_batch>> event_reader::read_event(std::string_view tenant,
                                                                    const uuid& id) {
    trim_caches();
    return under_rules([&]() -> result<std::shared_ptr<const event_batch>> {
        const auto in = tenant_id(tenant);
        if (!in) return fail(in.error());
        run_scope scope{event_by_id_};
        const int code = event_by_id_.bind(1, id).bind(2, *in).step();
        if (code == SQLITE_DONE) return fail(no_such_event(id));
        if (code != SQLITE_ROW) return fail(db_.failure(code, "read an event"));
        event_page page{1};
        if (auto ok = add_current(event_by_id_, page); !ok) return fail(ok.error());
        const auto hidden = rules_.hides(event_by_id_.natural(1), *in, event_by_id_.natural(2),
                                         event_by_id_.integer(8));
        if (!hidden) return fail(hidden.error());
        if (*hidden) return fail(no_such_event(id));
        return std::move(page).finish();
    });
}

result<stream_info> event_reader::info_of(const found_stream& stream, std::string_view name) {
    stream_info info;
    info.stream = name;
    info.created_at = stream.created_at;
    if (stream.rules != nullptr) info.settings = stream.rules->settings();
    run_scope scope{stream_end_};
    const int code = stream_end_.bind(1, stream.id).step();
    if (code != SQLITE_ROW) return fail(db_.failure(code, "read a stream's end"));
    info.ver = stream_end_.natural(0);
    info.updated_at = stream_end_.integer(1);
    return info;
}

result<stream_info> event_reader::stream(std::string_view tenant, std::string_view name) {
    return under_rules([&]() -> result<stream_info> {
        const auto in = tenant_id(tenant);
        if (!in) return fail(in.error());
        const auto found = find(*in, name);
        if (!found) return fail(found.error());
        return info_of(*found, name);
    });
}

result<stream_list> event_reader::streams(std::string_view tenant, std::string_view category,
                                          std::string_view prefix, std::string_view after,
                                          std::size_t limit) {
    if (auto ok = check_limit(limit); !ok) return fail(ok.error());
    return under_rules([&]() -> result<stream_list> {
        stream_list list;
        const auto in = tenant_id(tenant);
        if (!in) return fail(in.error());
        std::uint64_t only = 0;
        // All names of a category begin with it, so it narrows the range as a prefix does.
        std::string from{prefix};
        if (!category.empty()) {
            run_scope scope{category_by_name_};
            const int code = category_by_name_.bind(1, category).bind(2, *in).step();
            if (code == SQLITE_DONE) return list;
            if (code != SQLITE_ROW) return fail(db_.failure(code, "look up a category"));
            only = category_by_name_.natural(0);
            if (category.starts_with(prefix)) {
                from = category;
            } else if (!prefix.starts_with(category)) {
                return list;
            }
        }
        std::string below = from;
        if (below.empty()) {
            below = "\xff";  // above all UTF-8
        } else {
            below.back() = static_cast<char>(below.back() + 1);
        }
        if (after >= std::string_view{from} && !after.empty()) {
            from = after;
            from += '\0';  // the next name there can be
        }
        run_scope scope{streams_};
        const std::uint64_t rows_max = std::min<std::uint64_t>(limit, INT64_MAX - 1) + 1;
        streams_.bind(1, *in).bind(2, from).bind(3, below).bind(4, only).bind(5, rows_max);
        int code = streams_.step();
        for (; code == SQLITE_ROW; code = streams_.step()) {
            if (list.items.size() == limit) {
                list.next = list.items.back().stream;
                break;
            }
            found_stream found{
                .id = streams_.natural(0), .created_at = streams_.integer(2), .rules = nullptr};
            const auto rules = rules_.of(found.id, *in);
            if (!rules) return fail(rules.error());
            found.rules = *rules;
            auto whole = info_of(found, streams_.text(1));
            if (!whole) return fail(whole.error());
            list.items.push_back(std::move(*whole));
        }
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return fail(db_.failure(code, "list streams"));
        return list;
    });
}

result<std::optional<event_log::stored_answer>> event_reader::find_answer(std::string_view tenant,
                                                                          std::string_view key,
                                                                          unix_us now) {
    const auto in = tenant_id(tenant);
    if (!in) return fail(in.error());
    run_scope scope{answer_};
    const int code = answer_.bind(1, *in).bind(2, key).bind(3, std::int64_t{now}).step();
    if (code == SQLITE_DONE) return std::nullopt;
    if (code != SQLITE_ROW) return fail(db_.failure(code, "look up an idempotency key"));
    return event_log::stored_answer{std::string{answer_.blob(0)}, std::string{answer_.text(1)}};
}

result<event_reader::log_end> event_reader::end() {
    run_scope scope{log_backward_};
    const int code = log_backward_.bind(1, std::int64_t{INT64_MAX}).step();
    if (code == SQLITE_DONE) return log_end{};
    if (code != SQLITE_ROW) return fail(db_.failure(code, "read the log's end"));
    const auto last = current(log_backward_);
    if (!last) return fail(last.error());
    return log_end{last->pos, last->recorded_at};
}

result<std::shared_ptr<const event_batch>> event_reader::read_all(position after) {
    run_scope scope{log_forward_};
    log_forward_.bind(1, after + 1);
    event_page page{SIZE_MAX};
    int code = log_forward_.step();
    for (; code == SQLITE_ROW; code = log_forward_.step()) {
        if (auto ok = add_current(log_forward_, page); !ok) return fail(ok.error());
    }
    if (code != SQLITE_DONE) return fail(db_.failure(code, "read the log"));
    return std::move(page).finish();
}

}  // namespace flexcore::store::sqlite
