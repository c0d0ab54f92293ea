#include "base/check.hpp"
#include "store/migration_file_impl.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>

namespace flexcore::store {

std::int64_t number_of(const embedded_file& file) {
    std::int64_t number = 0;
    const auto [end, problem] =
        std::from_chars(file.name.data(), file.name.data() + file.name.size(), number);
    FLEXCORE_CHECK(problem == std::errc{} && *end == '_');
    return number;
}

std::string checksum_of(const embedded_file& file) {
    const auto sum = XXH3_128bits(file.text.data(), file.text.size());
    return fmt::format("{:016x}{:016x}", sum.high64, sum.low64);
}

result<void> check_applied(std::string_view database, const std::vector<embedded_file>& known,
                           const std::vector<applied_migration>& applied) {
    for (std::size_t i = 0; i < applied.size(); ++i) {
        if (i == known.size()) {
            return fail(store_errc::newer_schema,
                        fmt::format("{} was written by a newer version of this program: it has "
                                    "migration {}, which is not known here",
                                    database, applied[i].name));
        }
        const auto& file = known[i];
        if (applied[i].number == number_of(file) && applied[i].checksum == checksum_of(file)) {
            continue;
        }
        return fail(store_errc::newer_schema,
                    fmt::format("{} was made by another version of this program: its migration "
                                "{} is not the one known here as {}",
                                database, applied[i].name, file.name));
    }
    return {};
}

}  // namespace flexcore::store
