#pragma once

#include <cstdint>

#include "millrace/api/plan.hpp"

/// What a job library exports, so that the engine finds its `build` function and knows before it
/// runs any of its code whether both were compiled against the same engine.

namespace millrace {

/// "MRJ1", little-endian.
inline constexpr std::uint32_t job_entry_magic = 0x314A524D;

/// Grows with every change of a type that crosses the border between a job library and the engine.
inline constexpr std::uint32_t job_abi_version = 1;

/// The name of the exported `job_entry`.
inline constexpr const char* job_entry_symbol = "millrace_job_entry";

/// Plain old data: read from the file before the library is loaded, so do not reorder.
struct job_entry {
  /// Says that this is one.
  std::uint32_t magic = job_entry_magic;
  /// Must be the one of the engine that loads it.
  std::uint32_t abi_version = job_abi_version;
  char engine_version[24] = {};  ///< For messages.
  /// Describes the job.
  build_function build = nullptr;
};

}  // namespace millrace
