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
        at_(split.begin == 0 ? 0 : split.begin - 1),
        skips_(split.begin != 0),
        is_over_(split.begin >= split.end) {}

  status read(std::vector<char>& into) override {
    into.clear();
    while (into.empty() && !is_over_) {
      if (auto ok = read_chunk(into); !ok) return ok;
    }
    return {};
  }

  std::uint64_t bytes_read() const noexcept override {
    return std::min(std::max(at_, split_.begin), split_.end) - split_.begin;
  }

 private:
  status read_chunk(std::vector<char>& into) {
    // Beyond the end only the rest of the last line is wanted.
    constexpr std::size_t tail_bytes = 16 * 1024;
    const auto wanted = at_ < split_.end ? std::min<std::uint64_t>(chunk_bytes_, split_.end - at_)
                                         : std::min<std::uint64_t>(chunk_bytes_, tail_bytes);
    into.resize(wanted);
    auto got = file_->read_at(at_, std::as_writable_bytes(std::span(into)));
    if (!got) return read_failure(split_.path, got.error());
    into.resize(*got);
    if (*got < wanted) is_over_ = true;
    const auto from = at_;
    at_ += *got;
    cut_end(into, from);
    if (skips_) cut_start(into, from);
    return {};
  }

  /// The split's last line ends with the first line end at or behind its last byte.
  void cut_end(std::vector<char>& text, std::uint64_t from) {
    const auto last = split_.end - 1;
    if (from + text.size() <= last) return;
    const auto offset = static_cast<std::size_t>(last > from ? last - from : 0);
    const void* found = std::memchr(text.data() + offset, '\n', text.size() - offset);
    if (found == nullptr) return;
    text.resize(static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) + 1);
    is_over_ = true;
  }

  /// What precedes the first line end belongs to a line that starts in front of the split.
  void cut_start(std::vector<char>& text, std::uint64_t from) {
    const void* found = text.empty() ? nullptr : std::memchr(text.data(), '\n', text.size());
    if (found == nullptr) return text.clear();
    skips_ = false;
    const auto skipped = static_cast<const char*>(found) - text.data() + 1;
    if (from + static_cast<std::uint64_t>(skipped) >= split_.end) {
      is_over_ = true;
      return text.clear();
    }
    text.erase(text.begin(), text.begin() + skipped);
  }

  std::unique_ptr<file_reader> file_;
  file_split split_;
  std::size_t chunk_bytes_;
  std::uint64_t at_;
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

std::vector<file_split> splits_of(const std::vector<file_info>& files, std::uint32_t subtask,
                                  std::uint32_t parallelism) {
  std::uint64_t total = 0;
  for (const auto& file : files) total += file.size;
  // total * index / parallelism, without overflow
  const auto border = [&](std::uint32_t index) {
    return total / parallelism * index + total % parallelism * index / parallelism;
  };
  const std::uint64_t begin = border(subtask), end = border(subtask + 1);

  std::vector<file_split> splits;
  std::uint64_t start = 0;  // of the file, among all bytes
  for (const auto& file : files) {
    const std::uint64_t stop = start + file.size;
    if (file.path.ends_with(".gz")) {
      // One of no bytes at all is broken, which somebody must say.
      const bool is_mine = file.size == 0 ? subtask == 0 : begin <= start && start < end;
      if (is_mine) splits.push_back({file.path, 0, file.size, true});
    } else if (begin < stop && start < end) {
      splits.push_back(
          {file.path, std::max(begin, start) - start, std::min(end, stop) - start, false});
    }
    start = stop;
  }
  return splits;
}

result<std::unique_ptr<split_reader>> open_split(file_system& files, const file_split& split,
                                                 std::size_t chunk_bytes) {
  auto file = files.open_reader(split.path);
  if (!file) return read_failure(split.path, file.error());
  if (split.is_compressed) return open_gzip(*std::move(file), split.path, chunk_bytes);
  return std::make_unique<plain_reader>(*std::move(file), split, chunk_bytes);
}

}  // namespace millrace
