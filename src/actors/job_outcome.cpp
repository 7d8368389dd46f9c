#include "millrace/actors/job_outcome.hpp"

#include <utility>

#include "millrace/core/codec.hpp"

namespace millrace {

namespace {

/// Raise it when job_result or job_details change.
constexpr std::uint32_t outcome_version = 3;

}  // namespace

std::vector<std::byte> encode_outcome(const job_outcome_record& outcome) {
  byte_writer out;
  encode(out, outcome_version, outcome.result, outcome.details);
  return std::move(out).take();
}

result<job_outcome_record> decode_outcome(std::span<const std::byte> bytes) {
  byte_reader in(bytes);
  std::uint32_t version = 0;
  job_outcome_record outcome;
  if (!decode(in, version) || version != outcome_version ||
      !decode(in, outcome.result, outcome.details) || in.remaining() != 0)
    return fail(errc::invalid_data, "another release of Millrace has written it");
  return outcome;
}

}  // namespace millrace
