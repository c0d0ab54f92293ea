// views_service: flexcore.views/1, read models bound to a running call.
//
// Granted: in projection calls the models the projection writes, reading and writing: those of
//          others stand elsewhere, and not at the same place when rows are rebuilt. In query calls
//          those the query declares. Anything else is FXC_DENIED; a call that has ended is
//          FXC_CANCELLED.
// Effect:  a failure of the store dooms the call, whatever the plugin makes of the status; so does
//          any refusal to a projection, which must not commit half of what it meant.
// Threads: any; calls of one handle take their turn. Row functions run outside the turn, so that
//          they may ask again.
#pragma once

#include "flexcore/plugin_abi.h"

namespace flexcore::plugin {

[[nodiscard]] fxc_views make_views_table();

}  // namespace flexcore::plugin
