#include "millrace/state/row_layout.hpp"

#include <algorithm>
#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/state/key_group_sections.hpp"
#include "millrace/state/object_cache.hpp"

namespace millrace {

namespace {

bool has_custom_codec_inside(const described_type& type) {
  return type.what == described_type::kind::custom ||
         std::any_of(type.parts.begin(), type.parts.end(), has_custom_codec_inside);
}

/// A type whose values show where they end.
std::optional<described_type> delimited(std::uint64_t fingerprint) {
  const auto description = known_description(fingerprint);
  if (!description) return std::nullopt;
  auto type = parse_description(*description);
  if (!type || has_custom_codec_inside(*type)) return std::nullopt;
  return *std::move(type);
}

std::unique_ptr<byte_cursor> rows_of(byte_table& table, std::uint32_t group) {
  byte_writer prefix;
  encode_group(prefix, group);
  return table.scan(prefix.bytes());
}

}  // namespace

std::optional<row_layout> row_layout::of(const state_info& info) {
  auto key = delimited(info.key_type);
  if (!key) return std::nullopt;
  row_layout layout;
  layout.state_ = info.name;
  layout.key_ = *std::move(key);
  if (info.kind == state_kind::map) {
    layout.ns_ = delimited(info.namespace_type);
    if (!layout.ns_) return std::nullopt;
  }
  // The latest touch of an expiring_list, which its elements have, too.
  if (info.kind == state_kind::list && info.has_ttl) layout.value_begin_ = sizeof(std::int64_t);
  return layout;
}

encoded_entry row_layout::split(byte_view row_key, byte_view value) const {
  const auto parts =
      row_key.size() < row_group_bytes ? byte_view() : row_key.subspan(row_group_bytes);
  byte_reader in(parts);
  const auto begin = [&] { return parts.size() - in.remaining(); };
  bool good = row_key.size() >= row_group_bytes && skip_value(key_, in);
  const auto key_end = begin();
  if (good && ns_) good = skip_value(*ns_, in);
  if (!good || value.size() < value_begin_)
    throw failure(errc::invalid_data, "a row of state '" + state_ + "' is not what its types say");
  const auto ns_end = ns_ ? begin() : parts.size();
  return {parts.first(key_end), parts.subspan(key_end, ns_end - key_end), parts.subspan(ns_end),
          value.subspan(value_begin_)};
}

void append_entries(byte_table& table, const row_layout& layout, std::uint32_t group,
                    byte_writer& out) {
  for (const auto rows = rows_of(table, group); rows->is_valid(); rows->next())
    put_entry(out, layout.split(rows->key(), rows->value()));
}

void erase_rows(byte_table& table, std::uint32_t group) {
  constexpr std::size_t rows_per_batch = 4096;
  const auto batch = table.new_batch();
  for (const auto rows = rows_of(table, group); rows->is_valid(); rows->next()) {
    batch->erase(rows->key());
    if (batch->size() >= rows_per_batch) table.write(*batch);
  }
  table.write(*batch);
}

}  // namespace millrace
