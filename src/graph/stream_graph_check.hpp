#pragma once

#include "millrace/core/error.hpp"
#include "millrace/graph/runtime_mode.hpp"
#include "millrace/graph/stream_graph.hpp"

namespace millrace::graph {

/// Whether the operators fit together, before parallelism and chaining have a say: there is a sink,
/// edges end at existing operators, every input is fed and no source has one, both ends of each
/// edge agree about the record type, and batch mode reads only what ends.
/// Errors (`errc::empty_job`, `errc::invalid_graph`, `errc::type_mismatch`) name the operators
/// concerned.
status check_stream_graph(const stream_graph& graph, runtime_mode mode);

}  // namespace millrace::graph
