#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "millrace/core/error.hpp"

namespace millrace {

/// A number of bytes, written "64 kb".
struct memory_size {
  std::uint64_t bytes = 0;  ///< "64 kb" is 65536.
  /// By size.
  auto operator<=>(const memory_size&) const = default;
};

/// A number with up to three digits behind its point, written "1.5".
struct decimal {
  std::int64_t thousandths = 0;  ///< "1.5" is 1500.

  /// As a floating point number.
  double value() const noexcept { return static_cast<double>(thousandths) / 1000; }
  /// By value.
  auto operator<=>(const decimal&) const = default;
};

/// How the text of a value is read.
enum class value_form {
  boolean,   ///< "true" or "false"
  integer,   ///< "42"
  duration,  ///< "500 ms", "10 s", "5 min", "1 h", "1 d"; a bare number is milliseconds
  memory,    ///< "32 kb", "1 mb", "2 gb" (powers of 1024); a bare number is bytes
  decimal,   ///< "1.5", with at most three digits behind the point
  text,      ///< as it is
  choice,    ///< one of a list of words
};

/// Whose configuration an option is read from.
enum class option_scope {
  job,      ///< The job's, and where it says nothing that of the cluster.
  process,  ///< That of each process; what a job says is of no effect on a cluster.
};

/// All about an option except its C++ type.
struct option_info {
  std::string_view key;                ///< As in configuration files: "state.backend.type".
  std::string_view group;              ///< Heading in the reference.
  std::string_view default_text;       ///< As a user would write it; valid by its own rules.
  std::string_view description;        ///< One or two sentences.
  value_form form = value_form::text;  ///< How a value is written.
  /// For integers, durations (ms), memory (bytes) and decimals (thousandths), inclusive.
  std::int64_t min = 0;
  /// The same, the greatest.
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  /// The words of a choice.
  std::span<const std::string_view> choices = {};
  option_scope scope = option_scope::job;  ///< Whose configuration counts.
};

/// An option whose value is a `T`: bool, an integer type, std::chrono::milliseconds, memory_size,
/// decimal or std::string (text and choices).
template <class T>
struct config_option : option_info {
  /// What a configuration returns for it.
  using value_type = T;
};

/// The number behind a text by an option's form: 0 or 1, the integer, milliseconds, bytes, or
/// thousandths; 0 for acceptable texts and choices. The error is only what was expected: "an
/// integer from 1 to 65535".
tl::expected<std::int64_t, std::string> read_option_value(const option_info& option,
                                                          std::string_view text);

/// "expected <this>", also for the reference.
std::string expected_form(const option_info& option);

}  // namespace millrace
