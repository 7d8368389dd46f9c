#include "millrace/checkpoint/restore_source.hpp"

#include "millrace/checkpoint/snapshot_directory.hpp"

namespace millrace {

const result<checkpoint_metadata>& restore_source::metadata() {
  std::call_once(is_read_, [this] { metadata_.emplace(load_checkpoint(*files_, location_)); });
  return *metadata_;
}

}  // namespace millrace
