#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "millrace/actors/messages.hpp"
#include "millrace/core/error.hpp"

namespace millrace {

/// How a job ended, and what can be said about it afterwards.
struct job_outcome_record {
  wire::job_result result;
  wire::job_details details;
};

/// For the job store.
std::vector<std::byte> encode_outcome(const job_outcome_record& outcome);
/// `invalid_data` for what another release of Millrace has written.
result<job_outcome_record> decode_outcome(std::span<const std::byte> bytes);

}  // namespace millrace
