#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::transport {

/// How much a log line of the transport matters.
enum class severity { info, warning, error };

/// Receives the transport's log lines. Called from the transport's own threads and from the
/// middleman's, one call at a time; must not block and must not call back into the transport.
using log_callback = std::function<void(severity, std::string_view)>;

/// Hands lines to a `log_callback` for as long as its owner lives: guarded connections may outlive
/// the endpoint that made them, the callback need not.
class event_log {
 public:
  explicit event_log(log_callback callback) : callback_(std::move(callback)) {}

  void write(severity level, std::string_view line) {
    std::lock_guard guard{mutex_};
    if (callback_) callback_(level, line);
  }

  /// No call is made, and none is running, after this returns.
  void close() {
    std::lock_guard guard{mutex_};
    callback_ = nullptr;
  }

 private:
  std::mutex mutex_;
  log_callback callback_;
};

}  // namespace millrace::transport
