#include "millrace/state/key_group_sections.hpp"

#include "millrace/core/codec.hpp"

namespace millrace {

namespace {

void put_counted(byte_writer& out, byte_view bytes) {
  out.put_length(bytes.size());
  out.put_bytes(bytes.data(), bytes.size());
}

bool get_counted(byte_reader& in, byte_view& bytes) {
  std::size_t length = 0;
  if (!in.get_count(length, 1, 1)) return false;
  const std::byte* begin = in.take(length);
  if (begin == nullptr) return false;
  bytes = {begin, length};
  return true;
}

}  // namespace

/// Sections can be larger than a container may be, so their size has 64 bits.
void put_section_header(byte_writer& out, const state_info& info, std::uint64_t entry_bytes) {
  encode(out, info, entry_bytes);
}

bool get_section(byte_reader& in, key_group_section& section) {
  std::uint64_t size = 0;
  if (!decode(in, section.info, size)) return false;
  if (size > in.remaining()) return in.fail("a section is longer than the data");
  section.entries = {in.take(size), static_cast<std::size_t>(size)};
  return true;
}

void put_entry(byte_writer& out, const encoded_entry& entry) {
  put_counted(out, entry.key);
  put_counted(out, entry.ns);
  put_counted(out, entry.map_key);
  put_counted(out, entry.value);
}

bool get_entry(byte_reader& in, encoded_entry& entry) {
  return get_counted(in, entry.key) && get_counted(in, entry.ns) &&
         get_counted(in, entry.map_key) && get_counted(in, entry.value);
}

result<std::vector<key_group_section>> read_key_group(byte_reader& in, std::uint32_t group) {
  std::uint8_t format = 0;
  std::uint32_t saved_group = 0;
  std::size_t count = 0;
  if (!decode(in, format)) return tl::unexpected(in.to_status().error());
  if (format != key_group_format)
    return fail(errc::invalid_data, "it has snapshot format " + std::to_string(format) +
                                        ", and only " + std::to_string(key_group_format) +
                                        " is known here");
  if (!decode(in, saved_group) || !in.get_length(count))
    return tl::unexpected(in.to_status().error());
  if (saved_group != group)
    return fail(errc::invalid_data, "in the place of key group " + std::to_string(group) +
                                        " is that of key group " + std::to_string(saved_group));
  std::vector<key_group_section> sections;
  for (; count > 0; --count)
    if (!get_section(in, sections.emplace_back())) return tl::unexpected(in.to_status().error());
  return sections;
}

}  // namespace millrace
