#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/core/codec.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/fingerprint.hpp"

namespace millrace {

/// A part of what a source reads, and how far it was read: a record with an id that no other split
/// of the source has (Flink's SourceSplit).
///
///     struct page_split {
///       std::string url;
///       std::uint64_t next_line = 0;
///       std::string id() const { return url; }
///     };
template <class S>
concept source_split = encodable<S> && std::copyable<S> && requires(const S& split) {
  { split.id() } -> std::convertible_to<std::string>;
};

/// A split on its way between enumerator and readers and in snapshots, where nobody but the source
/// knows its type.
struct encoded_split {
  std::string id;                ///< As the split's id() says.
  std::uint64_t type = 0;        ///< Fingerprint of the split's type.
  std::vector<std::byte> bytes;  ///< The split, by its codec.

  bool operator==(const encoded_split&) const = default;
};

/// A split as bytes, with what decode_split checks.
template <source_split Split>
encoded_split encode_split(const Split& split) {
  return {split.id(), fingerprint_of<Split>(), encode_to_bytes(split)};
}

/// The same for several, in their order.
template <source_split Split>
std::vector<encoded_split> encode_splits(const std::vector<Split>& splits) {
  std::vector<encoded_split> encoded;
  encoded.reserve(splits.size());
  for (const auto& split : splits) encoded.push_back(encode_split(split));
  return encoded;
}

/// Throws `failure`: `type_mismatch` for a split of another type, `invalid_data` for bytes that are
/// none.
template <source_split Split>
Split decode_split(const encoded_split& encoded) {
  if (encoded.type != fingerprint_of<Split>())
    throw failure(errc::type_mismatch, "split '" + encoded.id +
                                           "' was saved as another type than " +
                                           describe_type<Split>() +
                                           ", which the source has now: start without the "
                                           "snapshot, or give the source another uid");
  auto split = decode_bytes<Split>(encoded.bytes);
  if (!split)
    throw failure(split.error().code,
                  "split '" + encoded.id + "' can't be read: " + split.error().message);
  return *std::move(split);
}

/// The same for several, in their order.
template <source_split Split>
std::vector<Split> decode_splits(const std::vector<encoded_split>& encoded) {
  std::vector<Split> splits;
  splits.reserve(encoded.size());
  for (const auto& each : encoded) splits.push_back(decode_split<Split>(each));
  return splits;
}

}  // namespace millrace
