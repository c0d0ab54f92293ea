// elf_check: is this file a whole shared library for this machine?
//
// The dynamic loader trusts what it maps: a file that ends too early kills the process with SIGBUS.
// Looked at: identification, type, machine, and that every segment it loads lies within the file.
// Errors:    plugin_errc::bad_file, saying what it is instead.
// Threads:   a function without state.
#pragma once

#include "base/result.hpp"

#include <span>

namespace flexcore::plugin {

[[nodiscard]] result<void> check_elf(std::span<const std::byte> file);

}  // namespace flexcore::plugin
