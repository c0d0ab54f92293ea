// Page seals: each page of a database carries a checksum of its own, checked whenever the page is
// read from the file. So a flipped bit anywhere, in events, indexes, names, keys, the schema, the
// header or a free page, is an error of that read (SQLITE_IOERR_DATA) and never served.
//
// Form:    pages of 4096 bytes; SQLite leaves the last 12 of each alone (byte 20 of the header says
//          so). They hold a mark of 4 bytes and XXH3 over everything before, seeded with the page's
//          number, so that a page in another's place is found too. A page of zeros is one that was
//          never written: the file grew over it.
// Where:   in a VFS over the real one, when the database file is read and written: with a WAL only
//          checkpoints write it. The WAL's frames have SQLite's own checksums.
// Old ones: a database made without room for seals (12 there is 0) is used as it is, unsealed.
// Threads: those of SQLite's files.
#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace flexcore::store::sqlite {

inline constexpr std::size_t page_bytes = 4096;
/// Neither this number nor any that differs from it in one bit is 0.
inline constexpr std::size_t seal_bytes = 12;
inline constexpr std::size_t file_header_bytes = 100;

enum class sealing : std::uint8_t {
    unknown,  ///< nothing is there yet
    sealed,
    unsealed,  ///< by the header: made without seals, or no database at all
    unclear    ///< the header says what no version of this program has written
};
/// From the first 100 bytes of a file.
[[nodiscard]] sealing sealing_of(std::span<const char> header) noexcept;

enum class page_state : std::uint8_t { sound, zeros, damaged };
/// `page` has `page_bytes`; numbers count from 1.
[[nodiscard]] page_state check_page(std::span<const char> page, std::uint64_t number) noexcept;

/// The name of a VFS that seals what it writes through `under` (null: SQLite's default) and checks
/// what it reads. Registered once for each.
[[nodiscard]] const char* sealing_vfs(const char* under);
/// Makes room for seals in a database that is about to be made.
void reserve_seals(sqlite3*) noexcept;

/// The page this thread's last read was refused for; 0 when there is none. Forgets it.
[[nodiscard]] std::uint64_t take_damaged_page() noexcept;

}  // namespace flexcore::store::sqlite
