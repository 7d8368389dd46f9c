#pragma once

#include <chrono>
#include <utility>
#include <vector>

#include "millrace/operators/window_evictor.hpp"
#include "reference/window_reference.hpp"

namespace millrace::test::reference {

/// The evictor that a job says, or none.
class plain_evictor {
 public:
  using rows = std::vector<timestamped<event>>;

  explicit plain_evictor(const window_job& job)
      : which_(job.evictor),
        side_(job.evicts_after ? evict::after : evict::before),
        keeps_(job.keeps) {}

  void evict_before(rows& all) const {
    with_chosen([&](const auto& evictor) { evictor.evict_before(all); });
  }
  void evict_after(rows& all) const {
    with_chosen([&](const auto& evictor) { evictor.evict_after(all); });
  }

 private:
  template <class Call>
  void with_chosen(Call&& call) const {
    const auto distance = [](const event& e, const event& last) {
      return static_cast<double>(last.value - e.value);
    };
    if (which_ == evicting::by_count) call(count_evictor::of(keeps_, side_));
    if (which_ == evicting::by_time)
      call(time_evictor::of(std::chrono::milliseconds(keeps_), side_));
    if (which_ == evicting::by_delta)
      call(delta_evictor(static_cast<double>(keeps_), distance, side_));
  }

  evicting which_;
  evict side_;
  std::int64_t keeps_;
};

}  // namespace millrace::test::reference
