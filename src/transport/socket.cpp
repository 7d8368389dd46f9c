#include "millrace/transport/socket.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace millrace::transport {

namespace {

constexpr int listen_backlog = 128;
constexpr unsigned int user_timeout_ms = 10'000;

std::string describe(int number) {
  return std::generic_category().message(number);
}

result<std::vector<socket_address>> look_up(const std::string& host, std::uint16_t port,
                                            int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* raw = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &raw);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found{raw, &::freeaddrinfo};
  if (failed != 0)
    return fail(errc::not_found,
                "cannot resolve the host name \"" + host +
                    "\": " + (failed == EAI_SYSTEM ? describe(errno) : ::gai_strerror(failed)));
  std::vector<socket_address> out;
  for (const addrinfo* i = found.get(); i != nullptr; i = i->ai_next) {
    if (i->ai_addrlen > sizeof(sockaddr_storage)) continue;
    socket_address address;
    std::memcpy(&address.storage, i->ai_addr, i->ai_addrlen);
    address.bytes = i->ai_addrlen;
    out.push_back(address);
  }
  return out;
}

const sockaddr* raw(const socket_address& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

unique_fd open_socket(const socket_address& address) {
  return unique_fd{
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

}  // namespace

bool socket_address::is_loopback() const noexcept {
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof v6);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
  }
  return false;
}

std::string format_address(std::string_view host, std::uint16_t port) {
  std::string out{host};
  if (host.find(':') != host.npos) out = "[" + out + "]";
  return out + ":" + std::to_string(port);
}

result<std::vector<socket_address>> resolve_literal(const std::string& host, std::uint16_t port) {
  if (host != "localhost") return look_up(host, port, AI_NUMERICHOST | AI_NUMERICSERV);
  auto addresses = look_up("127.0.0.1", port, AI_NUMERICHOST | AI_NUMERICSERV);
  if (auto v6 = look_up("::1", port, AI_NUMERICHOST | AI_NUMERICSERV); addresses && v6)
    addresses->insert(addresses->end(), v6->begin(), v6->end());
  return addresses;
}

result<std::vector<socket_address>> resolve(const std::string& host, std::uint16_t port) {
  if (auto literal = resolve_literal(host, port)) return literal;
  return look_up(host, port, AI_NUMERICSERV);
}

result<unique_fd> listen_on(const socket_address& address, std::string_view host,
                            std::uint16_t port) {
  const auto where = format_address(host, port);
  auto fd = open_socket(address);
  if (!fd) return fail(errc::io, "cannot open a socket for " + where + ": " + describe(errno));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), raw(address), address.bytes) != 0 ||
      ::listen(fd.get(), listen_backlog) != 0) {
    const int number = errno;
    if (number == EADDRINUSE)
      return fail(errc::address_in_use, "cannot listen on " + where +
                                            ": another process listens there; stop it or choose "
                                            "another port");
    if (number == EADDRNOTAVAIL)
      return fail(errc::invalid_config,
                  "cannot listen on " + where + ": it is not an address of this machine");
    if (number == EACCES)
      return fail(errc::permission_denied, "cannot listen on " + where + ": " + describe(number));
    return fail(errc::io, "cannot listen on " + where + ": " + describe(number));
  }
  return fd;
}

std::uint16_t local_port(int fd) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof storage;
  char port[16] = "0";
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &bytes) == 0)
    ::getnameinfo(reinterpret_cast<sockaddr*>(&storage), bytes, nullptr, 0, port, sizeof port,
                  NI_NUMERICSERV);
  return static_cast<std::uint16_t>(std::stoul(port));
}

std::string remote_address(int fd) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof storage;
  char host[INET6_ADDRSTRLEN + 32] = "";
  char port[16] = "0";
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &bytes) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&storage), bytes, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "unknown";
  return format_address(host, static_cast<std::uint16_t>(std::stoul(port)));
}

result<unique_fd> start_connect(const socket_address& address) {
  auto fd = open_socket(address);
  if (!fd) return fail(errc::io, "cannot open a socket: " + describe(errno));
  if (::connect(fd.get(), raw(address), address.bytes) != 0 && errno != EINPROGRESS)
    return fail(errno == ECONNREFUSED ? errc::connection_refused : errc::unreachable,
                describe(errno));
  return fd;
}

int connect_result(int fd) {
  int number = 0;
  socklen_t bytes = sizeof number;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &bytes) != 0) return errno;
  return number;
}

void tune_connection(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
}

void reset_connection(int fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::shutdown(fd, SHUT_RDWR);
}

}  // namespace millrace::transport
