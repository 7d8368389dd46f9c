#include "millrace/checkpoint/stored_database_files.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "millrace/checkpoint/state_file.hpp"

namespace millrace {

namespace {

/// A piece of a state file as a file of its own.
class piece_reader final : public file_reader {
 public:
  piece_reader(std::unique_ptr<file_reader> whole, std::uint64_t offset, std::uint64_t length)
      : whole_(std::move(whole)), offset_(offset), length_(length) {}

  result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    if (offset >= length_) return std::size_t{0};
    const auto wanted = std::min<std::uint64_t>(into.size(), length_ - offset);
    return whole_->read_at(offset_ + offset, into.first(static_cast<std::size_t>(wanted)));
  }
  std::uint64_t size() const noexcept override { return length_; }

 private:
  std::unique_ptr<file_reader> whole_;
  std::uint64_t offset_;
  std::uint64_t length_;
};

class kept_reader final : public file_reader {
 public:
  explicit kept_reader(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    if (offset >= bytes_.size()) return std::size_t{0};
    const auto count = std::min<std::size_t>(into.size(), bytes_.size() - offset);
    std::memcpy(into.data(), bytes_.data() + offset, count);
    return count;
  }
  std::uint64_t size() const noexcept override { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

stored_database_files::stored_database_files(snapshot_source from, const stored_database& database)
    : from_(std::move(from)), database_(database) {
  for (const auto& file : database_.files) names_.push_back({file.name, file.bytes.length});
}

result<const stored_bytes*> stored_database_files::find(const std::string& name) const {
  const auto found = std::ranges::find(database_.files, name, &stored_database_file::name);
  if (found == database_.files.end())
    return fail(errc::not_found, "the snapshot has no file '" + name + "' of a state database");
  return &found->bytes;
}

error stored_database_files::noted(const error& why) const {
  std::lock_guard lock(mutex_);
  if (!first_failure_) first_failure_ = why;
  return why;
}

std::optional<error> stored_database_files::first_failure() const {
  std::lock_guard lock(mutex_);
  return first_failure_;
}

result<std::unique_ptr<file_reader>> stored_database_files::open(const std::string& name) const {
  const auto piece = find(name);
  if (!piece) return tl::unexpected(piece.error());
  const auto& where = **piece;
  if (where.file.empty()) {
    auto bytes = read_stored(from_, where);
    if (!bytes) return tl::unexpected(noted(bytes.error()));
    return std::make_unique<kept_reader>(std::move(*bytes));
  }
  const auto open_intact = [&](file_system& files,
                               const std::string& path) -> result<std::unique_ptr<file_reader>> {
    const auto none = [](byte_view) { return status(); };
    if (auto intact = read_piece_blocks(files, path, where, none); !intact)
      return tl::unexpected(intact.error());
    return files.open_reader(path);
  };
  auto whole = read_copy_or_original(from_, where, where.length, open_intact);
  if (!whole) return tl::unexpected(noted(whole.error()));
  return std::make_unique<piece_reader>(std::move(*whole), where.offset, where.length);
}

status stored_database_files::copy(const std::string& name, const std::string& path) const {
  const auto piece = find(name);
  if (!piece) return tl::unexpected(piece.error());
  const auto& where = **piece;
  local_file_system local;
  const auto write = [&](const auto& read_blocks) -> status {
    // Emptied, if a damaged copy was written to it first.
    const auto file = local.open_writer(path, write_mode::truncate);
    // Whatever the local disk says, it says nothing of the snapshot.
    if (!file) return fail(errc::io, file.error().message);
    return read_blocks([&](byte_view block) { return (*file)->append(block); }).and_then([&] {
      return (*file)->close();
    });
  };
  const auto copy_piece = [&](file_system& files, const std::string& from) {
    return write([&](const auto& visit) { return read_piece_blocks(files, from, where, visit); });
  };
  auto done =
      where.file.empty()
          ? write([&](const auto& visit) { return read_stored_blocks(from_, where, visit); })
          : read_copy_or_original(from_, where, where.length, copy_piece);
  if (!done) return tl::unexpected(noted(done.error()));
  return done;
}

}  // namespace millrace
