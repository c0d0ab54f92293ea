#include "domain/projection_access_impl.hpp"

#include "domain/errc.hpp"

#include <algorithm>

namespace flexcore::domain {
namespace {

error apply_is_over() {
    return {domain_errc::behavior_failed, "the apply is over, its read models are closed"};
}

/// The behavior's way back. Dropped unused it fails the apply.
class apply_completion {
public:
    apply_completion(std::shared_ptr<apply_access> access, std::shared_ptr<const void> keep)
        : access_{std::move(access)}, keep_{std::move(keep)} {}
    apply_completion(apply_completion&&) noexcept = default;
    apply_completion& operator=(apply_completion&&) = delete;
    ~apply_completion() {
        if (access_) {
            access_->complete(
                fail(domain_errc::behavior_failed, "apply dropped its callback unused"));
        }
    }
    void operator()(result<void> how) { access_->complete(std::move(how)); }

private:
    std::shared_ptr<apply_access> access_;
    std::shared_ptr<const void> keep_;
};

}  // namespace

bool is_store_failure(const error& why) noexcept {
    return why.code == store::store_errc::unavailable || why.code == store::store_errc::full ||
           why.code == store::store_errc::corrupt || why.code == store::store_errc::stopped;
}

apply_access::apply_access(store::view_transaction& rows, std::string_view tenant,
                           const std::vector<store::model_spec>& models,
                           std::vector<bus::change_counters::slot>* changed)
    : rows_{rows}, tenant_{tenant}, models_{models}, changed_{changed} {}

template <class Result, class Work>
Result apply_access::in_turn(std::string_view model, Work work) {
    const std::lock_guard lock{mutex_};
    if (over_) return fail(apply_is_over());  // what the members refer to may be gone
    if (std::none_of(models_.begin(), models_.end(),
                     [&](const auto& spec) { return spec.name == model; })) {
        return fail(store::store_errc::unknown_model,
                    "the projection does not write " + std::string{model});
    }
    if (broken_) return fail(*broken_);
    Result done = work();
    if (!done && is_store_failure(done.error())) broken_ = done.error();
    return done;
}

void apply_access::note(std::string_view model, std::string_view key) {
    if (changed_ == nullptr) return;
    changed_->push_back(bus::change_counters::row_slot(tenant_, model, key));
    const auto whole = bus::change_counters::model_slot(tenant_, model);
    changed_->push_back(whole);
}

result<std::optional<store::row>> apply_access::get(std::string_view model, std::string_view key) {
    return in_turn<result<std::optional<store::row>>>(
        model, [&] { return rows_.get(tenant_, model, key); });
}

result<void> apply_access::put(std::string_view model, std::string_view key,
                               std::string_view row_json, store::position pos) {
    return in_turn<result<void>>(model, [&] {
        note(model, key);
        return rows_.put(tenant_, model, key, row_json, pos);
    });
}

result<void> apply_access::remove(std::string_view model, std::string_view key,
                                  store::position pos) {
    return in_turn<result<void>>(model, [&] {
        note(model, key);
        return rows_.remove(tenant_, model, key, pos);
    });
}

result<store::row_page> apply_access::scan(std::string_view model, const store::scan_query& query) {
    return in_turn<result<store::row_page>>(model,
                                            [&] { return rows_.scan(tenant_, model, query); });
}

void apply_access::complete(result<void> how) {
    const std::lock_guard lock{mutex_};
    if (completion_) return;
    completion_ = std::move(how);
    completed_.notify_all();
}

result<void> apply_access::wait(deadline until) {
    std::unique_lock lock{mutex_};
    completed_.wait_until(lock, until, [&] { return completion_.has_value(); });
    over_ = true;
    if (completion_) return std::move(*completion_);
    return fail(domain_errc::behavior_failed, "apply was not done by its deadline");
}

std::optional<error> apply_access::store_failure() const {
    const std::lock_guard lock{mutex_};
    return broken_;
}

result<void> apply_events(projection_behavior& behavior, std::shared_ptr<apply_access> access,
                          std::string_view tenant, std::span<const store::recorded_event> events,
                          std::shared_ptr<const void> keep, deadline until) {
    behavior.apply(tenant, events, *access, until, apply_completion{access, std::move(keep)});
    auto done = access->wait(until);
    if (auto broken = access->store_failure()) return fail(*std::move(broken));
    return done;
}

}  // namespace flexcore::domain
