// The read models in PostgreSQL: see view_store.hpp for what is promised.
#pragma once

#include "store/postgres/sessions.hpp"
#include "store/view_store.hpp"

#include <memory>

namespace flexcore::store::postgres {

/// `writing`: of the one session that writes, opened at its first use. `readers` is shared with
/// the rest of the store and outlives the read models. The schema is migrated already.
[[nodiscard]] std::unique_ptr<view_store> open_views(connection_settings writing,
                                                     std::shared_ptr<sessions> readers);

}  // namespace flexcore::store::postgres
