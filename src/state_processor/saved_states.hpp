#pragma once

#include <set>
#include <string>

#include "millrace/checkpoint/checkpoint_metadata.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

namespace millrace {

/// Whether each of these keyed states was saved for some key of the operator. A key group may lack
/// one that others have: where nobody has asked for it yet, and nothing was saved. So key groups
/// are looked through until all were seen; usually the first will do. `invalid_argument` with the
/// names that there are if one is missing everywhere, but not for an operator without any key.
/// `directory` is that of the snapshot. Blocks.
status check_keyed_states(file_system& files, const std::string& directory,
                          const operator_metadata& op, const std::set<std::string>& wanted);

}  // namespace millrace
