#pragma once

/// Names of states that operators keep for themselves, which snapshots are processed by, too: part
/// of snapshots, do not rename.
namespace millrace::own_state_names {

/// The timers of functions on keyed streams.
inline constexpr const char* timers = "_timers";
/// The values of reduce, sum, min, max, min_by and max_by.
inline constexpr const char* folded = "_folded";

}  // namespace millrace::own_state_names
