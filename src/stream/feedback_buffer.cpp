#include "millrace/stream/feedback_buffer.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <exception>
#include <mutex>
#include <span>

#include "millrace/core/mutant.hpp"

namespace millrace {

static_assert(std::endian::native == std::endian::little, "headers are written as they lie");

namespace {

/// A batch in a temporary file, which is written once and read once by the same process: this, and
/// the rows as on the network.
struct block_header {
  std::uint64_t fingerprint = 0;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::uint64_t check = 0;  // XXH3_64 of the rows
};

}  // namespace

/// Batches on their way through a file. Used by I/O work and the owner in turns, never at once,
/// save that it may be removed at any time.
struct feedback_buffer::spill_file {
  file_system& disk;
  const std::string directory;
  const std::string path;
  std::vector<batch_ptr> batches;  // to be written, or that were read
  status outcome{};

  void write() {
    std::lock_guard lock(mutex);
    if (is_removed) return;
    outcome = guarded([this] { return write_batches(); });
    batches.clear();
  }
  void read() {
    std::lock_guard lock(mutex);
    if (is_removed) return;
    outcome = guarded([this] { return read_batches(); });
    static_cast<void>(disk.remove(path));
    is_removed = true;
  }
  void remove() {
    std::lock_guard lock(mutex);
    if (!std::exchange(is_removed, true) && is_there) static_cast<void>(disk.remove(path));
  }

  std::mutex mutex{};
  std::uint64_t size = 0;
  bool is_there = false;
  bool is_removed = false;

  template <class Work>
  static status guarded(Work&& work) {
    try {
      return work();
    } catch (const std::exception& e) {  // a user's codec
      return fail(errc::internal, e.what());
    }
  }

  status write_batches() {
    if (auto ok = disk.create_directories(directory); !ok) return ok;
    auto file = disk.open_writer(path, write_mode::create);
    if (!file) return tl::unexpected(file.error());
    is_there = true;
    byte_writer rows;
    for (const auto& b : batches) {
      rows.clear();
      b->encode_rows(rows);
      const block_header header{b->fingerprint(), b->size(), rows.size(),
                                XXH3_64bits(rows.bytes().data(), rows.size())};
      if (auto ok = (*file)->append(std::as_bytes(std::span(&header, 1))); !ok) return ok;
      if (auto ok = (*file)->append(rows.bytes()); !ok) return ok;
      size += sizeof header + rows.size();
    }
    return (*file)->close();
  }

  status read_batches() {
    auto file = disk.open_reader(path);
    if (!file) return tl::unexpected(file.error());
    if ((*file)->size() != size) return damaged("it has another size than was written");
    std::uint64_t at = 0;
    const auto take = [&](std::span<std::byte> into) -> status {
      auto count = (*file)->read_at(at, into);
      if (!count) return tl::unexpected(count.error());
      if (*count != into.size()) return damaged("it ends too early");
      at += *count;
      return {};
    };
    while (at < size) {
      block_header header;
      if (auto ok = take(std::as_writable_bytes(std::span(&header, 1))); !ok) return ok;
      if (header.bytes > size - at) return damaged("a block is longer than the file");
      std::vector<std::byte> rows(header.bytes);
      if (auto ok = take(rows); !ok) return ok;
      if (XXH3_64bits(rows.data(), rows.size()) != header.check)
        return damaged("the checksum of a block is wrong");
      batches.push_back(new encoded_batch(header.fingerprint, header.rows, std::move(rows)));
    }
    return {};
  }

