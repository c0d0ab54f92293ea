#include "base/clock.hpp"

#include <algorithm>

namespace flexcore {
namespace {

using std::chrono::days;
using std::chrono::microseconds;
using std::chrono::sys_days;

constexpr std::int64_t us_per_second = 1'000'000;
constexpr std::int64_t us_per_day = 86'400 * us_per_second;

/// First and last instants that four digits of a year can carry.
constexpr unix_us time_min =
    microseconds{sys_days{std::chrono::year{0} / 1 / 1}.time_since_epoch()}.count();
constexpr unix_us time_max =
    microseconds{sys_days{std::chrono::year{10000} / 1 / 1}.time_since_epoch()}.count() - 1;

void write_digits(char* out, unsigned value, int digits) noexcept {
    for (int i = digits - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
}

/// Reads fixed fields from the front of a text; one failure makes all later reads fail.
struct reader {
    std::string_view rest;
    bool good = true;

    int digits(std::size_t count) noexcept {
        int value = 0;
        if (rest.size() < count) good = false;
        for (std::size_t i = 0; good && i < count; ++i) {
            if (rest[i] < '0' || rest[i] > '9') good = false;
            value = value * 10 + (rest[i] - '0');
        }
        if (good) rest.remove_prefix(count);
        return good ? value : 0;
    }
    /// One of the given characters.
    char any_of(std::string_view set) noexcept {
        if (!good || rest.empty() || set.find(rest.front()) == set.npos) {
            good = false;
            return 0;
        }
        const char c = rest.front();
        rest.remove_prefix(1);
        return c;
    }
    [[nodiscard]] bool next_is(char c) const noexcept {
        return good && !rest.empty() && rest.front() == c;
    }
};

/// The microseconds of ".5", ".123456789"; digits beyond the sixth are cut.
int fraction_us(reader& in) noexcept {
    if (!in.next_is('.')) return 0;
    in.rest.remove_prefix(1);
    int us = 0;
    int count = 0;
    for (; !in.rest.empty() && in.rest.front() >= '0' && in.rest.front() <= '9'; ++count) {
        if (count < 6) us = us * 10 + (in.rest.front() - '0');
        in.rest.remove_prefix(1);
    }
    if (count == 0 || count > 9) in.good = false;
    for (int i = count; i < 6; ++i) us *= 10;
    return us;
}

/// "Z" or "+hh:mm" in minutes east of UTC.
int offset_minutes(reader& in) noexcept {
    const char sign = in.any_of("Zz+-");
    if (sign == 'Z' || sign == 'z') return 0;
    const int hours = in.digits(2);
    in.any_of(":");
    const int minutes = in.digits(2);
    if (hours > 23 || minutes > 59) in.good = false;
    const int total = hours * 60 + minutes;
    return sign == '-' ? -total : total;
}

}  // namespace

unix_us now_unix_us() noexcept {
    return std::chrono::duration_cast<microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void write_time(unix_us time, char* out27) noexcept {
    const std::chrono::sys_time<microseconds> instant{
        microseconds{std::clamp(time, time_min, time_max)}};
    const auto day = std::chrono::floor<days>(instant);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{instant - day};
    write_digits(out27, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    out27[4] = '-';
    write_digits(out27 + 5, static_cast<unsigned>(date.month()), 2);
    out27[7] = '-';
    write_digits(out27 + 8, static_cast<unsigned>(date.day()), 2);
    out27[10] = 'T';
    write_digits(out27 + 11, static_cast<unsigned>(clock.hours().count()), 2);
    out27[13] = ':';
    write_digits(out27 + 14, static_cast<unsigned>(clock.minutes().count()), 2);
    out27[16] = ':';
    write_digits(out27 + 17, static_cast<unsigned>(clock.seconds().count()), 2);
    out27[19] = '.';
    write_digits(out27 + 20, static_cast<unsigned>(clock.subseconds().count()), 6);
    out27[26] = 'Z';
}

std::string format_time(unix_us time) {
    std::string out(27, '\0');
    write_time(time, out.data());
    return out;
}

std::optional<unix_us> parse_time(std::string_view text) noexcept {
    reader in{text};
    const int year = in.digits(4);
    in.any_of("-");
    const int month = in.digits(2);
    in.any_of("-");
    const int day = in.digits(2);
    in.any_of("Tt");
    const int hour = in.digits(2);
    in.any_of(":");
    const int minute = in.digits(2);
    in.any_of(":");
    const int second = in.digits(2);
    const int us = fraction_us(in);
    const int offset = offset_minutes(in);
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!in.good || !in.rest.empty() || !date.ok()) return std::nullopt;
    if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
    const std::int64_t minutes = std::int64_t{hour} * 60 + minute - offset;
    // A leap second stands only at the end of a UTC day; it counts as the next day's first second.
    if (second == 60 && ((minutes % 1440) + 1440) % 1440 != 1439) return std::nullopt;
    return sys_days{date}.time_since_epoch().count() * us_per_day +
           (minutes * 60 + second) * us_per_second + us;
}

}  // namespace flexcore
