#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/source/source_split.hpp"

// What the readers of a hybrid source and its enumerator tell each other, inside source events.

namespace millrace {

/// enumerator -> reader. Numbers travel: do not renumber.
struct hybrid_reader_message {
  enum class kind : std::uint8_t {
    switch_to = 1,       ///< Read the source `index`; `at_ms` and `bytes` are its switch_context.
    no_more_splits = 2,  ///< Of the source `index`.
    event = 3,           ///< Of that source's own, in `bytes`.
  };
  kind what = kind::event;
  std::uint32_t index = 0;
  std::int64_t at_ms = 0;
  std::vector<std::byte> bytes;
};

/// reader -> enumerator. Numbers travel: do not renumber.
struct hybrid_enumerator_message {
  enum class kind : std::uint8_t {
    hello = 1,     ///< Has started; `restored` is the first source that it has splits of.
    finished = 2,  ///< Has read all of source `index` that is to come; `restored` as above.
    split_request = 3,
    event = 4,  ///< Of source `index`'s own, in `bytes`.
  };
  kind what = kind::event;
  std::uint32_t index = 0;
  std::optional<std::uint32_t> restored;
  std::vector<std::byte> bytes;
};

/// What a split of source `index` is called where there are those of other sources, too: a reader
/// may have splits of several, and their ids may be the same.
std::string hybrid_split_name(std::uint32_t index, const std::string& id);

/// A split of one of the sources.
struct hybrid_split {
  std::uint32_t index = 0;
  encoded_split split;

  /// Unique among those of its source only.
  std::string id() const { return split.id; }
  /// Unique among those of all.
  std::string name() const;
};

std::vector<std::byte> encode_message(const hybrid_reader_message& message);
std::vector<std::byte> encode_message(const hybrid_enumerator_message& message);
/// Throw `failure` for what is no such message.
hybrid_reader_message decode_hybrid_reader_message(byte_view bytes);
hybrid_enumerator_message decode_hybrid_enumerator_message(byte_view bytes);
std::vector<encoded_split> wrap(std::uint32_t index, std::vector<encoded_split> splits);
std::vector<hybrid_split> unwrap(const std::vector<encoded_split>& splits);

}  // namespace millrace
