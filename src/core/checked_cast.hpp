#pragma once

#include <type_traits>

#include "millrace/core/assert.hpp"

namespace millrace {

/// A downcast that is known to be right. Builds with the address sanitizer check it (their
/// undefined behaviour sanitizer traps, and so can't check casts: see MillraceCompiler.cmake).
template <class To, class From>
To checked_cast(From& from) noexcept {
  static_assert(std::is_reference_v<To>);
#ifdef __SANITIZE_ADDRESS__
  MILLRACE_ASSERT(dynamic_cast<std::remove_reference_t<To>*>(&from) != nullptr,
                  "an object is not of the type that it is taken for");
#endif
  return static_cast<To>(from);
}

}  // namespace millrace
