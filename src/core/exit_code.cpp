#include "millrace/core/exit_code.hpp"

namespace millrace {

exit_code exit_code_of(errc code) noexcept {
  switch (code) {
    case errc::invalid_argument:
    case errc::invalid_config:
    case errc::invalid_graph:
    case errc::empty_job:
    case errc::invalid_library:
    case errc::type_mismatch:
    case errc::invalid_data:
    case errc::build_function:
    case errc::not_found:
    case errc::permission_denied:
      return exit_code::invalid_input;
    case errc::connection_refused:
    case errc::authentication:
    case errc::unreachable:
    case errc::timeout:
      return exit_code::unreachable;
    case errc::unknown_job:
      return exit_code::unknown_job;
    default:
      return exit_code_of_job(code);
  }
}

exit_code exit_code_of_job(errc code) noexcept {
  switch (code) {
    // Sources and sinks have connections too: only this one is to the cluster.
    case errc::master_lost:
      return exit_code::unreachable;
    case errc::cancelled:
      return exit_code::cancelled;
    default:
      return exit_code::job_failed;
  }
}

}  // namespace millrace
