#include <array>

#include "command.hpp"

namespace millrace::cli {

std::span<const command> commands() {
  static const std::array all{
      run_command,   list_command,      info_command,       describe_command,    cancel_command,
      stop_command,  savepoint_command, checkpoint_command, checkpoints_command, nodes_command,
      chaos_command, version_command,   help_command};
  return all;
}

}  // namespace millrace::cli
