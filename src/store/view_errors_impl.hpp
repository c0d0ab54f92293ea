// The refusals of a view store, worded once for all backends.
#pragma once

#include "base/result.hpp"
#include "store/view_store.hpp"

#include <fmt/format.h>

#include <string_view>

namespace flexcore::store {

[[nodiscard]] inline error unknown_model(std::string_view model) {
    return {store_errc::unknown_model, fmt::format("there is no read model {}", model)};
}
[[nodiscard]] inline error model_taken(std::string_view model) {
    return {store_errc::invalid_request,
            fmt::format("read model {} belongs to another projection", model)};
}
[[nodiscard]] inline error unknown_generation(generation_id id) {
    return {store_errc::unknown_generation, fmt::format("there is no generation {}", id)};
}
[[nodiscard]] inline error checkpoint_elsewhere(position stands_at, position expected) {
    return {store_errc::checkpoint_conflict,
            fmt::format("the checkpoint stands at {}, expected {}", stands_at, expected)};
}
[[nodiscard]] inline error checkpoint_goes_back() {
    return {store_errc::invalid_request, "a checkpoint never goes back"};
}
[[nodiscard]] inline error transaction_open() {
    return {store_errc::invalid_request, "another transaction is open"};
}
[[nodiscard]] inline error transaction_over() {
    return {store_errc::invalid_request, "the transaction is over"};
}
[[nodiscard]] inline error transaction_lost() {
    return {store_errc::unavailable, "the transaction was rolled back"};
}
[[nodiscard]] inline error views_stopped() {
    return {store_errc::stopped, "the read models are closed"};
}

}  // namespace flexcore::store
