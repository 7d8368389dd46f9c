#include "millrace/state/database_key_groups.hpp"

#include <algorithm>
#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/state/key_group_sections.hpp"

namespace millrace {

result<database_key_groups> database_key_groups::of(std::unique_ptr<byte_store> store,
                                                    const std::vector<state_info>& tables) {
  database_key_groups made;
  for (const auto& info : tables) {
    auto layout = row_layout::of(info);
    if (!layout)
      return fail(errc::type_mismatch, "the rows of state '" + info.name +
                                           "' can't be read: the type of their keys is not known");
    made.tables_.push_back({info, *std::move(layout)});
  }
  made.store_ = std::move(store);
  return made;
}

result<std::vector<std::byte>> database_key_groups::read(std::uint32_t group, byte_view beside) {
  std::vector<key_group_section> sections;
  if (!beside.empty()) {
    byte_reader in(beside);
    auto read = read_key_group(in, group);
    if (!read) return tl::unexpected(read.error());
    sections = std::move(*read);
  }
  std::vector<byte_writer> rows(tables_.size());  // the sections point into them
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    const auto& [info, layout] = tables_[i];
    append_entries(store_->table(info.name, std::nullopt), layout, group, rows[i]);
    sections.push_back({info, rows[i].bytes()});
  }
  if (std::ranges::all_of(sections, [](const auto& s) { return s.entries.empty(); }))
    return std::vector<std::byte>();
  std::ranges::sort(
      sections, {}, [](const auto& s) -> const auto& { return s.info.name; });
  byte_writer out;
  encode(out, key_group_format, group);
  out.put_length(sections.size());
  for (const auto& [info, entries] : sections) {
    put_section_header(out, info, entries.size());
    out.put_bytes(entries.data(), entries.size());
  }
  return std::move(out).take();
}

}  // namespace millrace
