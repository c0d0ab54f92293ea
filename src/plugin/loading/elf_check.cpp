#include "plugin/loading/elf_check.hpp"

#include "plugin/plugin_host.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace flexcore::plugin {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half machine_here = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half machine_here = EM_AARCH64;
#elif defined(__riscv)
constexpr Elf64_Half machine_here = EM_RISCV;
#else
#error "name this machine's ELF number here"
#endif
constexpr unsigned char order_here =
    std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

std::string_view machine_name(Elf64_Half machine) {
    switch (machine) {
        case EM_X86_64:
            return "x86-64";
        case EM_386:
            return "32-bit x86";
        case EM_AARCH64:
            return "ARM64";
        case EM_ARM:
            return "32-bit ARM";
        case EM_RISCV:
            return "RISC-V";
        case EM_PPC64:
            return "POWER";
        case EM_S390:
            return "s390";
        default:
            return "another machine";
    }
}

bool within(std::uint64_t offset, std::uint64_t size, std::size_t file_size) {
    return offset <= file_size && size <= file_size - offset;
}

}  // namespace

result<void> check_elf(std::span<const std::byte> file) {
    const auto refuse = [](std::string why) { return fail(plugin_errc::bad_file, std::move(why)); };
    if (file.size() < EI_NIDENT || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0)
        return refuse("not a shared library (no ELF header)");
    Elf64_Ehdr header{};
    std::memcpy(&header, file.data(), std::min(file.size(), sizeof header));
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != order_here)
        return refuse("a library for another architecture (word size or byte order)");
    if (file.size() < sizeof header) return refuse("the file is truncated");
    if (header.e_machine != machine_here)
        return refuse(fmt::format("a library for another architecture ({}, this is {})",
                                  machine_name(header.e_machine), machine_name(machine_here)));
    if (header.e_type != ET_DYN) return refuse("an ELF file, but not a shared library");
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0)
        return refuse("the library's program headers are broken");
    if (!within(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), file.size()))
        return refuse("the file is truncated");
    // The sections come last in a file: without them its end is missing. Stripped away is fine.
    if (header.e_shoff != 0 &&
        !within(header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize, file.size()))
        return refuse("the file is truncated");

    bool dynamic = false;
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        std::memcpy(&segment, file.data() + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type != PT_LOAD && segment.p_type != PT_DYNAMIC) continue;
        if (!within(segment.p_offset, segment.p_filesz, file.size()))
            return refuse("the file is truncated");
        if (segment.p_type == PT_DYNAMIC) dynamic = true;
    }
    if (!dynamic) return refuse("an ELF file, but not a shared library");
    return {};
}

}  // namespace flexcore::plugin
