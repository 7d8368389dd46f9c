#include "millrace/connectors/file_source.hpp"

#include <cstring>
#include <utility>

#include "millrace/connectors/file_enumerator.hpp"
#include "millrace/connectors/line_reader.hpp"
#include "millrace/connectors/line_splitter.hpp"
#include "millrace/source/fetching_reader.hpp"

namespace millrace {

namespace {

/// A piece of a split that consists of whole lines.
struct line_chunk {
  std::vector<char> text;
  std::size_t next = 0;          // where emitting goes on
  std::uint64_t offset = 0;      // of the text: a position of the split
  std::uint64_t bytes_read = 0;  // of the split, up to the end of the chunk
};

/// Reads a split, and keeps the start of a line for the next chunk.
class line_fetcher final : public split_fetcher<line_chunk> {
 public:
  line_fetcher(std::unique_ptr<split_reader> reader, std::string path)
      : reader_(std::move(reader)), path_(std::move(path)) {}

  result<bool> fetch(line_chunk& into) override {
    into.text.clear();
    into.text.swap(started_line_);
    into.offset = started_at_;
    into.next = 0;
    for (;;) {
      const auto before = into.text.size();
      if (auto ok = reader_->read(into.text); !ok) return tl::unexpected(ok.error());
      into.bytes_read = reader_->bytes_read();
      const auto got = into.text.size() - before;
      if (got == 0) return false;
      if (before == 0) into.offset = reader_->offset();
      const auto* end = into.text.data() + into.text.size();
      const auto* last = static_cast<const char*>(memrchr(end - got, '\n', got));
      if (last != nullptr) {
        started_line_.assign(last + 1, end);
        into.text.resize(into.text.size() - started_line_.size());
        started_at_ = into.offset + into.text.size();
        return true;
      }
      if (into.text.size() > line_splitter::line_bytes_max)
        return fail(errc::invalid_data, "cannot read '" + path_ + "': a line is longer than " +
                                            std::to_string(line_splitter::line_bytes_max) +
                                            " bytes: is this a text?");
    }
  }

 private:
  std::unique_ptr<split_reader> reader_;
  std::string path_;
  std::vector<char> started_line_;
  std::uint64_t started_at_ = 0;
};

class file_lines_reader final : public fetching_reader<std::string, file_split, line_chunk> {
 public:
  file_lines_reader(reader_context& context, std::size_t chunk_bytes)
      : fetching_reader(context, {.open_max = 1, .requests_splits = true}),
        chunk_bytes_(chunk_bytes) {}

  void on_event(byte_view event) override {
    if (const auto size = decode_bytes<file_input_size>(event)) bytes_total_ = size->bytes;
  }
  source_progress progress() const noexcept override {
    return {bytes_of_read_ + bytes_done_, bytes_total_};
  }

 protected:
  opener open_split(const file_split& split) override {
    return [split, chunk_bytes = chunk_bytes_,
            files =
                &context().task().files()]() -> result<std::unique_ptr<split_fetcher<line_chunk>>> {
      auto opened = millrace::open_split(*files, split, chunk_bytes);
      if (!opened) return tl::unexpected(opened.error());
      return std::make_unique<line_fetcher>(*std::move(opened), split.path);
    };
  }

  bool emit(file_split& split, line_chunk& chunk, source_output<std::string>& out) override {
    const auto add = [&](const char* begin, const char* end) {
      out.rows().emplace_back(begin, end);
    };
    std::string_view rest(chunk.text.data() + chunk.next, chunk.text.size() - chunk.next);
    lines_.split(rest, out.room(), add);
    if (rest.empty()) lines_.finish(add);  // the last of the file may lack its end
    chunk.next = chunk.text.size() - rest.size();
    split.position = chunk.offset + chunk.next;
    bytes_done_ = chunk.bytes_read;
    return !rest.empty();
  }

  void on_split_read(const file_split& split) override {
    bytes_of_read_ += split.end - split.begin;
    bytes_done_ = 0;
  }

 private:
  std::size_t chunk_bytes_;
  line_splitter lines_;
  std::uint64_t bytes_of_read_ = 0;  // splits that were read to their end
  std::uint64_t bytes_done_ = 0;     // of the one that is being read
  std::uint64_t bytes_total_ = 0;
};

class text_files final : public source<std::string, file_split, file_enumeration> {
 public:
  text_files(std::string path, file_source_options options)
      : path_(std::move(path)), options_(options) {}

  boundedness ends() const noexcept override {
    return options_.discovery_interval ? boundedness::unbounded : boundedness::bounded;
  }
  std::unique_ptr<source_reader<std::string, file_split>> create_reader(
      reader_context& context) const override {
    return std::make_unique<file_lines_reader>(context, options_.chunk_bytes);
  }
  std::unique_ptr<split_enumerator<file_split, file_enumeration>> create_enumerator(
      enumerator_context& context) const override {
    return restore_enumerator(context, {});
  }
  std::unique_ptr<split_enumerator<file_split, file_enumeration>> restore_enumerator(
      enumerator_context& context, file_enumeration state) const override {
    return std::make_unique<file_enumerator>(context, path_, options_, std::move(state));
  }

 private:
  std::string path_;
  file_source_options options_;
};

}  // namespace

std::shared_ptr<const source_base<std::string>> make_text_files(std::string path,
                                                                file_source_options options) {
  if (options.discovery_interval && options.discovery_interval->count() <= 0)
    throw failure(errc::invalid_argument, "monitor_continuously needs an interval above 0, not " +
                                              std::to_string(options.discovery_interval->count()) +
                                              " ms");
  if (options.chunk_bytes == 0)
    throw failure(errc::invalid_argument, "file_source_options::chunk_bytes must be above 0");
  return std::make_shared<text_files>(std::move(path), options);
}

}  // namespace millrace
