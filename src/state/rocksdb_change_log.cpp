#include "millrace/state/rocksdb_change_log.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "millrace/core/kill_point.hpp"

namespace millrace {

namespace {

constexpr std::size_t bytes_per_write = 256u << 10;

/// As RocksDB names its log files.
std::string name_of(std::uint64_t number) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "%06llu.log", static_cast<unsigned long long>(number));
  return name.data();
}

}  // namespace

rocksdb_change_log::rocksdb_change_log(std::string directory) noexcept
    : directory_(std::move(directory)) {}

rocksdb_change_log::~rocksdb_change_log() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void rocksdb_change_log::begin(std::uint64_t last_number, std::uint64_t bytes_max) {
  give_up();
  last_number_ = std::max(last_number_, last_number);
  bytes_left_ = bytes_max;
  is_complete_ = local_.create_directories(directory_).has_value();
}

void rocksdb_change_log::append(std::string_view batch, std::uint64_t sequence) {
  if (!is_complete_) return;
  if (batch.size() > bytes_left_) return give_up();
  bytes_left_ -= batch.size();
  if (file_ == nullptr) {
    auto file =
        local_.open_writer(directory_ + "/" + name_of(last_number_ + 1), write_mode::create);
    if (!file) return give_up();
    file_ = std::move(*file);
    ++last_number_;
    format_ = {};
    bytes_written_ = 0;
  }
  stamped_.assign(batch);
  for (std::size_t i = 0; i < sizeof(sequence); ++i)
    stamped_[i] = static_cast<char>(sequence >> (8 * i) & 0xff);
  format_.append(stamped_, buffer_);
  if (buffer_.size() >= bytes_per_write) write_out();
}

void rocksdb_change_log::cut() {
  if (file_ == nullptr) return;
  write_out();
  if (!is_complete_) return;
  if (!std::exchange(file_, nullptr)->close()) return give_up();
  files_.push_back({name_of(last_number_), bytes_written_});
  pass(kill_point::log_cut);
}

void rocksdb_change_log::write_out() {
  if (!file_->append(buffer_.bytes())) return give_up();
  bytes_written_ += buffer_.size();
  buffer_.clear();
}

void rocksdb_change_log::give_up() noexcept {
  is_complete_ = false;
  buffer_.clear();
  if (std::exchange(file_, nullptr) != nullptr) remove(name_of(last_number_));
  for (const auto& file : std::exchange(files_, {})) remove(file.name);
}

void rocksdb_change_log::remove(const std::string& name) noexcept {
  std::error_code ignored;  // the directory goes with the log
  std::filesystem::remove(directory_ + "/" + name, ignored);
}

}  // namespace millrace
