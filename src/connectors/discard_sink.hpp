#pragma once

#include <memory>

#include "millrace/operators/sink_writer.hpp"

namespace millrace {

/// Swallows everything, for measuring what comes before it.
template <class T>
struct discard_sink {
  /// There is none.
  using committable = no_committable;

  /// The writer of a subtask.
  std::unique_ptr<sink_writer<T>> create_writer(sink_writer_context&) const {
    struct writer final : sink_writer<T> {
      void write(const sink_rows<T>&) override {}
    };
    return std::make_unique<writer>();
  }
};

}  // namespace millrace
