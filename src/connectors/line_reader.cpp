#include "millrace/connectors/line_reader.hpp"

#include <algorithm>
#include <cstring>

#include "millrace/connectors/gzip_reader.hpp"
#include "millrace/connectors/read_failure.hpp"

namespace millrace {

namespace {

bool is_hidden(const std::string& path) {
  const auto name = path.find_last_of('/') + 1;
  return name < path.size() && (path[name] == '.' || path[name] == '_');
}

/// Lets only the lines pass that start in the split. It reads from the byte before, so that a line
/// end there says that the first byte starts a line.
class plain_reader final : public split_reader {
 public:
  plain_reader(std::unique_ptr<file_reader> file, const file_split& split, std::size_t chunk_bytes)
      : file_(std::move(file)),
        split_(split),
        chunk_bytes_(chunk_bytes),
        begin_(std::max(split.begin, split.position)),
        at_(begin_ == 0 ? 0 : begin_ - 1),
        skips_(begin_ != 0),
        is_over_(begin_ >= split.end) {}

  status read(std::vector<char>& into) override {
    const auto before = into.size();
    while (into.size() == before && !is_over_) {
      if (auto ok = read_chunk(into, before); !ok) return ok;
    }
    return {};
  }

  std::uint64_t offset() const noexcept override { return offset_; }
  std::uint64_t bytes_read() const noexcept override {
    return std::min(std::max(at_, begin_), split_.end) - split_.begin;
  }

 private:
  /// Appends at `from`.
  status read_chunk(std::vector<char>& into, std::size_t from) {
    // Beyond the end only the rest of the last line is wanted.
    constexpr std::size_t tail_bytes = 16 * 1024;
    const auto wanted = at_ < split_.end ? std::min<std::uint64_t>(chunk_bytes_, split_.end - at_)
                                         : std::min<std::uint64_t>(chunk_bytes_, tail_bytes);
    into.resize(from + wanted);
    auto got = file_->read_at(at_, std::as_writable_bytes(std::span(into).subspan(from)));
    if (!got) return read_failure(split_.path, got.error());
    into.resize(from + *got);
    if (*got < wanted) is_over_ = true;
    offset_ = at_;
    at_ += *got;
    cut_end(into, from);
    if (skips_) cut_start(into, from);
    return {};
  }

  /// The split's last line ends with the first line end at or behind its last byte.
  void cut_end(std::vector<char>& text, std::size_t from) {
    const auto last = split_.end - 1;
    if (at_ <= last) return;
    const auto skipped = from + static_cast<std::size_t>(last > offset_ ? last - offset_ : 0);
    const void* found = std::memchr(text.data() + skipped, '\n', text.size() - skipped);
    if (found == nullptr) return;
    text.resize(static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + 1);
    is_over_ = true;
  }

  /// What precedes the first line end belongs to a line that starts in front of the split.
  void cut_start(std::vector<char>& text, std::size_t from) {
    const auto* begin = text.data() + from;
    const void* found =
        text.size() == from ? nullptr : std::memchr(begin, '\n', text.size() - from);
    if (found == nullptr) return text.resize(from);
    skips_ = false;
    const auto skipped = static_cast<const char*>(found) - begin + 1;
    offset_ += static_cast<std::uint64_t>(skipped);
    if (offset_ >= split_.end) {
      is_over_ = true;
      return text.resize(from);
    }
    const auto first = text.begin() + static_cast<std::ptrdiff_t>(from);
    text.erase(first, first + skipped);
  }

  std::unique_ptr<file_reader> file_;
  file_split split_;
  std::size_t chunk_bytes_;
  std::uint64_t begin_;  // of what is to be read
  std::uint64_t at_;
  std::uint64_t offset_ = 0;
  bool skips_;
  bool is_over_;
};

}  // namespace

result<std::vector<file_info>> list_input_files(file_system& files, const std::string& path) {
  const bool is_pattern = is_glob(path) && !files.stat(path);
  std::vector<file_info> found;
  if (is_pattern) {
    auto matches = glob(files, path);
    if (!matches) return read_failure(path, matches.error());
    found = *std::move(matches);
  } else {
    auto info = files.stat(path);
    if (!info) return read_failure(path, info.error());
    if (!info->is_directory) return std::vector{*std::move(info)};
    auto listed = files.list(path);
    if (!listed) return read_failure(path, listed.error());
    found = *std::move(listed);
  }
  std::erase_if(found,
                [](const file_info& file) { return file.is_directory || is_hidden(file.path); });
  if (is_pattern && found.empty())
    return fail(errc::not_found, "cannot read '" + path + "': no file matches the pattern");
  return found;
}

std::vector<file_split> split_files(const std::vector<file_info>& files,
                                    std::uint64_t split_bytes) {
  std::vector<file_split> splits;
  for (const auto& file : files) {
    if (file.path.ends_with(".gz")) {
      splits.push_back({file.path, 0, file.size, true});
      continue;
    }
    const auto parts = file.size / split_bytes + (file.size % split_bytes != 0 ? 1 : 0);
    // size * n / parts, without overflow
    const auto border = [&](std::uint64_t n) {
      return file.size / parts * n + file.size % parts * n / parts;
    };
    for (std::uint64_t n = 0; n < parts; ++n)
      splits.push_back({file.path, border(n), border(n + 1), false, border(n)});
  }
  return splits;
}

result<std::unique_ptr<split_reader>> open_split(file_system& files, const file_split& split,
                                                 std::size_t chunk_bytes) {
  auto file = files.open_reader(split.path);
  if (!file) return read_failure(split.path, file.error());
  if (split.is_compressed)
    return open_gzip(*std::move(file), split.path, chunk_bytes, split.position);
  return std::make_unique<plain_reader>(*std::move(file), split, chunk_bytes);
}

}  // namespace millrace
