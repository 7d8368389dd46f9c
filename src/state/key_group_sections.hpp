#pragma once

#include <cstdint>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/error.hpp"
#include "millrace/state/encoded_key_group.hpp"
#include "millrace/state/keyed_state_table.hpp"
#include "millrace/state/state_info.hpp"

// The form of a key group in a snapshot, as keyed_state_backend_base describes it, for those who
// write, read, or only look at it. Functions that read leave the reason of a failure in the reader.

namespace millrace {

inline constexpr std::uint8_t key_group_format = 1;

/// The entries of one state.
struct key_group_section {
  state_info info;
  byte_view entries;  ///< Belongs to the bytes that were read.
};

/// What stands before the entries of a section, which take `entry_bytes`.
void put_section_header(byte_writer& out, const state_info& info, std::uint64_t entry_bytes);
bool get_section(byte_reader& in, key_group_section& section);

void put_entry(byte_writer& out, const encoded_entry& entry);
/// The bytes that it takes. Throws `failure(invalid_data)` for parts beyond 4 GiB.
std::size_t entry_size(const encoded_entry& entry);
/// As put_entry, to where there is room for so many bytes.
void store_entry(std::byte* to, const encoded_entry& entry);
bool get_entry(byte_reader& in, encoded_entry& entry);

/// The states that a key group has sections of; of a group without bytes, none. Looks at nothing
/// else of it. `invalid_data` if the bytes are no such thing, or that of another group.
result<std::vector<state_info>> states_in(const encoded_key_group& group);

/// All sections of a key group. `invalid_data` if the bytes are no such thing, or that of another
/// group.
result<std::vector<key_group_section>> read_key_group(byte_reader& in, std::uint32_t group);

}  // namespace millrace
