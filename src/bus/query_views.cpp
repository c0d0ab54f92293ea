#include "bus/query_views_impl.hpp"

namespace flexcore::bus {

recorded_views::recorded_views(store::view_store& views, const change_counters& changes,
                               std::string tenant, const std::vector<std::string>& models)
    : store_{views}, changes_{changes}, tenant_{std::move(tenant)}, models_{models} {}

/// Whether a later snapshot shows what was read before as it was. A commit that is being made may
/// be in it already: then nobody can tell.
bool recorded_views::unchanged(change_counters::slot also) const noexcept {
    const auto still = [&](auto slot) {
        return !changes_.changing(slot) && changes_.value(slot) <= seen_;
    };
    return still(also) && std::all_of(rows_.begin(), rows_.end(), still) &&
           std::all_of(scanned_.begin(), scanned_.end(), still);
}

template <class Read>
auto recorded_views::with_reader(std::string_view model, change_counters::slot slot, Read read)
    -> decltype(read(std::declval<store::view_reader&>())) {
    const std::lock_guard lock{mutex_};
    if (closed_) return fail(bus_errc::handler_failed, "the query is over");
    if (std::find(models_.begin(), models_.end(), model) == models_.end()) {
        return fail(store::store_errc::unknown_model,
                    "the query does not declare that it reads " + std::string{model});
    }
    // The number comes before the snapshot: a change between the two is seen, and counts as one.
    const bool first = !std::exchange(begun_, true);
    if (first) seen_ = changes_.last();
    const bool at_home = !home_over_ && std::this_thread::get_id() == home_;
    if (at_home && snapshot_) return read(*snapshot_);

    auto opened = store_.read();
    if (!opened) {
        failed_ = true;
        return std::unexpected{std::move(opened.error())};
    }
    if (at_home && first) {
        snapshot_ = std::move(*opened);
        return read(*snapshot_);
    }
    auto value = read(**opened);
    if (!first && !unchanged(slot)) {
        moved_ = true;
        return fail(bus_errc::busy, "the read models have changed meanwhile");
    }
    return value;
}

result<std::optional<store::row>> recorded_views::get(std::string_view model,
                                                      std::string_view key) {
    const auto slot = change_counters::row_slot(tenant_, model, key);
    return with_reader(model, slot,
                       [&](store::view_reader& from) -> result<std::optional<store::row>> {
                           auto row = from.get(tenant_, model, key);
                           if (!row) {
                               failed_ = true;
                               return row;
                           }
                           if (*row) pos_ = std::max(pos_, (*row)->pos);
                           // Beyond some rows the model as a whole stands for them: cheaper to
                           // check.
                           if (rows_.size() < rows_max) {
                               rows_.push_back(slot);
                           } else {
                               const auto whole = change_counters::model_slot(tenant_, model);
                               if (scanned_.empty() || scanned_.back() != whole)
                                   scanned_.push_back(whole);
                           }
                           return row;
                       });
}

result<store::row_page> recorded_views::scan(std::string_view model,
                                             const store::scan_query& query) {
    const auto slot = change_counters::model_slot(tenant_, model);
    return with_reader(model, slot, [&](store::view_reader& from) -> result<store::row_page> {
        auto page = from.scan(tenant_, model, query);
        failed_ = failed_ || !page;
        if (!page) return page;
        const auto changed = from.changed_at(model);
        failed_ = failed_ || !changed;
        if (!changed) return std::unexpected{changed.error()};
        pos_ = std::max(pos_, *changed);
        scanned_.push_back(slot);
        return page;
    });
}

void recorded_views::release_snapshot() {
    const std::lock_guard lock{mutex_};
    home_over_ = true;
    snapshot_.reset();
}

void recorded_views::close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
}

std::vector<change_counters::slot> recorded_views::read() const {
    std::vector<change_counters::slot> all = scanned_;
    all.insert(all.end(), rows_.begin(), rows_.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

}  // namespace flexcore::bus
