#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

/// 128 random bits that name a thing for ever, written as 32 hex digits (Flink's AbstractID).
/// `Tag` makes ids of different things different types.
template <class Tag>
struct unique_id {
  std::uint64_t high = 0;  ///< The first 16 hex digits.
  std::uint64_t low = 0;   ///< The others. An id that make_id has made is odd, so never 0.

  /// As their hex digits are ordered.
  auto operator<=>(const unique_id&) const = default;
  /// False for the id that names nothing.
  explicit operator bool() const noexcept { return (high | low) != 0; }
};

/// 32 lower-case hex digits.
std::string format_hex_id(std::uint64_t high, std::uint64_t low);
/// Exactly 32 hex digits, else nothing.
std::optional<std::array<std::uint64_t, 2>> parse_hex_id(std::string_view text) noexcept;

/// The id as format_hex_id writes it.
template <class Tag>
std::string to_string(const unique_id<Tag>& id) {
  return format_hex_id(id.high, id.low);
}

/// The id of exactly 32 hex digits, else nothing.
template <class Id>
std::optional<Id> parse_id(std::string_view text) noexcept {
  if (auto words = parse_hex_id(text)) return Id{(*words)[0], (*words)[1]};
  return std::nullopt;
}

/// A fresh id from any 64-bit random generator; the caller injects the generator.
template <class Id, class Rng>
Id make_id(Rng& rng) {
  return Id{rng(), rng() | 1};
}

using job_id = unique_id<struct job_id_tag>;                ///< One submission of a job.
using resource_id = unique_id<struct resource_id_tag>;      ///< One life of a task manager process.
using allocation_id = unique_id<struct allocation_id_tag>;  ///< One grant of one slot to one job.

/// Names one execution of one subtask: every message that changes anything about it carries this,
/// and a message whose id is not the current one is dropped (Flink's ExecutionAttemptID).
struct execution_attempt_id {
  job_id job;                 ///< The job it belongs to.
  std::uint32_t vertex = 0;   ///< Index of the vertex in the job graph, topological order.
  std::uint32_t subtask = 0;  ///< 0-based.
  std::uint32_t attempt = 0;  ///< 0-based, grows with every restart.

  /// By job, vertex, subtask and attempt, in this order.
  auto operator<=>(const execution_attempt_id&) const = default;
};

/// Numbers the checkpoints of a job, from 1, ascending over all its attempts; 0 for none.
struct checkpoint_id {
  std::uint64_t number = 0;  ///< From 1; 0 for none.

  /// The later one is greater.
  auto operator<=>(const checkpoint_id&) const = default;
  /// False for none.
  explicit operator bool() const noexcept { return number != 0; }
};

/// `<job>/v<vertex>/s<subtask>/a<attempt>`
std::string to_string(const execution_attempt_id& id);

}  // namespace millrace

template <class Tag>
struct std::hash<millrace::unique_id<Tag>> {
  std::size_t operator()(const millrace::unique_id<Tag>& id) const noexcept {
    return static_cast<std::size_t>(id.low ^ (id.high * 0x9E3779B97F4A7C15ull));
  }
};

template <>
struct std::hash<millrace::execution_attempt_id> {
  std::size_t operator()(const millrace::execution_attempt_id& id) const noexcept {
    return std::hash<millrace::job_id>{}(id.job) ^
           (((std::uint64_t{id.vertex} << 40) ^ (std::uint64_t{id.subtask} << 16) ^ id.attempt) *
            0x9E3779B97F4A7C15ull);
  }
};
