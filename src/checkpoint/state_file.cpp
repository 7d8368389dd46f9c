#include "millrace/checkpoint/state_file.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string_view>
#include <utility>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/running_checksum.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/core/kill_point.hpp"

namespace millrace {

namespace {

constexpr std::string_view head_magic = "MRSTATE\n";
constexpr std::string_view foot_magic = "\nMRSTEND";
constexpr std::uint32_t version = 1;
constexpr std::uint64_t header_bytes = 16;
constexpr std::uint64_t footer_bytes = 24;
/// What is written, and read, at once.
constexpr std::size_t block_bytes = std::size_t{1} << 20;
constexpr std::size_t step_bytes = std::size_t{64} << 10;

std::vector<std::byte> header() {
  byte_writer out;
  out.put_bytes(head_magic.data(), head_magic.size());
  encode(out, version, std::uint32_t{0});
  return std::move(out).take();
}

std::uint64_t checksum_of(byte_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

tl::unexpected<error> damaged(const std::string& path, const std::string& what) {
  return fail(errc::invalid_data, "the state file '" + path + "' is damaged: " + what);
}

status check_is_inside(const file_reader& file, const std::string& path, std::uint64_t offset,
                       std::uint64_t length) {
  if (offset > file.size() || length > file.size() - offset)
    return damaged(path, "it has " + std::to_string(file.size()) + " bytes, and " +
                             std::to_string(length) + " from byte " + std::to_string(offset) +
                             " on are wanted");
  return {};
}

status read_into(file_reader& file, const std::string& path, std::uint64_t offset,
                 std::span<std::byte> into) {
  if (into.empty()) return {};
  const auto got = file.read_at(offset, into);
  if (!got) return tl::unexpected(got.error());
  if (*got != into.size()) return damaged(path, "it ends early");
  return {};
}

result<std::vector<std::byte>> read_bytes(file_reader& file, const std::string& path,
                                          std::uint64_t offset, std::uint64_t length) {
  if (auto good = check_is_inside(file, path, offset, length); !good)
    return tl::unexpected(good.error());
  std::vector<std::byte> bytes(length);
  if (auto read = read_into(file, path, offset, bytes); !read) return tl::unexpected(read.error());
  return bytes;
}

/// Reads a part of a file block by block.
status read_blocks(file_reader& file, const std::string& path, std::uint64_t begin,
                   std::uint64_t length, const std::function<status(byte_view)>& visit) {
  if (auto good = check_is_inside(file, path, begin, length); !good) return good;
  std::vector<std::byte> block(std::min<std::uint64_t>(block_bytes, length));
  for (std::uint64_t done = 0; done < length;) {
    const auto wanted = std::min<std::uint64_t>(block.size(), length - done);
    const auto into = std::span(block).first(static_cast<std::size_t>(wanted));
    if (auto read = read_into(file, path, begin + done, into); !read) return read;
    if (auto good = visit(into); !good) return good;
    done += wanted;
  }
  return {};
}

/// Opens a file that begins as one of state.
result<std::unique_ptr<file_reader>> open_state_file(file_system& files, const std::string& path) {
  auto file = files.open_reader(path);
  if (!file) return file;
  const auto head = read_bytes(**file, path, 0, header_bytes);
  if (!head) return tl::unexpected(head.error());
  if (*head != header()) return damaged(path, "it does not begin as one");
  return file;
}

}  // namespace

struct state_file_writer::progress {
  std::unique_ptr<file_writer> file;
  std::string name;
  std::uint64_t length = 0;
  running_checksum checksum;
};

state_file_writer::state_file_writer(std::unique_ptr<file_writer> file, std::string name)
    : at_(std::make_unique<progress>()) {
  at_->file = std::move(file);
  at_->name = std::move(name);
}

state_file_writer::~state_file_writer() = default;
state_file_writer::state_file_writer(state_file_writer&&) noexcept = default;

result<state_file_writer> state_file_writer::open(file_system& files, const std::string& directory,
                                                  std::string name) {
  auto file = files.open_writer(directory + "/" + name, write_mode::create);
  if (!file) return tl::unexpected(file.error());
  if (auto begun = (*file)->append(header()); !begun) return tl::unexpected(begun.error());
  pass(kill_point::state_begun);
  return state_file_writer(std::move(*file), std::move(name));
}

stored_bytes state_file_writer::begin_piece() const {
  stored_bytes where;
  where.file = at_->name;
  where.offset = header_bytes + at_->length;
  return where;
}

void state_file_writer::count(byte_view block) {
  at_->checksum.add(block);
  at_->length += block.size();
}

status state_file_writer::append_block(byte_view block) {
  count(block);
  return at_->file->append(block);
}

result<stored_bytes> state_file_writer::append(byte_view piece) {
  auto where = begin_piece();
  where.length = piece.size();
  where.checksum = checksum_of(piece);
  for (std::size_t done = 0; done < piece.size();) {
    const auto block = piece.subspan(done, std::min(block_bytes, piece.size() - done));
    if (auto written = append_block(block); !written) return tl::unexpected(written.error());
    done += block.size();
  }
  return where;
}

result<stored_bytes> state_file_writer::append_parts(const std::vector<chunked_bytes>& parts,
                                                     std::vector<std::uint64_t>& checksums) {
  auto where = begin_piece();
  running_checksum of_all;
  std::vector<std::byte> block;
  block.reserve(block_bytes);
  const auto write = [&] {
    auto done = at_->file->append(block);
    block.clear();
    return done;
  };
  for (const auto& part : parts) {
    running_checksum of_part;
    for (const auto& piece : part.pieces())
      // In steps that fit the caches, so that memory is read once.
      for (auto rest = piece.part; !rest.empty();) {
        const auto step =
            rest.first(std::min({rest.size(), step_bytes, block_bytes - block.size()}));
        of_part.add(step);
        of_all.add(step);
        count(step);
        block.insert(block.end(), step.begin(), step.end());
        rest = rest.subspan(step.size());
        if (block.size() < block_bytes) continue;
        if (auto done = write(); !done) return tl::unexpected(done.error());
      }
    where.length += part.size();
    checksums.push_back(of_part.value());
  }
  if (!block.empty())
    if (auto done = write(); !done) return tl::unexpected(done.error());
  where.checksum = of_all.value();
  return where;
}

result<stored_bytes> state_file_writer::append(file_reader& piece) {
  auto where = begin_piece();
  where.length = piece.size();
  running_checksum checksum;
  auto done = read_blocks(piece, at_->name, 0, where.length, [&](byte_view block) {
    checksum.add(block);
    return append_block(block);
  });
  if (!done) return tl::unexpected(done.error());
  where.checksum = checksum.value();
  return where;
}

status state_file_writer::finish() {
  byte_writer out;
  encode(out, at_->length, at_->checksum.value());
  out.put_bytes(foot_magic.data(), foot_magic.size());
  return at_->file->append(out.bytes())
      .map([] { pass(kill_point::state_written); })
      .and_then([&] { return at_->file->sync(); })
      .and_then([&] { return at_->file->close(); })
      .map([] { pass(kill_point::state_synced); });
}

std::string path_of_stored(const std::string& directory, const stored_bytes& piece) {
  constexpr std::string_view above = "../";
  const bool is_name = directory != "." && !directory.ends_with("/.") && !directory.ends_with("..");
  if (!is_name || !piece.file.starts_with(above)) return directory + "/" + piece.file;
  return parent_of(directory) + "/" + piece.file.substr(above.size());
}

result<std::vector<std::byte>> read_stored(const snapshot_source& from, const stored_bytes& piece,
                                           std::uint64_t begin, std::uint64_t end,
                                           std::uint64_t checksum) {
  if (begin > end || end > piece.length)
    return fail(errc::invalid_data, "a piece of state is to be read beyond its end");
  if (piece.file.empty()) {
    if (end > piece.kept.size())
      return fail(errc::invalid_data, "a piece of state is shorter than it says");
    const auto part = byte_view(piece.kept).subspan(begin, end - begin);
    if (checksum_of(part) != checksum)
      return fail(errc::invalid_data, "a piece of state in the metadata has another checksum");
    return std::vector<std::byte>(part.begin(), part.end());
  }
  const auto read = [&](file_system& files,
                        const std::string& path) -> result<std::vector<std::byte>> {
    const auto file = open_state_file(files, path);
    if (!file) return tl::unexpected(file.error());
    auto bytes = read_bytes(**file, path, piece.offset + begin, end - begin);
    if (bytes && checksum_of(*bytes) != checksum)
      return damaged(path, "bytes " + std::to_string(piece.offset + begin) + " to " +
                               std::to_string(piece.offset + end) + " have another checksum");
    return bytes;
  };
  return read_copy_or_original(from, piece, end - begin, read);
}

result<std::vector<std::byte>> read_stored(const snapshot_source& from, const stored_bytes& piece) {
  return read_stored(from, piece, 0, piece.length, piece.checksum);
}

status read_stored_blocks(const snapshot_source& from, const stored_bytes& piece,
                          const std::function<status(byte_view)>& visit) {
  if (!piece.file.empty())
    return read_piece_blocks(from.files, path_of_stored(from.directory, piece), piece, visit);
  const auto bytes = read_stored(from, piece);
  return bytes ? visit(*bytes) : tl::unexpected(bytes.error());
}

status read_piece_blocks(file_system& files, const std::string& path, const stored_bytes& piece,
                         const std::function<status(byte_view)>& visit) {
  const auto file = open_state_file(files, path);
  if (!file) return tl::unexpected(file.error());
  running_checksum checksum;
  auto done = read_blocks(**file, path, piece.offset, piece.length, [&](byte_view block) {
    checksum.add(block);
    return visit(block);
  });
  if (done && checksum.value() != piece.checksum)
    return damaged(path, "bytes " + std::to_string(piece.offset) + " to " +
                             std::to_string(piece.offset + piece.length) +
                             " have another checksum");
  return done;
}

stored_bytes keep_bytes(std::vector<std::byte> bytes) {
  stored_bytes kept;
  kept.length = bytes.size();
  kept.checksum = checksum_of(bytes);
  kept.kept = std::move(bytes);
  return kept;
}

status check_state_file(file_system& files, const std::string& path) {
  const auto file = open_state_file(files, path);
  if (!file) return tl::unexpected(file.error());
  const auto size = (*file)->size();
  if (size < header_bytes + footer_bytes) return damaged(path, "it is too short");
  const auto foot = read_bytes(**file, path, size - footer_bytes, footer_bytes);
  if (!foot) return tl::unexpected(foot.error());
  byte_reader in(*foot);
  std::uint64_t length = 0, checksum = 0;
  const bool is_read = decode(in, length, checksum);
  const std::byte* magic = in.take(foot_magic.size());
  if (!is_read || magic == nullptr || std::memcmp(magic, foot_magic.data(), foot_magic.size()) != 0)
    return damaged(path, "it does not end as one");
  if (length != size - header_bytes - footer_bytes) return damaged(path, "its length is another");
  running_checksum found;
  auto done = read_blocks(**file, path, header_bytes, length, [&](byte_view block) -> status {
    found.add(block);
    return {};
  });
  if (!done) return done;
  if (found.value() != checksum) return damaged(path, "its checksum is another");
  return {};
}

}  // namespace millrace
