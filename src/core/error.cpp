#include "millrace/core/error.hpp"

namespace millrace {

std::string_view to_string(errc code) noexcept {
  switch (code) {
    case errc::invalid_argument:
      return "invalid_argument";
    case errc::invalid_config:
      return "invalid_config";
    case errc::invalid_graph:
      return "invalid_graph";
    case errc::invalid_library:
      return "invalid_library";
    case errc::unknown_job:
      return "unknown_job";
    case errc::type_mismatch:
      return "type_mismatch";
    case errc::invalid_data:
      return "invalid_data";
    case errc::empty_job:
      return "empty_job";
    case errc::user_function:
      return "user_function";
    case errc::build_function:
      return "build_function";
    case errc::not_found:
      return "not_found";
    case errc::permission_denied:
      return "permission_denied";
    case errc::io:
      return "io";
    case errc::connection_refused:
      return "connection_refused";
    case errc::address_in_use:
      return "address_in_use";
    case errc::authentication:
      return "authentication";
    case errc::unreachable:
      return "unreachable";
    case errc::already_connected:
      return "already_connected";
    case errc::no_slots:
      return "no_slots";
    case errc::task_manager_lost:
      return "task_manager_lost";
    case errc::master_lost:
      return "master_lost";
    case errc::timeout:
      return "timeout";
    case errc::stale:
      return "stale";
    case errc::cancelled:
      return "cancelled";
    case errc::protocol:
      return "protocol";
    case errc::internal:
      return "internal";
  }
  return "unknown";
}

bool is_retryable(errc code) noexcept {
  switch (code) {
    case errc::io:
    case errc::connection_refused:
    case errc::unreachable:
    case errc::already_connected:
    case errc::no_slots:
    case errc::task_manager_lost:
    case errc::master_lost:
    case errc::timeout:
    case errc::user_function:
    case errc::stale:
    case errc::protocol:
    case errc::internal:
      return true;
    default:
      return false;
  }
}

std::string to_string(const error& e) {
  return e.message;
}

}  // namespace millrace
