#include "millrace/state/key_group_sections.hpp"

#include <cstring>

#include "millrace/core/codec.hpp"

namespace millrace {

namespace {

std::size_t counted_size(byte_view bytes) {
  return length_size(bytes.size()) + bytes.size();
}

std::byte* store_counted(std::byte* to, byte_view bytes) {
  to = store_length(to, bytes.size());
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
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
  store_entry(out.grow(entry_size(entry)), entry);
}

std::size_t entry_size(const encoded_entry& entry) {
  return counted_size(entry.key) + counted_size(entry.ns) + counted_size(entry.map_key) +
         counted_size(entry.value);
}

void store_entry(std::byte* to, const encoded_entry& entry) {
  for (const auto part : {entry.key, entry.ns, entry.map_key, entry.value})
    to = store_counted(to, part);
}

bool get_entry(byte_reader& in, encoded_entry& entry) {
  return get_counted(in, entry.key) && get_counted(in, entry.ns) &&
         get_counted(in, entry.map_key) && get_counted(in, entry.value);
}

namespace {

/// What stands before the sections; how many there are.
result<std::size_t> read_group_header(byte_reader& in, std::uint32_t group) {
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
  return count;
}

/// Has `read(byte_reader&)` read what begins at `offset`, and moves that behind it. Looks at a few
/// bytes only if they are enough.
template <class Read>
auto read_at(const chunked_bytes& bytes, std::uint64_t& offset, Read&& read) {
  for (std::uint64_t window = 4096;; window *= 64) {
    const auto near = bytes.part(offset, window);
    byte_reader in(near.part);
    auto done = read(in);
    if (!done && offset + window < bytes.size()) continue;
    offset += in.position();
    return done;
  }
}

}  // namespace

result<std::vector<state_info>> states_in(const encoded_key_group& group) {
  std::vector<state_info> states;
  if (group.bytes.empty()) return states;
  std::uint64_t offset = 0;
  const auto count = read_at(group.bytes, offset,
                             [&](byte_reader& in) { return read_group_header(in, group.group); });
  if (!count) return tl::unexpected(count.error());
  for (std::size_t i = 0; i < *count; ++i) {
    std::uint64_t entries = 0;
    const auto done = read_at(group.bytes, offset, [&](byte_reader& in) {
      static_cast<void>(decode(in, states.emplace_back(), entries));
      if (!in.ok()) states.pop_back();
      return in.to_status();
    });
    if (!done) return tl::unexpected(done.error());
    if (entries > group.bytes.size() - offset)
      return fail(errc::invalid_data, "a section is longer than the data");
    offset += entries;
  }
  return states;
}

result<std::vector<key_group_section>> read_key_group(byte_reader& in, std::uint32_t group) {
  const auto count = read_group_header(in, group);
  if (!count) return tl::unexpected(count.error());
  std::vector<key_group_section> sections;
  for (std::size_t i = 0; i < *count; ++i)
    if (!get_section(in, sections.emplace_back())) return tl::unexpected(in.to_status().error());
  return sections;
}

}  // namespace millrace
