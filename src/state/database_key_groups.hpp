#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/state/byte_store.hpp"
#include "millrace/state/row_layout.hpp"
#include "millrace/state/state_info.hpp"

namespace millrace {

/// The canonical form of a native snapshot: key groups as `keyed_state_backend_base` describes
/// them, from the rows of a database and from what was kept beside it. What has outlived its time
/// to live but was not dropped yet is in it, with its times.
class database_key_groups {
 public:
  /// `tables` are what the store has, in the order of their names. `type_mismatch`, naming the
  /// state, if types are not known here.
  static result<database_key_groups> of(std::unique_ptr<byte_store> store,
                                        const std::vector<state_info>& tables);

  /// A key group: its rows, and the sections of `beside`, which is the same key group in canonical
  /// form, or empty. Nothing if it has no entries. Throws `failure` if the store can't be read.
  result<std::vector<std::byte>> read(std::uint32_t group, byte_view beside);

 private:
  struct table {
    state_info info;
    row_layout layout;
  };

  std::unique_ptr<byte_store> store_;
  std::vector<table> tables_;
};

}  // namespace millrace
