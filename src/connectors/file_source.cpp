#include "millrace/connectors/file_source.hpp"

#include <utility>

#include "millrace/connectors/line_reader.hpp"
#include "millrace/connectors/line_splitter.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

namespace {

/// What the I/O threads do for one subtask: list, then read ahead, chunk by chunk. At most one call
/// of `read_ahead` is under way; in between the task owns it all.
struct read_state {
  read_state(operator_context& context, std::string input, std::size_t bytes)
      : files(context.files()),
        path(std::move(input)),
        chunk_bytes(bytes),
        subtask(context.runtime().subtask_index()),
        parallelism(context.runtime().parallelism()) {}

  file_system& files;
  std::string path;
  std::size_t chunk_bytes;
  std::uint32_t subtask;
  std::uint32_t parallelism;

  bool is_listed = false;
  std::vector<file_split> splits;
  std::size_t next_split = 0;
  std::unique_ptr<split_reader> reader;
  std::uint64_t bytes_total = 0;
  std::uint64_t bytes_of_closed = 0;

  // What the last call left.
  std::vector<char> chunk;
  bool ends_split = false;
  bool ends_all = false;
  std::uint64_t bytes_done = 0;
  status outcome;

  void read_ahead() {
    outcome = is_listed ? status() : list();
    if (outcome) outcome = read_chunk();
  }

  status list() {
    auto found = list_input_files(files, path);
    if (!found) return tl::unexpected(found.error());
    splits = splits_of(*found, subtask, parallelism);
    for (const auto& split : splits) bytes_total += split.end - split.begin;
    is_listed = true;
    return {};
  }

  status read_chunk() {
    chunk.clear();
    ends_split = false;
    ends_all = !reader && next_split == splits.size();
    if (ends_all) return {};
    if (!reader) {
      auto opened = open_split(files, splits[next_split], chunk_bytes);
      if (!opened) return tl::unexpected(opened.error());
      reader = *std::move(opened);
    }
    if (auto ok = reader->read(chunk); !ok) return ok;
    bytes_done = bytes_of_closed + reader->bytes_read();
    if (chunk.empty()) close_split();
    return {};
  }

  void close_split() {
    const auto& split = splits[next_split++];
    bytes_of_closed += split.end - split.begin;
    bytes_done = bytes_of_closed;
    reader.reset();
    ends_split = true;
  }
};

class file_source final : public producing<std::string, source_operator> {
 public:
  file_source(std::string path, file_source_options options)
      : path_(std::move(path)), options_(options) {}

  void open(operator_context& context) override {
    io_ = &context.io();
    state_ = std::make_shared<read_state>(context, path_, options_.chunk_bytes);
    read_ahead();
  }

  poll_status poll() override {
    if (text_.empty()) {
      if (is_reading_) return poll_status::idle;
      if (state_->ends_all) return poll_status::finished;
      take_chunk();
    }
    lines_.split(text_, out_.room(), [this](const char* begin, const char* end) {
      out_.rows().emplace_back(begin, end);
    });
    out_.flush();
    return poll_status::more;
  }

  source_progress progress() const noexcept override { return {bytes_done_, bytes_total_}; }
  void close() noexcept override { state_.reset(); }

 private:
  /// Takes what was read, and has the next chunk read into the memory of the one before.
  void take_chunk() {
    chunk_.swap(state_->chunk);
    text_ = {chunk_.data(), chunk_.size()};
    if (state_->ends_split)
      lines_.finish([this](const char* begin, const char* end) { out_.emplace(begin, end); });
    read_ahead();
  }

  void read_ahead() {
    is_reading_ = true;
    io_->submit([state = state_] { state->read_ahead(); }, [this] { on_read(); });
  }

  void on_read() {
    is_reading_ = false;
    if (!state_->outcome) throw failure(state_->outcome.error());
    bytes_done_ = state_->bytes_done;
    bytes_total_ = state_->bytes_total;
  }

  std::string path_;
  file_source_options options_;
  io_executor* io_ = nullptr;
  std::shared_ptr<read_state> state_;
  bool is_reading_ = false;
  std::vector<char> chunk_;
  std::string_view text_;  // what is left of `chunk_`
  line_splitter lines_;
  std::uint64_t bytes_done_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace

std::shared_ptr<const operator_factory> make_file_source(std::string path,
                                                         file_source_options options) {
  return make_factory<void, std::string>(
      [path = std::move(path), options] { return std::make_unique<file_source>(path, options); });
}

}  // namespace millrace
