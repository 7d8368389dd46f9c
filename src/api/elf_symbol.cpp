#include "millrace/api/elf_symbol.hpp"

#include <elf.h>

#include <cstring>

namespace millrace {

namespace {

#if defined(__x86_64__)
constexpr Elf64_Half this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half this_machine = EM_AARCH64;
#else
#error "tell Millrace the ELF machine number of this platform"
#endif

/// Reads from untrusted bytes.
class elf_file {
 public:
  explicit elf_file(std::span<const std::byte> content) : content_(content) {}

  template <class T>
  bool read(std::uint64_t offset, T& into) const {
    if (offset > content_.size() || content_.size() - offset < sizeof(T)) return false;
    std::memcpy(&into, content_.data() + offset, sizeof(T));
    return true;
  }

  bool has_text(std::uint64_t offset, std::string_view text) const {
    if (offset > content_.size() || content_.size() - offset <= text.size()) return false;
    const auto* at = reinterpret_cast<const char*>(content_.data()) + offset;
    return std::string_view(at, text.size()) == text && at[text.size()] == '\0';
  }

  /// Where a virtual address lies in the file.
  std::optional<std::uint64_t> offset_of(const Elf64_Ehdr& header, std::uint64_t address) const {
    for (Elf64_Half i = 0; i < header.e_phnum; ++i) {
      Elf64_Phdr segment;
      if (!read(header.e_phoff + std::uint64_t{i} * sizeof segment, segment)) return std::nullopt;
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
          address - segment.p_vaddr < segment.p_filesz)
        return segment.p_offset + (address - segment.p_vaddr);
    }
    return std::nullopt;
  }

  std::span<const std::byte> bytes(std::uint64_t offset, std::uint64_t size) const {
    if (offset > content_.size() || content_.size() - offset < size) return {};
    return content_.subspan(offset, size);
  }

 private:
  std::span<const std::byte> content_;
};

bool is_elf_library(const Elf64_Ehdr& header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
         header.e_type == ET_DYN && header.e_shentsize == sizeof(Elf64_Shdr) &&
         header.e_phentsize == sizeof(Elf64_Phdr);
}

}  // namespace

tl::expected<std::optional<std::span<const std::byte>>, std::string> find_exported_bytes(
    std::span<const std::byte> content, std::string_view symbol) {
  const elf_file file(content);
  Elf64_Ehdr header;
  if (!file.read(0, header) || !is_elf_library(header))
    return tl::unexpected<std::string>("it is no shared library");
  if (header.e_machine != this_machine)
    return tl::unexpected<std::string>("it is a library for another kind of machine");

  for (Elf64_Half i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr table, names;
    if (!file.read(header.e_shoff + std::uint64_t{i} * sizeof table, table))
      return tl::unexpected<std::string>("it is damaged or incomplete");
    if (table.sh_type != SHT_DYNSYM) continue;
    if (!file.read(header.e_shoff + std::uint64_t{table.sh_link} * sizeof names, names))
      return tl::unexpected<std::string>("it is damaged or incomplete");
    for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= table.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym entry;
      if (!file.read(table.sh_offset + at, entry))
        return tl::unexpected<std::string>("it is damaged or incomplete");
      if (entry.st_shndx == SHN_UNDEF || !file.has_text(names.sh_offset + entry.st_name, symbol))
        continue;
      const auto offset = file.offset_of(header, entry.st_value);
      const auto found = offset ? file.bytes(*offset, entry.st_size) : std::span<const std::byte>{};
      if (found.empty()) return tl::unexpected<std::string>("it is damaged or incomplete");
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace millrace
