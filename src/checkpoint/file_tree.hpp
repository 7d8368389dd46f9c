#pragma once

#include <string>
#include <string_view>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

namespace millrace {

/// A status that is good if a file was to be removed and is not there.
status fine_if_missing(status done);

/// Removes a directory with what is in it, and what comes meanwhile. Fine if it is not there.
status remove_tree(file_system& files, const std::string& directory);

/// Makes a directory, with its parents as far as they are not there, which a power cut then leaves
/// where it is.
status make_lasting_directory(file_system& files, const std::string& path);

/// What is behind the last '/' of a path.
std::string last_part_of(const std::string& path);
/// What is ahead of it; "." if there is none.
std::string parent_of(const std::string& path);

}  // namespace millrace
