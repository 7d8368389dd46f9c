#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/state/byte_store.hpp"
#include "millrace/state/row_order.hpp"

namespace millrace {

/// Keys of rows that are to be read from a byte_table at once, in the order in which it has them.
class missing_rows {
 public:
  void clear();
  /// Encode the next key here, then call `end_key` with a number for it.
  byte_writer& key() noexcept { return keys_; }
  void end_key(std::size_t number) { ends_.emplace_back(keys_.size(), number); }
  bool is_empty() const noexcept { return ends_.empty(); }

  /// Calls `visit(number, value)` for each key, in the order of their bytes; a null value for one
  /// that has no row.
  void read(byte_table& from,
            const std::function<void(std::size_t number, const byte_view* value)>& visit);

 private:
  byte_writer keys_;
  std::vector<std::pair<std::size_t, std::size_t>> ends_;  // of each key, and its number
  std::vector<std::pair<row_order, std::size_t>> order_;
  std::vector<byte_view> views_;
};

}  // namespace millrace
