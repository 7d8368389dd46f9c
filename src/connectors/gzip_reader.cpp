#include "millrace/connectors/gzip_reader.hpp"

#include <zlib.h>

#include <algorithm>

#include "millrace/connectors/read_failure.hpp"

namespace millrace {

namespace {

class gzip_reader final : public split_reader {
 public:
  gzip_reader(std::unique_ptr<file_reader> file, std::string path, std::size_t chunk_bytes,
              std::uint64_t skipped)
      : file_(std::move(file)),
        path_(std::move(path)),
        chunk_bytes_(chunk_bytes),
        to_skip_(skipped) {
    constexpr int gzip_only = 16 + MAX_WBITS;
    is_ready_ = inflateInit2(&stream_, gzip_only) == Z_OK;
  }
  ~gzip_reader() override {
    if (is_ready_) inflateEnd(&stream_);
  }
  gzip_reader(const gzip_reader&) = delete;
  gzip_reader& operator=(const gzip_reader&) = delete;

  status read(std::vector<char>& into) override {
    const auto before = into.size();
    for (;;) {
      if (auto ok = read_chunk(into); !ok) return ok;
      const auto got = into.size() - before;
      const auto skipped = std::min<std::uint64_t>(to_skip_, got);
      to_skip_ -= skipped;
      offset_ += got;
      const auto first = into.begin() + static_cast<std::ptrdiff_t>(before);
      into.erase(first, first + static_cast<std::ptrdiff_t>(skipped));
      if (got != 0 && skipped == got) continue;
      piece_ = offset_ - (got - skipped);
      return {};
    }
  }

  std::uint64_t offset() const noexcept override { return piece_; }
  std::uint64_t bytes_read() const noexcept override { return at_; }

 private:
  /// Appends a chunk of the text.
  status read_chunk(std::vector<char>& into) {
    if (!is_ready_) return broken("zlib has no memory");
    const auto before = into.size();
    into.resize(before + chunk_bytes_);
    stream_.next_out = reinterpret_cast<Bytef*>(into.data() + before);
    stream_.avail_out = static_cast<uInt>(chunk_bytes_);
    while (stream_.avail_out != 0 && !is_over_) {
      if (stream_.avail_in == 0) {
        if (auto ok = refill(); !ok) return ok;
        if (is_over_) break;
      }
      if (auto ok = inflate_some(); !ok) return ok;
    }
    into.resize(into.size() - stream_.avail_out);
    return {};
  }

  /// More compressed bytes; sets `is_over_` if the file ends where it may.
  status refill() {
    input_.resize(input_bytes);
    auto got = file_->read_at(at_, std::span(input_));
    if (!got) return read_failure(path_, got.error());
    at_ += *got;
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(*got);
    if (*got != 0) return {};
    if (!is_between_members_ || at_ == 0)
      return broken("it ends in the middle of the compressed data");
    is_over_ = true;
    return {};
  }

  status inflate_some() {
    // As gzip does: zeros behind the last member are padding of some tape or disk.
    if (is_between_members_ && has_member_ && *stream_.next_in == 0) {
      while (stream_.avail_in != 0 && *stream_.next_in == 0) ++stream_.next_in, --stream_.avail_in;
      return stream_.avail_in == 0 ? status()
                                   : broken("there is garbage behind the compressed data");
    }
    is_between_members_ = false;
    const int outcome = inflate(&stream_, Z_NO_FLUSH);
    if (outcome == Z_STREAM_END) {
      has_member_ = is_between_members_ = true;
      inflateReset(&stream_);
      return {};
    }
    if (outcome == Z_OK || outcome == Z_BUF_ERROR) return {};
    return broken(stream_.msg != nullptr ? stream_.msg : "the compressed data is malformed");
  }

  status broken(const std::string& why) const {
    return fail(errc::invalid_data, "cannot read '" + path_ + "': no valid gzip file: " + why);
  }

  static constexpr std::size_t input_bytes = 256 * 1024;

  std::unique_ptr<file_reader> file_;
  std::string path_;
  std::size_t chunk_bytes_;
  std::vector<std::byte> input_;
  z_stream stream_{};
  std::uint64_t at_ = 0;  // behind the compressed bytes in `input_`
  std::uint64_t to_skip_;
  std::uint64_t offset_ = 0;  // of the text, behind what was given
  std::uint64_t piece_ = 0;   // of the text, where the last piece starts
  bool is_ready_ = false;
  bool has_member_ = false;
  bool is_between_members_ = true;
  bool is_over_ = false;
};

}  // namespace

result<std::unique_ptr<split_reader>> open_gzip(std::unique_ptr<file_reader> file,
                                                const std::string& path, std::size_t chunk_bytes,
                                                std::uint64_t skipped) {
  return std::make_unique<gzip_reader>(std::move(file), path, chunk_bytes, skipped);
}

}  // namespace millrace
