#pragma once

#include <string>

namespace millrace::graph {

/// A name as messages show it: 'name'.
inline std::string in_quotes(const std::string& name) {
  return "'" + name + "'";
}

}  // namespace millrace::graph
