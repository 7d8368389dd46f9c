#pragma once

#include "millrace/api/operator_settings.hpp"

namespace millrace {

/// The end of a stream, for its settings.
class data_sink : public operator_settings<data_sink> {
 public:
  data_sink(std::shared_ptr<detail::job_builder> builder, std::uint32_t node)
      : operator_settings(std::move(builder), node) {}
};

}  // namespace millrace
