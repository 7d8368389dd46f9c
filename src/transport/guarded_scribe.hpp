#pragma once

#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/io/scribe.hpp>
#include <memory>
#include <string>
#include <vector>

#include "millrace/transport/connection_table.hpp"
#include "millrace/transport/event_log.hpp"
#include "millrace/transport/frame_guard.hpp"

namespace millrace::transport {

/// CAF's transport policy: plain TCP, and every byte is shown to the guard before CAF sees it.
class guarded_policy {
 public:
  guarded_policy(frame_guard guard, std::shared_ptr<connection> place,
                 std::shared_ptr<event_log> log)
      : guard_(std::move(guard)), place_(std::move(place)), log_(std::move(log)) {}

  caf::io::network::rw_state read_some(std::size_t& result, caf::io::network::native_socket fd,
                                       void* buffer, std::size_t size);
  caf::io::network::rw_state write_some(std::size_t& result, caf::io::network::native_socket fd,
                                        const void* buffer, std::size_t size);
  constexpr bool must_read_more(caf::io::network::native_socket, std::size_t) { return false; }

 private:
  frame_guard guard_;
  std::shared_ptr<connection> place_;
  std::shared_ptr<event_log> log_;
};

/// An authenticated connection as CAF's BASP broker wants it; of the same shape as CAF's own
/// `scribe_impl`. Owned by the broker, used on the middleman's thread only, which is where it must
/// be made. Owns the socket from construction on.
class guarded_scribe final : public caf::io::scribe {
 public:
  guarded_scribe(caf::io::network::default_multiplexer& multiplexer,
                 caf::io::network::native_socket fd, frame_guard guard,
                 std::shared_ptr<connection> place, std::shared_ptr<event_log> log);
  ~guarded_scribe() override;

  void configure_read(caf::io::receive_policy::config config) override;
  void ack_writes(bool enable) override;
  std::vector<char>& wr_buf() override;
  std::vector<char>& rd_buf() override;
  void graceful_shutdown() override;
  void flush() override;
  std::string addr() const override;
  std::uint16_t port() const override;
  void add_to_loop() override;
  void remove_from_loop() override;

 private:
  bool launched_ = false;
  std::shared_ptr<connection> place_;
  caf::io::network::stream_impl<guarded_policy> stream_;
};

}  // namespace millrace::transport
