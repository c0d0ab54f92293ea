// key_scope: an idempotency key together with whose it is.
//
// Shape:   the kind, the principal's length, the principal, the key; so that no two different
//          combinations are one text, whatever bytes a principal or a key is made of.
#pragma once

#include <string>
#include <string_view>

namespace flexcore::bus {

/// `kind`: 'c' a command's id, 'k' the Idempotency-Key of a command, 'a' of an append, 't' any of
/// them within its tenant.
[[nodiscard]] inline std::string scoped(char kind, std::string_view owner, std::string_view key) {
    std::string out;
    out.reserve(owner.size() + key.size() + 8);
    out += kind;
    out += std::to_string(owner.size());
    out += ':';
    out += owner;
    out += key;
    return out;
}

}  // namespace flexcore::bus
