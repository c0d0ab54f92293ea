// absent_filter: tells that a row is certainly not there, of a table all whose rows were added
// here. Without it each new row of a rebuild would be asked for before it is written.
//
// Shape:   Bloom filters, each four times as large as the one before; the last takes what comes.
//          Ten bits for each row: one of a hundred absent rows is taken for perhaps there, and
//          more beyond 7 million rows.
// Bounded: 11 MiB, and small for small tables.
// Threads: one.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace flexcore::store::postgres {

class absent_filter {
public:
    void add(std::string_view id);
    /// False: perhaps it is there.
    [[nodiscard]] bool is_absent(std::string_view id) const;

private:
    struct layer {
        std::vector<std::uint64_t> words;
        std::size_t count = 0;
    };
    std::vector<layer> layers_;
};

}  // namespace flexcore::store::postgres
