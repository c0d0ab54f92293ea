// Read models in memory, for unit tests of the modules above.
//
// Threads: as view_store. Readers keep the tables of their moment; a transaction works on copies.
#pragma once

#include "store/view_store.hpp"

#include <memory>

namespace flexcore::store::memory {

[[nodiscard]] std::unique_ptr<view_store> open_views();

}  // namespace flexcore::store::memory
