#include "cli/terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <thread>

namespace flexcore::cli {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t last_column_min = 12;
constexpr std::size_t bar_cells = 30;
constexpr std::chrono::milliseconds redraw_every{200};
constexpr std::chrono::seconds line_every{5};

/// Code points: near enough to columns for what is printed here.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; }));
}

std::string cut(const std::string& text, std::size_t columns) {
    if (width(text) <= columns) return text;
    std::size_t bytes = 0, points = 0;
    for (; bytes < text.size(); ++bytes) {
        const bool starts = (static_cast<unsigned char>(text[bytes]) & 0xc0u) != 0x80u;
        if (starts && ++points == columns) break;
    }
    return text.substr(0, bytes) + "…";
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || c == ',' || c == '.' || c == '-';
    });
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F are controls too; in UTF-8 they are C2 80 to C2 9F.
        const bool wide_control =
            c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (wide_control) ++i;
        out += c < 0x20 || c == 0x7f || wide_control ? '?' : text[i];
    }
    return out;
}

std::string grouped(std::uint64_t value) {
    std::string text = std::to_string(value);
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
    return text;
}

std::size_t terminal_columns(int descriptor) {
    winsize size{};
    if (::isatty(descriptor) == 0) return 0;
    if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

std::size_t terminal_rows(int descriptor) {
    winsize size{};
    if (::isatty(descriptor) == 0) return 0;
    if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return 24;
    return size.ws_row;
}

bool reader_gone(int descriptor) {
    pollfd watched{descriptor, 0, 0};
    return ::poll(&watched, 1, 0) == 1 && (watched.revents & POLLERR) != 0;
}

table::table(std::vector<std::string> header) : header_{std::move(header)} {}

void table::add(std::vector<std::string> cells) {
    for (std::string& cell : cells) cell = printable(cell);
    rows_.push_back(std::move(cells));
}

void table::print(std::ostream& out, std::size_t columns) const {
    std::vector<std::size_t> widths;
    std::vector<bool> numeric;
    for (std::size_t i = 0; i < header_.size(); ++i) {
        std::size_t most = width(header_[i]);
        bool all_numbers = !rows_.empty();
        for (const auto& row : rows_) {
            most = std::max(most, width(row[i]));
            all_numbers &= is_number(row[i]);
        }
        widths.push_back(most);
        numeric.push_back(all_numbers);
    }
    std::size_t before_last = 0;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) before_last += widths[i] + gap;
    if (columns != 0)
        widths.back() = std::min(
            widths.back(), std::max(last_column_min, columns - std::min(columns, before_last)));
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string text;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const std::string cell = i + 1 == cells.size() ? cut(cells[i], widths[i]) : cells[i];
            const std::string blanks(widths[i] - std::min(widths[i], width(cell)), ' ');
            if (i != 0) text.append(gap, ' ');
            text += numeric[i] ? blanks + cell : cell + blanks;
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out << text << '\n';
    };
    line(header_);
    for (const auto& row : rows_) line(row);
}

struct progress::inner {
    std::string what;
    std::function<state()> now;
    bool on_terminal = terminal_columns(STDERR_FILENO) != 0;
    std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
    std::mutex mutex;
    std::condition_variable ending;
    bool ended = false;
    std::thread thread;

    void show() {
        const state s = now();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        const double rate = took.count() > 0 ? static_cast<double>(s.done) / took.count() : 0;
        const std::string counts = fmt::format("{} {}, {}/s", grouped(s.done), what,
                                               grouped(static_cast<std::uint64_t>(rate)));
        if (!on_terminal) {
            std::cerr << (s.share < 0 ? counts : fmt::format("{} ({:.0f}%)", counts, s.share * 100))
                      << '\n';
            return;
        }
        std::string bar;
        if (s.share >= 0) {
            const auto full = static_cast<std::size_t>(std::min(s.share, 1.0) * bar_cells);
            bar = fmt::format("[{}{}] {:3.0f}%  ", std::string(full, '#'),
                              std::string(bar_cells - full, ' '), std::min(s.share, 1.0) * 100);
        }
        std::cerr << "\r\x1b[K" << bar << counts << std::flush;
    }

    void run() {
        std::unique_lock lock{mutex};
        const auto pause = on_terminal ? std::chrono::milliseconds{redraw_every}
                                       : std::chrono::milliseconds{line_every};
        if (on_terminal) show();
        while (!ending.wait_for(lock, pause, [this] { return ended; })) show();
        if (!on_terminal) return;
        show();
        std::cerr << '\n';
    }
};

progress::progress(std::string what, std::function<state()> now)
    : inner_{std::make_unique<inner>()} {
    inner_->what = std::move(what);
    inner_->now = std::move(now);
    inner_->thread = std::thread{[i = inner_.get()] { i->run(); }};
}

progress::~progress() {
    {
        const std::lock_guard lock{inner_->mutex};
        inner_->ended = true;
    }
    inner_->ending.notify_all();
    inner_->thread.join();
}

}  // namespace flexcore::cli
