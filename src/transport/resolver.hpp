#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/transport/socket.hpp"

namespace millrace::transport {

/// Resolves host names off the caller's thread: the system's resolver can block for half a minute.
/// Literal addresses and "localhost" are answered at once on the calling thread.
class resolver {
 public:
  using addresses = result<std::vector<socket_address>>;
  using callback = std::function<void(addresses)>;

  resolver();
  /// Does not wait for a lookup in progress; its callback is dropped, as are those of queued ones.
  ~resolver();
  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;

  /// Lookups are answered one after the other, in order.
  void resolve(std::string host, std::uint16_t port, callback done);

 private:
  struct queue;
  std::shared_ptr<queue> queue_;
};

}  // namespace millrace::transport
