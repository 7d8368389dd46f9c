#include "millrace/operators/sort_run.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "millrace/core/hash.hpp"

namespace millrace {

static_assert(std::endian::native == std::endian::little, "runs are written as they lie in memory");

namespace {

constexpr char magic[8] = {'M', 'R', 'R', 'U', 'N', '\0', '\0', '\1'};

struct block_header {
  std::uint32_t bytes = 0;
  std::uint32_t records = 0;
  std::uint64_t check = 0;  // of the content; at the end the number of all records
};
static_assert(sizeof(block_header) == 16);

}  // namespace

result<run_writer> run_writer::create(file_system& files, std::string path,
                                      std::size_t block_bytes) {
  auto file = files.open_writer(path, write_mode::create);
  if (!file) return tl::unexpected(file.error());
  if (auto ok = (*file)->append(std::as_bytes(std::span(magic))); !ok)
    return tl::unexpected(ok.error());
  return run_writer(*std::move(file), std::move(path), block_bytes);
}

status run_writer::add(const sort_record& record) {
  if (block_.size() != 0 && block_.size() + sort_record_bytes_max(record) > block_bytes_) {
    if (auto ok = write_block(); !ok) return ok;
  }
  write_sort_record(block_, record);
  ++block_records_;
  return {};
}

status run_writer::write_block() {
  const auto content = block_.bytes();
  const block_header header{static_cast<std::uint32_t>(content.size()), block_records_,
                            XXH3_64bits(content.data(), content.size())};
  if (auto ok = file_->append(std::as_bytes(std::span(&header, 1))); !ok) return ok;
  if (auto ok = file_->append(content); !ok) return ok;
  records_ += std::exchange(block_records_, 0);
  block_.clear();
  return {};
}

status run_writer::finish() {
  if (block_records_ != 0) {
    if (auto ok = write_block(); !ok) return ok;
  }
  const block_header end{.check = records_};
  if (auto ok = file_->append(std::as_bytes(std::span(&end, 1))); !ok) return ok;
  return file_->close();
}

result<run_reader> run_reader::open(file_system& files, std::string path) {
  auto file = files.open_reader(path);
  if (!file) return tl::unexpected(file.error());
  run_reader reader(*std::move(file), std::move(path));
  std::array<char, sizeof magic> begin{};
  if (auto ok = reader.read_exactly(std::as_writable_bytes(std::span(begin))); !ok)
    return tl::unexpected(ok.error());
  if (std::memcmp(begin.data(), magic, sizeof magic) != 0)
    return reader.damaged("it does not begin as a run does");
  return reader;
}

result<bool> run_reader::next(sort_record& record) {
  if (block_at_ == block_.size()) {
    auto more = read_block();
    if (!more || !*more) return more;
  }
  byte_reader in(std::span<const std::byte>(block_).subspan(block_at_));
  if (!read_sort_record(in, record)) return damaged("a record is malformed");
  block_at_ += in.position();
  if ((block_at_ == block_.size()) != (--block_records_ == 0))
    return damaged("a block has another number of records than it says");
  ++records_;
  return true;
}

result<bool> run_reader::read_block() {
  block_header header;
  if (auto ok = read_exactly(std::as_writable_bytes(std::span(&header, 1))); !ok)
    return tl::unexpected(ok.error());
  block_.clear();
  block_at_ = 0;
  if (header.bytes == 0) {
    if (header.check != records_ || header.records != 0) return damaged("records are missing");
    offset_ -= sizeof header;  // so that it is the end again if asked again
    return false;
  }
  if (header.bytes > file_->size() - offset_) return damaged("a block is longer than the file");
  block_.resize(header.bytes);
  block_records_ = header.records;
  if (auto ok = read_exactly(block_); !ok) return tl::unexpected(ok.error());
  if (XXH3_64bits(block_.data(), block_.size()) != header.check)
    return damaged("the checksum of a block is wrong");
  return true;
}

status run_reader::read_exactly(std::span<std::byte> into) {
  auto count = file_->read_at(offset_, into);
  if (!count) return tl::unexpected(count.error());
  if (*count != into.size()) return damaged("it ends too early");
  offset_ += *count;
  return {};
}

tl::unexpected<error> run_reader::damaged(const char* how) const {
  return fail(errc::invalid_data, "the temporary file '" + path_ + "' is damaged near byte " +
                                      std::to_string(offset_) + ": " + how +
                                      "; check the disk of 'io.tmp.dirs'");
}

}  // namespace millrace
