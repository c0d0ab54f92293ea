// What people see: tables, problems, a progress line. Programs get JSON instead (--json).
//
// Safety: texts that come from the server or a file never reach a terminal with control characters
//         in them (`printable`).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::cli {

/// Control characters as '?', everything else as it is.
[[nodiscard]] std::string printable(std::string_view);
/// 1234567 → "1,234,567"
[[nodiscard]] std::string grouped(std::uint64_t);
/// Characters of a terminal's line; 0 when the descriptor is no terminal.
[[nodiscard]] std::size_t terminal_columns(int descriptor);

/// Lines of a terminal; 0 when the descriptor is no terminal.
[[nodiscard]] std::size_t terminal_rows(int descriptor);

/// Whether the other end of a pipe has been closed; false for everything else.
[[nodiscard]] bool reader_gone(int descriptor);

class table {
public:
    explicit table(std::vector<std::string> header);
    /// As many cells as the header has.
    void add(std::vector<std::string> cells);
    /// Columns two blanks apart; numbers (all cells of the column) to the right. With `columns`,
    /// the last column is cut so that lines fit.
    void print(std::ostream&, std::size_t columns) const;

private:
    std::vector<std::string> header_;
    std::vector<std::vector<std::string>> rows_;
};

/// Shows how far a long operation is, on standard error: on a terminal one line that is redrawn and
/// stays as it is at the end, otherwise a plain line every few seconds.
/// Threads: `now` runs on a thread of its own, so it must be thread-safe.
class progress {
public:
    struct state {
        std::uint64_t done = 0;
        double share = -1;  ///< 0 to 1; negative: not known
    };
    progress(std::string what, std::function<state()> now);
    ~progress();

private:
    struct inner;
    std::unique_ptr<inner> inner_;
};

}  // namespace flexcore::cli
