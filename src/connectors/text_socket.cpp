#include "millrace/connectors/text_socket.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace millrace {

namespace {

struct address_list {
  addrinfo* first = nullptr;
  ~address_list() {
    if (first != nullptr) freeaddrinfo(first);
  }
};

class tcp_socket final : public text_socket {
 public:
  tcp_socket(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}
  ~tcp_socket() override { close_socket(); }
  tcp_socket(const tcp_socket&) = delete;
  tcp_socket& operator=(const tcp_socket&) = delete;

  result<outcome> connect() override {
    if (addresses_.first == nullptr) {
      if (auto ok = resolve(); !ok) return tl::unexpected(ok.error());
    }
    if (socket_ < 0) {
      if (auto ok = start_connecting(); !ok) return try_next_address(ok.error());
    }
    if (!is_ready(POLLOUT)) return outcome::pending;
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(socket_, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) return try_next_address(failed("cannot connect to", problem));
    return outcome::done;
  }

  result<outcome> receive(std::string& into) override {
    into.clear();
    if (!is_ready(POLLIN)) return outcome::pending;
    into.resize(received_bytes_max);
    const auto got = recv(socket_, into.data(), into.size(), 0);
    into.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    if (got > 0) return outcome::done;
    if (got == 0) return outcome::ended;
    if (errno == EINTR || errno == EAGAIN) return outcome::pending;
    return tl::unexpected(failed("lost the connection to", errno));
  }

 private:
  static constexpr std::size_t received_bytes_max = 256 * 1024;

  status resolve() {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    const int problem =
        getaddrinfo(host_.c_str(), std::to_string(port_).c_str(), &hints, &addresses_.first);
    next_address_ = addresses_.first;
    if (problem == 0) return {};
    return fail(errc::not_found, "cannot connect to " + name() + ": " +
                                     (problem == EAI_SYSTEM ? std::generic_category().message(errno)
                                                            : gai_strerror(problem)));
  }

  tl::expected<void, error> start_connecting() {
    const auto* address = std::exchange(next_address_, next_address_->ai_next);
    socket_ = ::socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                       address->ai_protocol);
    if (socket_ < 0 ||
        (::connect(socket_, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS))
      return tl::unexpected(failed("cannot connect to", errno));
    return {};
  }

  result<outcome> try_next_address(error problem) {
    close_socket();
    if (next_address_ != nullptr) return outcome::pending;
    return tl::unexpected(std::move(problem));
  }

  bool is_ready(short events) const {
    pollfd waiting{socket_, events, 0};
    return poll(&waiting, 1, static_cast<int>(patience.count())) > 0;
  }

  void close_socket() noexcept {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  std::string name() const { return host_ + ':' + std::to_string(port_); }

  error failed(const char* what, int problem) const {
    const auto code = problem == ECONNREFUSED ? errc::connection_refused
                      : problem == EHOSTUNREACH || problem == ENETUNREACH || problem == ETIMEDOUT
                          ? errc::unreachable
                          : errc::io;
    return {code,
            std::string(what) + ' ' + name() + ": " + std::generic_category().message(problem)};
  }

  std::string host_;
  std::uint16_t port_;
  address_list addresses_;
  addrinfo* next_address_ = nullptr;
  int socket_ = -1;
};

}  // namespace

std::unique_ptr<text_socket> make_tcp_socket(std::string host, std::uint16_t port) {
  return std::make_unique<tcp_socket>(std::move(host), port);
}

}  // namespace millrace
