#pragma once

#include <memory>
#include <string>

#include "millrace/stream/operator.hpp"

namespace millrace {

/// How files are read.
struct file_source_options {
  std::size_t chunk_bytes = 1024 * 1024;  ///< How much is read at a time; two chunks are held.
};

/// Emits the lines of the files that `path` stands for (connectors/line_reader.hpp).
std::shared_ptr<const operator_factory> make_file_source(std::string path,
                                                         file_source_options options);

}  // namespace millrace
