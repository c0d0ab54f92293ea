#include "store/memory/memory_views.hpp"

#include "store/row_query_impl.hpp"
#include "store/view_errors_impl.hpp"

#include <map>
#include <mutex>

namespace flexcore::store::memory {
namespace {

struct stored_row {
    row content;
    std::vector<scalar> values;  ///< of the model's indexed fields
};

struct table {
    model_spec spec;
    position changed_at = 0;
    std::map<std::pair<std::string, std::string>, stored_row> rows;  ///< by tenant and key
};

using tables = std::map<std::string, std::shared_ptr<const table>, std::less<>>;

struct stored_generation {
    generation about;
    tables models;
};

struct contents {
    std::map<generation_id, stored_generation> generations;
};

const scalar& value_of(const table& in, const stored_row& from, const std::string& field) {
    const auto at = std::find(in.spec.indexed.begin(), in.spec.indexed.end(), field);
    return from.values[static_cast<std::size_t>(at - in.spec.indexed.begin())];
}

scan_place place_of(const table& in, const scan_query& query, const stored_row& from) {
    scan_place place;
    for (const auto& order : query.order) {
        place.values.push_back(value_of(in, from, order.field));
    }
    place.key = from.content.key;
    return place;
}

bool before(const scan_query& query, const scan_place& left, const scan_place& right) {
    for (std::size_t i = 0; i < query.order.size(); ++i) {
        const auto order = compare_scalars(left.values[i], right.values[i]);
        if (order != 0) return query.order[i].descending ? order > 0 : order < 0;
    }
    return left.key < right.key;
}

result<row_page> scan_table(const table& in, std::string_view tenant, const scan_query& query) {
    if (auto ok = check_scan(in.spec, query); !ok) return fail(ok.error());
    std::optional<scan_place> after;
    if (!query.after.empty()) {
        auto place = decode_cursor(in.spec.name, query, query.after);
        if (!place) return fail(place.error());
        after = std::move(*place);
    }
    std::vector<std::pair<scan_place, const stored_row*>> found;
    for (const auto& [id, candidate] : in.rows) {
        if (id.first != tenant) continue;
        const bool wanted = std::all_of(
            query.where.begin(), query.where.end(), [&](const scan_query::condition& condition) {
                return holds(condition, value_of(in, candidate, condition.field));
            });
        if (!wanted) continue;
        auto place = place_of(in, query, candidate);
        if (after && !before(query, *after, place)) continue;
        found.emplace_back(std::move(place), &candidate);
    }
    std::sort(found.begin(), found.end(), [&](const auto& left, const auto& right) {
        return before(query, left.first, right.first);
    });
    row_page page;
    for (const auto& [place, candidate] : found) {
        if (page.rows.size() == query.limit) {
            page.next = encode_cursor(in.spec.name, query, found[query.limit - 1].first);
            break;
        }
        page.rows.push_back(candidate->content);
    }
    return page;
}

result<std::optional<row>> get_from(const table& in, std::string_view tenant,
                                    std::string_view key) {
    const auto found = in.rows.find({std::string{tenant}, std::string{key}});
    if (found == in.rows.end()) return std::nullopt;
    return found->second.content;
}

class memory_reader final : public view_reader {
public:
    explicit memory_reader(tables models) : models_{std::move(models)} {}

    result<std::optional<row>> get(std::string_view tenant, std::string_view model,
                                   std::string_view key) override {
        const auto found = models_.find(model);
        if (found == models_.end()) return fail(unknown_model(model));
        return get_from(*found->second, tenant, key);
    }
    result<row_page> scan(std::string_view tenant, std::string_view model,
                          const scan_query& query) override {
        const auto found = models_.find(model);
        if (found == models_.end()) return fail(unknown_model(model));
        return scan_table(*found->second, tenant, query);
    }
    result<position> changed_at(std::string_view model) override {
        const auto found = models_.find(model);
        if (found == models_.end()) return fail(unknown_model(model));
        return found->second->changed_at;
    }

private:
    const tables models_;
};

class memory_views final : public view_store {
public:
    result<std::vector<generation>> generations() override {
        std::lock_guard lock{mutex_};
        std::vector<generation> all;
        all.reserve(contents_.generations.size());
        for (const auto& [id, stored] : contents_.generations) all.push_back(stored.about);
        return all;
    }
    result<generation> create(std::string_view projection, std::uint32_t version,
                              const std::vector<model_spec>& models) override;
    result<void> serve(generation_id id) override;
    result<void> drop(generation_id id) override;
    result<void> set_paused(std::string_view projection, bool paused) override;
    result<void> set_stopped(generation_id id, std::string_view why) override;
    result<std::unique_ptr<view_transaction>> begin(generation_id id, position expected) override;
    result<std::unique_ptr<view_reader>> read() override;
    void stop() override {
        std::lock_guard lock{mutex_};
        stopped_ = true;
    }

    result<void> commit(generation_id id, tables models, position checkpoint) {
        std::lock_guard lock{mutex_};
        const auto found = contents_.generations.find(id);
        if (found == contents_.generations.end()) return fail(unknown_generation(id));
        found->second.models = std::move(models);
        found->second.about.checkpoint = checkpoint;
        return {};
    }
    void transaction_ended() { open_ = false; }

private:
    std::mutex mutex_;
    contents contents_;
    generation_id last_id_ = 0;
    bool open_ = false;  // of the writing thread only
    bool stopped_ = false;
};

class memory_transaction final : public view_transaction {
public:
    memory_transaction(memory_views& store, generation_id id, position checkpoint, tables models)
        : store_{store}, id_{id}, checkpoint_{checkpoint}, models_{std::move(models)} {}
    ~memory_transaction() override { end(); }

