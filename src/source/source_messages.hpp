#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/source/source_split.hpp"

// What a source's operators and its coordinator tell each other, as operator events.

namespace millrace {

/// coordinator -> reader. Numbers travel: do not renumber.
struct reader_message {
  enum class kind : std::uint8_t {
    splits = 1,          ///< Read these, too.
    no_more_splits = 2,  ///< There will be no others.
    event = 3,           ///< The enumerator's own, in `event`.
  };
  kind what = kind::event;
  std::vector<encoded_split> splits;
  std::vector<std::byte> event;
};

/// reader -> coordinator. Numbers travel: do not renumber.
struct enumerator_message {
  enum class kind : std::uint8_t {
    split_request = 1,
    event = 2,  ///< The reader's own, in `event`.
  };
  kind what = kind::event;
  std::vector<std::byte> event;
};

/// These are encoded and decoded out of line: they are the same for all sources. Decoding throws
/// `failure(protocol)` for what is no such message.
std::vector<std::byte> encode_message(const reader_message& message);
std::vector<std::byte> encode_message(const enumerator_message& message);
reader_message decode_reader_message(byte_view bytes);
enumerator_message decode_enumerator_message(byte_view bytes);

}  // namespace millrace