  status damaged(const char* how) const {
    return fail(errc::invalid_data, "'" + path + "' is damaged: " + how);
  }
};

feedback_buffer::feedback_buffer(io_executor& io, file_system& files, std::string directory,
                                 std::uint64_t memory_bytes, return_credit give_back)
    : io_(io),
      disk_(files),
      directory_(std::move(directory)),
      memory_bytes_(std::max<std::uint64_t>(memory_bytes, 4096)),
      give_back_(std::move(give_back)) {}

feedback_buffer::~feedback_buffer() {
  if (files_made_ == 0) return;
  // Where blocking is allowed. What cannot be removed goes with the directory of the process.
  io_.submit(
      [files = std::make_shared<decltype(files_)>(std::move(files_)), &disk = disk_,
       directory = directory_] {
        for (const auto& file : *files) file->remove();
        static_cast<void>(disk.remove(directory));
      },
      [] {});
}

std::uint64_t feedback_buffer::bytes_of(const batch& rows) noexcept {
  return rows.memory_bytes() + sizeof(batch_ptr) + sizeof(batch);
}

void feedback_buffer::push(std::uint32_t channel, record_batch data) {
  const auto bytes = bytes_of(*data.rows);
  if (MILLRACE_MUTANT(feedback_forgotten) && has_next()) return give_back_(channel, data.charge);
  if (has_room() && (front_.empty() || front_bytes_ + bytes <= memory_bytes_ / 2)) {
    front_bytes_ += bytes;
    front_.push_back({std::move(data.rows), bytes});
  } else {
    back_bytes_ += bytes;
    back_.push_back({std::move(data.rows), bytes});
    pump();
    if (is_back_full()) {
      owed_.emplace_back(channel, data.charge);
      return;
    }
  }
  give_back_(channel, data.charge);
}

batch_ptr feedback_buffer::take() {
  auto next = std::move(front_.front());
  front_.pop_front();
  front_bytes_ -= next.bytes;
  pump();
  return std::move(next.rows);
}

void feedback_buffer::pump() {
  if (files_.empty()) {
    // What has not been written need not be, once there is room.
    while (!back_.empty()) {
      const auto bytes = back_.front().bytes;
      if (!front_.empty() && front_bytes_ + bytes > memory_bytes_ / 2) break;
      front_bytes_ += bytes;
      back_bytes_ -= bytes;
      front_.push_back(std::move(back_.front()));
      back_.pop_front();
    }
  }
  if (!is_working_ && !files_.empty() && front_bytes_ <= memory_bytes_ / 4) read_front();
  if (!is_working_ && is_back_full()) write_back();
  if (is_back_full()) return;
  for (const auto& [channel, charge] : std::exchange(owed_, {})) give_back_(channel, charge);
}

void feedback_buffer::write_back() {
  std::vector<batch_ptr> batches;
  for (auto& h : back_) batches.push_back(std::move(h.rows));
  back_.clear();
  back_bytes_ = 0;
  const auto file = std::make_shared<spill_file>(
      disk_, directory_, directory_ + "/" + std::to_string(files_made_++), std::move(batches));
  files_.push_back(file);
  is_working_ = true;
  io_.submit([file] { file->write(); },
             [this, file, open = std::weak_ptr<bool>(is_open_)] {
               if (!open.expired()) on_io_done(file);
             });
}

void feedback_buffer::read_front() {
  const auto file = files_.front();
  is_working_ = true;
  io_.submit([file] { file->read(); },
             [this, file, open = std::weak_ptr<bool>(is_open_)] {
               if (!open.expired()) on_io_done(file);
             });
}

void feedback_buffer::on_io_done(const std::shared_ptr<spill_file>& file) {
  is_working_ = false;
  if (!file->outcome) {
    const auto& why = file->outcome.error();
    failure_ = error{why.code,
                     "records that are fed back and don't fit 'taskmanager.memory.sort' can't go "
                     "through a temporary file: " +
                         why.message + "; check the disk of 'io.tmp.dirs'"};
    return;
  }
  if (!file->batches.empty()) {  // it was read
    for (auto& rows : file->batches) {
      const auto bytes = bytes_of(*rows);
      front_bytes_ += bytes;
      front_.push_back({std::move(rows), bytes});
    }
    file->batches.clear();
    files_.pop_front();
  }
  pump();
}

void feedback_buffer::rethrow_failure() {
  if (failure_) throw failure(*failure_);
}

}  // namespace millrace
