#include "millrace/transport/connection_table.hpp"

#include "millrace/transport/socket.hpp"

namespace millrace::transport {

connection::~connection() {
  table_->release(*this);
}

void connection::attach(int fd) {
  std::lock_guard guard{mutex_};
  fd_ = fd;
}

void connection::detach() {
  std::lock_guard guard{mutex_};
  fd_ = -1;
}

void connection::abort() {
  std::lock_guard guard{mutex_};
  if (fd_ >= 0) reset_connection(fd_);
}

void connection::count_in(std::size_t bytes) noexcept {
  bytes_in_.fetch_add(bytes, std::memory_order_relaxed);
}

void connection::count_out(std::size_t bytes) noexcept {
  bytes_out_.fetch_add(bytes, std::memory_order_relaxed);
}

traffic connection::counted() const noexcept {
  return {bytes_in_.load(std::memory_order_relaxed), bytes_out_.load(std::memory_order_relaxed)};
}

connection_table::reservation connection_table::reserve(const peer_identity& peer) {
  std::lock_guard guard{mutex_};
  if (closed_) return {admission::shutting_down, nullptr};
  if (auto holder = places_.find(peer.node_id); holder != places_.end())
    return {holder->second.id == peer.id ? admission::already_connected : admission::same_node_id,
            nullptr};
  auto taken = std::make_shared<connection>(shared_from_this(), peer);
  places_.emplace(peer.node_id, place{peer.id, taken, taken.get()});
  return {admission::welcome, std::move(taken)};
}

std::shared_ptr<connection> connection_table::find(std::string_view node_id) const {
  std::lock_guard guard{mutex_};
  auto holder = places_.find(node_id);
  return holder == places_.end() ? nullptr : holder->second.taken_by.lock();
}

traffic connection_table::total() const {
  std::lock_guard guard{mutex_};
  traffic sum = ended_;
  for (const auto& [node_id, holder] : places_) {
    // Raw: a shared_ptr taken here could be the last one, and release() would lock again.
    const auto now = holder.taken_by_raw->counted();
    sum.bytes_in += now.bytes_in;
    sum.bytes_out += now.bytes_out;
  }
  return sum;
}

void connection_table::close() {
  std::lock_guard guard{mutex_};
  closed_ = true;
}

void connection_table::release(const connection& ended) {
  std::lock_guard guard{mutex_};
  places_.erase(ended.peer().node_id);
  const auto last = ended.counted();
  ended_.bytes_in += last.bytes_in;
  ended_.bytes_out += last.bytes_out;
}

}  // namespace millrace::transport
