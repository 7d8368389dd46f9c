#include "millrace/connectors/print_sink.hpp"

namespace millrace {

std::string print_prefix(const std::string& name, const runtime_context& self) {
  std::string prefix = name;
  if (self.parallelism() > 1) {
    if (!prefix.empty()) prefix += ':';
    prefix += std::to_string(self.subtask_index() + 1);
  }
  return prefix.empty() ? prefix : prefix + "> ";
}

}  // namespace millrace
