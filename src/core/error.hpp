#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace millrace {

/// Why something failed, grouped by cause. Numbers travel between nodes: do not renumber.
enum class errc : std::uint16_t {
  // -- the caller's input ------------------------------------------------------------------
  invalid_argument = 100,  ///< An API call or a command line that makes no sense.
  invalid_config = 101,    ///< A configuration file, key or value that cannot be used.
  invalid_graph = 102,     ///< A job whose operators do not fit together.
  invalid_library = 103,   ///< A job library without entry point, or of another ABI version.
  unknown_job = 104,       ///< No job with that id.
  type_mismatch = 105,     ///< Two ends of a stream disagree about the record type.
  invalid_data = 106,      ///< Bytes, a file or a record that cannot be decoded.
  empty_job = 107,         ///< A job without operators, as `build` describes when asked for help.

  // -- the user's code ---------------------------------------------------------------------
  user_function = 200,   ///< A user function threw.
  build_function = 201,  ///< The job's build function threw.

  // -- the world outside -------------------------------------------------------------------
  not_found = 300,           ///< A file, directory or address that does not exist.
  permission_denied = 301,   ///< The operating system said no.
  io = 302,                  ///< Any other failure of a file or device.
  connection_refused = 303,  ///< Nobody listens there.
  address_in_use = 304,      ///< Somebody else listens there.
  authentication = 305,      ///< The peer does not know the cluster secret.
  unreachable = 306,         ///< A peer that should be there does not answer.
  already_connected = 307,   ///< A connection to that node is up, or its end not yet noticed.

  // -- the cluster -------------------------------------------------------------------------
  no_slots = 400,           ///< Not enough free slots within the time allowed.
  task_manager_lost = 401,  ///< A task manager died or fell silent.
  master_lost = 402,        ///< The job manager died or fell silent.
  timeout = 403,            ///< A peer took too long.
  stale = 404,              ///< A message of an attempt or epoch that is over.
  cancelled = 405,          ///< Somebody cancelled the job.
  protocol = 406,           ///< A peer said what it must not say.

  // -- us ----------------------------------------------------------------------------------
  internal = 500,  ///< A defect in Millrace.
};

/// The code's name, as logs and JSON show it.
std::string_view to_string(errc code) noexcept;

/// A failure: what kind, and a sentence that names what failed, on which input, and what to do.
struct error {
  /// For programs.
  errc code = errc::internal;
  /// For people.
  std::string message;

  /// The same code and the same words.
  bool operator==(const error&) const = default;
};

/// Whether the same thing, tried again unchanged, may succeed. The others are fatal for the job.
bool is_retryable(errc code) noexcept;

/// "<message>"; the code is for programs.
std::string to_string(const error& e);

/// A value or why there is none.
template <class T>
using result = tl::expected<T, error>;

/// Done or why not.
using status = result<void>;

/// `return fail(errc::io, "…");` from functions that return a result or a status.
inline tl::unexpected<error> fail(errc code, std::string message) {
  return tl::unexpected<error>(error{code, std::move(message)});
}

/// The exception that carries an `error` across the borders where C++ users expect one: API calls
/// that build a job, and `execute()`. Inside the engine errors are values.
class failure : public std::runtime_error {
 public:
  /// Carries `e`, whose message is what().
  explicit failure(error e) : std::runtime_error(e.message), error_(std::move(e)) {}
  /// The same from its parts.
  failure(errc code, std::string message) : failure(error{code, std::move(message)}) {}

  /// What is carried.
  const error& what_failed() const noexcept { return error_; }
  /// Its code.
  errc code() const noexcept { return error_.code; }

 private:
  error error_;
};

}  // namespace millrace
