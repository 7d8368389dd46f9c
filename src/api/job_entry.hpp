#pragma once

#include <cstdint>

#include "millrace/api/plan.hpp"

/// What a job library exports, so that the engine finds its `build` function and knows before it
/// runs any of its code whether both were compiled against the same engine.

namespace millrace {

/// "MRJ1", little-endian.
inline constexpr std::uint32_t job_entry_magic = 0x314A524D;

/// Grows with every change of `job_entry` itself.
inline constexpr std::uint32_t job_abi_version = 2;

/// What makes an object of the same headers another one: the sanitizers that see memory.
#if defined(__SANITIZE_ADDRESS__)
#define MILLRACE_BUILD_KIND "-address"
#elif defined(__SANITIZE_THREAD__)
#define MILLRACE_BUILD_KIND "-thread"
#else
#define MILLRACE_BUILD_KIND ""
#endif

/// The name of the exported `job_entry`.
inline constexpr const char* job_entry_symbol = "millrace_job_entry";

/// Plain old data: read from the file before the library is loaded, so do not reorder.
struct job_entry {
  /// Says that this is one.
  std::uint32_t magic = job_entry_magic;
  /// Must be the one of the engine that loads it.
  std::uint32_t abi_version = job_abi_version;
  char engine_version[24] = {};  ///< For messages.
  /// Of the headers that it was compiled against, with the sanitizer: a job is mostly made of the
  /// templates in them, so it fits no engine that was compiled from others. MILLRACE_HEADERS, the
  /// digest of the headers, and MILLRACE_BUILD_KIND.
  char headers[32] = {};
  /// Describes the job.
  build_function build = nullptr;
};

}  // namespace millrace
