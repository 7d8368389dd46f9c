#include "millrace/transport/guarded_scribe.hpp"

#include <caf/policy/tcp.hpp>

#include "millrace/transport/socket.hpp"

namespace millrace::transport {

namespace net = caf::io::network;

net::rw_state guarded_policy::read_some(std::size_t& result, net::native_socket fd, void* buffer,
                                        std::size_t size) {
  const auto state = caf::policy::tcp::read_some(result, fd, buffer, size);
  if (state != net::rw_state::success || result == 0) return state;
  place_->count_in(result);
  if (auto verdict = guard_.vet(static_cast<const char*>(buffer), result); !verdict) {
    log_->write(severity::error, "connection to node " + to_string(place_->peer().id) + " at " +
                                     remote_address(fd) + " closed: " + verdict.error().message);
    // The other end learns it at once, and nothing that is unsent keeps the socket alive.
    reset_connection(fd);
    return net::rw_state::failure;
  }
  return state;
}

net::rw_state guarded_policy::write_some(std::size_t& result, net::native_socket fd,
                                         const void* buffer, std::size_t size) {
  const auto state = caf::policy::tcp::write_some(result, fd, buffer, size);
  if (state == net::rw_state::success) place_->count_out(result);
  return state;
}

guarded_scribe::guarded_scribe(net::default_multiplexer& multiplexer, net::native_socket fd,
                               frame_guard guard, std::shared_ptr<connection> place,
                               std::shared_ptr<event_log> log)
    : scribe(net::conn_hdl_from_socket(fd)),
      place_(place),
      stream_(multiplexer, fd, std::move(guard), std::move(place), std::move(log)) {
  place_->attach(fd);
}

// Before `stream_` closes the descriptor.
guarded_scribe::~guarded_scribe() {
  place_->detach();
}

void guarded_scribe::configure_read(caf::io::receive_policy::config config) {
  stream_.configure_read(config);
  if (launched_) return;
  launched_ = true;
  stream_.start(this);
}

void guarded_scribe::ack_writes(bool enable) {
  stream_.ack_writes(enable);
}

std::vector<char>& guarded_scribe::wr_buf() {
  return stream_.wr_buf();
}

std::vector<char>& guarded_scribe::rd_buf() {
  return stream_.rd_buf();
}

void guarded_scribe::graceful_shutdown() {
  stream_.graceful_shutdown();
  detach(&stream_.backend(), false);
}

void guarded_scribe::flush() {
  stream_.flush(this);
}

std::string guarded_scribe::addr() const {
  auto address = net::remote_addr_of_fd(stream_.fd());
  return address ? *address : std::string{};
}

std::uint16_t guarded_scribe::port() const {
  auto number = net::remote_port_of_fd(stream_.fd());
  return number ? *number : std::uint16_t{0};
}

void guarded_scribe::add_to_loop() {
  stream_.activate(this);
}

void guarded_scribe::remove_from_loop() {
  stream_.passivate();
}

}  // namespace millrace::transport
