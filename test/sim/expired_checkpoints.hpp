#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/sim_host.hpp"

namespace millrace::sim {

/// Finds checkpoints and savepoints that are held up for good, by what job masters log of those
/// that they give up: one that is given ample time, and begins when nothing fails any more, must
/// not take longer.
class expired_checkpoints {
 public:
  /// `timeout` is what a checkpoint is given.
  explicit expired_checkpoints(duration timeout) : timeout_(timeout) {}

  /// A line of the log, which came at that time.
  void on_line(std::string_view line, time_point now);
  /// Those that began behind that time; none if they are given less than ample time.
  std::vector<std::string> violations(time_point last_trouble) const;

 private:
  struct expired {
    time_point begun;
    std::string what;
  };

  duration timeout_;
  std::vector<expired> all_;
};

}  // namespace millrace::sim
