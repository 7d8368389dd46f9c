#pragma once

#include <string>

#include "millrace/actors/messages.hpp"

namespace millrace::cli {

/// What each subtask has done for a checkpoint, for people: a table for each vertex, with the
/// least, the mean and the most of those that have acknowledged. Ends with a newline, unless empty.
std::string subtask_tables(const wire::checkpoint_details& checkpoint);

}  // namespace millrace::cli
