// tables: checks what a library says about itself before anything of it is used.
//
// A pointer is followed only where memory is readable, a function is taken only where memory is
// executable, a text ends within its bound. What can be seen to be wrong is refused.
// Errors:  plugin_errc::bad_abi, naming table and field; unsupported for what this host lacks.
// Threads: functions without state; call them under the host's turn.
#pragma once

#include "base/result.hpp"
#include "flexcore/plugin_abi.h"
#include "plugin/loading/library.hpp"

#include <string>

namespace flexcore::plugin {

struct checked_answer {
    const fxc_library* table = nullptr;
    library_info info;
};
/// `plugin`: its name, in case that it ends the process.
[[nodiscard]] result<checked_answer> check_answer(const std::string& plugin, fxc_status,
                                                  const fxc_answer&);

/// The tables of one instance; NULL: not offered.
struct interface_tables {
    const fxc_lifecycle* lifecycle = nullptr;  ///< never NULL
    const fxc_single* processor = nullptr;
    const fxc_single* query_handler = nullptr;
    const fxc_aggregate* aggregate = nullptr;
    const fxc_aggregate_native* aggregate_native = nullptr;
    const fxc_projection* projection = nullptr;
};
/// Asks the instance for what `info` lists, as far as this host uses it.
[[nodiscard]] result<interface_tables> check_interfaces(const library&, fxc_instance*);

}  // namespace flexcore::plugin
