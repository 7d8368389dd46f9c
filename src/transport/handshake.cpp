#include "millrace/transport/handshake.hpp"

#include <poll.h>

#include <cerrno>
#include <system_error>

namespace millrace::transport {

namespace {

bool would_block(int number) {
  return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

tl::unexpected<error> lost(int number) {
  return fail(errc::unreachable,
              "the other end closed the connection during the handshake" +
                  (number == 0 ? std::string{} : ": " + std::generic_category().message(number)));
}

}  // namespace

handshake::handshake(unique_fd fd, authenticator protocol, connection_role own_role,
                     std::shared_ptr<connection_table> table)
    : fd_(std::move(fd)),
      protocol_(std::move(protocol)),
      role_(own_role),
      table_(std::move(table)),
      output_(protocol_.take_output()) {
  tune_connection(fd_.get());
}

short handshake::events() const noexcept {
  return static_cast<short>(output_.empty() ? POLLIN : POLLIN | POLLOUT);
}

result<handshake::progress> handshake::on_ready() {
  auto advanced = advance();
  if (!advanced) return advanced;
  if (*advanced == progress::done && role_ == connection_role::dialer) {
    if (auto reserved = reserve_place(); !reserved) return tl::unexpected(reserved.error());
  }
  return advanced;
}

result<handshake::progress> handshake::advance() {
  for (;;) {
    auto flushed = flush();
    if (!flushed) return tl::unexpected(refusal_.value_or(flushed.error()));
    if (!*flushed) return progress::going_on;
    if (refusal_) return tl::unexpected(*refusal_);
    if (protocol_.complete()) return progress::done;
    if (protocol_.awaits_admission()) {
      if (auto reserved = reserve_place(); !reserved) refusal_ = reserved.error();
    } else {
      auto fed = read();
      if (!fed) {
        refusal_ = fed.error();
      } else if (!*fed) {
        return progress::going_on;
      }
    }
    output_ += protocol_.take_output();
  }
}

result<bool> handshake::flush() {
  while (!output_.empty()) {
    const ssize_t n = ::send(fd_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (n < 0 && would_block(errno)) return false;
    if (n < 0) return lost(errno);
    output_.erase(0, static_cast<std::size_t>(n));
  }
  return true;
}

result<bool> handshake::read() {
  // Never beyond what the protocol wants: what follows belongs to BASP.
  while (input_.size() < protocol_.wanted()) {
    char buffer[512];
    const auto want = std::min(sizeof buffer, protocol_.wanted() - input_.size());
    const ssize_t n = ::recv(fd_.get(), buffer, want, 0);
    if (n < 0 && would_block(errno)) return false;
    if (n <= 0) return lost(n == 0 ? 0 : errno);
    input_.append(buffer, static_cast<std::size_t>(n));
  }
  auto fed = protocol_.feed(std::exchange(input_, {}));
  if (!fed) return tl::unexpected(fed.error());
  return true;
}

status handshake::reserve_place() {
  auto [decision, taken] = table_->reserve(protocol_.peer());
  if (role_ == connection_role::acceptor) protocol_.admit(decision);
  place_ = std::move(taken);
  switch (decision) {
    case admission::welcome:
      return {};
    case admission::shutting_down:
      return fail(errc::cancelled, "this node is shutting down");
    case admission::same_node_id:
      return fail(errc::already_connected,
                  "another process with the same node id is connected to this node");
    default:
      break;
  }
  return fail(errc::already_connected, "the two nodes are connected already");
}

authenticated_socket handshake::take() {
  return {std::move(fd_), std::move(place_), role_};
}

}  // namespace millrace::transport
