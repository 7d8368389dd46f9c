#pragma once

#include "millrace/api/operator_settings.hpp"

namespace millrace {

/// The end of a stream, for its settings. They are for the writers of a sink and its committers
/// alike: "x" names the committers "x: committer", and they have uids of their own.
class data_sink : public operator_settings<data_sink> {
 public:
  data_sink(std::shared_ptr<detail::job_builder> builder,
            std::vector<detail::settings_target> operators)
      : operator_settings(std::move(builder), std::move(operators)) {}
};

}  // namespace millrace