    result<std::optional<row>> get(std::string_view tenant, std::string_view model,
                                   std::string_view key) override {
        if (ended_) return fail(transaction_over());
        return memory_reader{models_}.get(tenant, model, key);
    }
    result<row_page> scan(std::string_view tenant, std::string_view model,
                          const scan_query& query) override {
        if (ended_) return fail(transaction_over());
        return memory_reader{models_}.scan(tenant, model, query);
    }
    result<position> changed_at(std::string_view model) override {
        if (ended_) return fail(transaction_over());
        return memory_reader{models_}.changed_at(model);
    }
    result<void> put(std::string_view tenant, std::string_view model, std::string_view key,
                     std::string_view json, position pos) override {
        if (ended_) return fail(transaction_over());
        auto* in = own(model);
        if (in == nullptr) return fail(unknown_model(model));
        auto values = indexed_values(json, in->spec.indexed);
        if (!values) return fail(values.error());
        in->rows[{std::string{tenant}, std::string{key}}] = {
            {std::string{key}, std::string{json}, pos}, std::move(*values)};
        in->changed_at = std::max(in->changed_at, pos);
        return {};
    }
    result<void> remove(std::string_view tenant, std::string_view model, std::string_view key,
                        position pos) override {
        if (ended_) return fail(transaction_over());
        auto* in = own(model);
        if (in == nullptr) return fail(unknown_model(model));
        if (in->rows.erase({std::string{tenant}, std::string{key}}) != 0) {
            in->changed_at = std::max(in->changed_at, pos);
        }
        return {};
    }
    result<void> commit(position new_checkpoint) override {
        if (ended_) return fail(transaction_over());
        if (new_checkpoint < checkpoint_) return fail(checkpoint_goes_back());
        end();
        return store_.commit(id_, std::move(models_), new_checkpoint);
    }

private:
    /// The transaction's own copy of a table, made at the first change.
    table* own(std::string_view model) {
        const auto found = models_.find(model);
        if (found == models_.end()) return nullptr;
        auto& copy = own_[found->first];
        if (!copy) {
            copy = std::make_shared<table>(*found->second);
            found->second = copy;
        }
        return copy.get();
    }
    void end() {
        if (!std::exchange(ended_, true)) store_.transaction_ended();
    }

    memory_views& store_;
    const generation_id id_;
    const position checkpoint_;
    tables models_;
    std::map<std::string, std::shared_ptr<table>> own_;
    bool ended_ = false;
};

result<generation> memory_views::create(std::string_view projection, std::uint32_t version,
                                        const std::vector<model_spec>& models) {
    if (auto ok = check_models(models); !ok) return fail(ok.error());
    std::lock_guard lock{mutex_};
    generation made;
    made.projection = projection;
    made.version = version;
    made.models = models;
    bool first = true;
    for (const auto& [id, stored] : contents_.generations) {
        if (stored.about.projection == projection) {
            first = false;
            made.paused = stored.about.paused;
            continue;
        }
        for (const auto& model : models) {
            if (stored.models.contains(model.name)) return fail(model_taken(model.name));
        }
    }
    made.id = ++last_id_;
    made.serving = first;
    auto& stored = contents_.generations[made.id];
    stored.about = made;
    for (const auto& model : models) {
        stored.models[model.name] =
            std::make_shared<table>(table{.spec = model, .changed_at = 0, .rows = {}});
    }
    return made;
}

result<void> memory_views::serve(generation_id id) {
    std::lock_guard lock{mutex_};
    const auto found = contents_.generations.find(id);
    if (found == contents_.generations.end()) return fail(unknown_generation(id));
    found->second.about.serving = true;
    std::erase_if(contents_.generations, [&](const auto& entry) {
        return entry.first != id && entry.second.about.projection == found->second.about.projection;
    });
    return {};
}

result<void> memory_views::drop(generation_id id) {
    std::lock_guard lock{mutex_};
    if (contents_.generations.erase(id) == 0) return fail(unknown_generation(id));
    return {};
}

result<void> memory_views::set_paused(std::string_view projection, bool paused) {
    std::lock_guard lock{mutex_};
    for (auto& [id, stored] : contents_.generations) {
        if (stored.about.projection == projection) stored.about.paused = paused;
    }
    return {};
}

result<void> memory_views::set_stopped(generation_id id, std::string_view why) {
    std::lock_guard lock{mutex_};
    const auto found = contents_.generations.find(id);
    if (found == contents_.generations.end()) return fail(unknown_generation(id));
    found->second.about.stopped_because = why;
    return {};
}

result<std::unique_ptr<view_transaction>> memory_views::begin(generation_id id, position expected) {
    std::lock_guard lock{mutex_};
    if (stopped_) return fail(views_stopped());
    if (open_) return fail(transaction_open());
    const auto found = contents_.generations.find(id);
    if (found == contents_.generations.end()) return fail(unknown_generation(id));
    if (found->second.about.checkpoint != expected) {
        return fail(checkpoint_elsewhere(found->second.about.checkpoint, expected));
    }
    open_ = true;
    return std::make_unique<memory_transaction>(*this, id, expected, found->second.models);
}

result<std::unique_ptr<view_reader>> memory_views::read() {
    std::lock_guard lock{mutex_};
    if (stopped_) return fail(views_stopped());
    tables serving;
    for (const auto& [id, stored] : contents_.generations) {
        if (stored.about.serving) serving.insert(stored.models.begin(), stored.models.end());
    }
    return std::make_unique<memory_reader>(std::move(serving));
}

}  // namespace

std::unique_ptr<view_store> open_views() { return std::make_unique<memory_views>(); }

}  // namespace flexcore::store::memory
