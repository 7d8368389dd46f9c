#pragma once

#include <string>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/sha256.hpp"

namespace millrace {

/// The digest of all bytes of a file. Blocks. Errors: those of the file system.
result<sha256_digest> sha256_of_file(file_system& files, const std::string& path);

}  // namespace millrace
