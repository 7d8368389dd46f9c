#include "millrace/checkpoint/stored_files.hpp"

#include "millrace/checkpoint/state_file.hpp"

namespace millrace {

void stored_files::add(const stored_bytes& piece) {
  if (!piece.file.empty()) paths_.insert(path_of_stored(directory_, piece));
}

void stored_files::add(const stored_keyed_state& state) {
  add(state.bytes);
  if (!state.database) return;
  for (const auto& file : state.database->files) add(file.bytes);
}

void stored_files::add(const stored_task_state& state) {
  for (const auto& op : state.operators) {
    if (op.keyed) add(*op.keyed);
    if (op.operators) add(*op.operators);
  }
  if (state.in_flight) add(*state.in_flight);
}

}  // namespace millrace
