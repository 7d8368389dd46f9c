#include "millrace/connectors/rolling_policy.hpp"

#include "millrace/core/error.hpp"

namespace millrace {

void rolling_policy::check() const {
  if (part_bytes != 0 && rollover_interval.count() > 0 && inactivity_interval.count() > 0) return;
  throw failure(errc::invalid_argument,
                "a rolling policy of a file sink has a size or an interval of 0 or less: use "
                "rolling_policy::no_size and no_interval for what never matters");
}

}  // namespace millrace
