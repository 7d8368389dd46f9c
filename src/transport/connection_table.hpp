#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "millrace/transport/authenticator.hpp"
#include "millrace/transport/peer_identity.hpp"

namespace millrace::transport {

/// Bytes that have passed through sockets.
struct traffic {
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

class connection_table;

/// A peer's place in the table, held by whoever holds the socket; gives the place back when it is
/// destroyed. Thread-safe.
class connection {
 public:
  connection(std::shared_ptr<connection_table> table, peer_identity peer)
      : table_(std::move(table)), peer_(std::move(peer)) {}
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  const peer_identity& peer() const noexcept { return peer_; }

  /// The socket that abort() ends. Its owner calls detach() before it closes the descriptor, so
  /// that abort() never hits another connection that got the same number.
  void attach(int fd);
  void detach();
  /// Resets the connection, from any thread. Its reader sees the end of the stream at once.
  void abort();

  void count_in(std::size_t bytes) noexcept;
  void count_out(std::size_t bytes) noexcept;
  traffic counted() const noexcept;

 private:
  std::shared_ptr<connection_table> table_;
  peer_identity peer_;
  std::atomic<std::uint64_t> bytes_in_{0};
  std::atomic<std::uint64_t> bytes_out_{0};
  std::mutex mutex_;
  int fd_ = -1;
};

/// The live connections of a node, at most one per peer: BASP loses and reorders messages when two
/// nodes share two connections. Thread-safe.
class connection_table : public std::enable_shared_from_this<connection_table> {
 public:
  struct reservation {
    admission decision = admission::welcome;
    std::shared_ptr<connection> taken;  ///< Set if welcome.
  };

  /// Takes the peer's place unless a connection to it, or to another process with the same CAF node
  /// id, holds it, or the table is closed.
  reservation reserve(const peer_identity& peer);

  /// The connection to a node, by its CAF node id in wire form; nullptr if there is none.
  std::shared_ptr<connection> find(std::string_view node_id) const;

  /// All connections so far, those that have ended included.
  traffic total() const;
  /// From now on reserve() answers `shutting_down`.
  void close();

 private:
  friend class connection;
  struct place {
    resource_id id;
    std::weak_ptr<connection> taken_by;
    connection* taken_by_raw;  ///< Valid: a connection leaves the table before it dies.
  };
  void release(const connection& ended);

  mutable std::mutex mutex_;
  bool closed_ = false;
  std::map<std::string, place, std::less<>> places_;  ///< By CAF node id.
  traffic ended_;
};

}  // namespace millrace::transport
