#pragma once

#include <functional>

#include "millrace/api/arguments.hpp"
#include "millrace/api/job_plan.hpp"
#include "millrace/api/stream_environment.hpp"

namespace millrace {

/// A job's `build` function: describes the job, which depends on its arguments only.
using build_function = void (*)(stream_environment&, const arguments&);

/// Runs `build` and plans what it describes. `defaults` carries what the caller knows: the job's
/// name unless the job sets one, `-p`, the artifact, the arguments. Parallelism, chaining and
/// runtime mode come from `config`. Errors: `build_function` with the message of what `build`
/// threw, `invalid_graph`.
result<job_plan> make_plan(const std::function<void(stream_environment&, const arguments&)>& build,
                           const arguments& args, const configuration& config,
                           graph::job_defaults defaults = {});

}  // namespace millrace
