#include <doctest/doctest.h>
#include <zlib.h>

#include "millrace/connectors/line_reader.hpp"
#include "millrace/connectors/line_splitter.hpp"
#include "support/memory_files.hpp"

namespace line_reader_test {

using namespace millrace;
using test::memory_files;

namespace {

/// The lines of one split, read in chunks of a size.
result<std::vector<std::string>> lines_of(file_system& files, const file_split& split,
                                          std::size_t chunk_bytes) {
  auto reader = open_split(files, split, chunk_bytes);
  if (!reader) return tl::unexpected(reader.error());
  line_splitter splitter;
  std::vector<std::string> lines;
  const auto add = [&](const char* begin, const char* end) { lines.emplace_back(begin, end); };
  std::vector<char> chunk;
  for (;;) {
    chunk.clear();
    if (auto ok = (*reader)->read(chunk); !ok) return tl::unexpected(ok.error());
    if (chunk.empty()) break;
    std::string_view text(chunk.data(), chunk.size());
    while (!text.empty()) splitter.split(text, 2, add);
  }
  splitter.finish(add);
  CHECK((*reader)->bytes_read() == split.end - split.begin);
  return lines;
}

std::vector<std::string> all_lines(file_system& files, const std::string& path,
                                   std::uint64_t split_bytes, std::size_t chunk_bytes) {
  auto found = list_input_files(files, path);
  REQUIRE(found);
  std::vector<std::string> lines;
  for (const auto& split : split_files(*found, split_bytes)) {
    auto more = lines_of(files, split, chunk_bytes);
    REQUIRE(more);
    lines.insert(lines.end(), more->begin(), more->end());
  }
  return lines;
}

std::string gzipped(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string failure_of(memory_files& files, const std::string& path) {
  auto found = list_input_files(files, path);
  if (!found) return found.error().message;
  for (const auto& split : split_files(*found, 1'000)) {
    auto lines = lines_of(files, split, 64);
    if (!lines) return lines.error().message;
  }
  return "no failure";
}

}  // namespace

TEST_CASE("every line of a file is read once, wherever splits and chunks end") {
  const std::vector<std::string> lines{"a",  "",     "bcd", "a line that is longer than the rest",
                                       "\t", "e\rf", "",    "last"};
  for (const bool ends_last : {true, false}) {
    for (const std::string line_end : {"\n", "\r\n"}) {
      std::string text;
      for (const auto& line : lines) text += line + line_end;
      if (!ends_last) text.resize(text.size() - line_end.size());
      memory_files files;
      files.put("/in/text", text);
      for (std::uint64_t split_bytes = 1; split_bytes <= text.size() + 1; ++split_bytes) {
        for (const std::size_t chunk_bytes : {1, 2, 3, 7, 1000}) {
          CAPTURE(split_bytes);
          CAPTURE(chunk_bytes);
          REQUIRE(all_lines(files, "/in/text", split_bytes, chunk_bytes) == lines);
        }
      }
    }
  }
}

TEST_CASE("the files of a directory are read sorted, without hidden ones and directories") {
  memory_files files;
  files.put("/in/b", "b1\nb2\n");
  files.put("/in/a", "a1\na2");
  files.put("/in/c.gz", gzipped("c1\nc2\n"));
  files.put("/in/.hidden", "no\n");
  files.put("/in/_SUCCESS", "no\n");
  files.put("/in/empty", "");
  files.put("/in/deeper/d", "no\n");
  const std::vector<std::string> expected{"a1", "a2", "b1", "b2", "c1", "c2"};
  for (std::uint64_t split_bytes = 1; split_bytes < 9; ++split_bytes)
    CHECK(all_lines(files, "/in", split_bytes, 4) == expected);
  CHECK(all_lines(files, "/in/[ab]*", 2, 4) == std::vector<std::string>{"a1", "a2", "b1", "b2"});
  CHECK(all_lines(files, "/in/.hidden", 1, 4) == std::vector<std::string>{"no"});
  CHECK(all_lines(files, "/in/empty", 2, 4).empty());
}

TEST_CASE("compressed files of several members are read as one text") {
  memory_files files;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  files.put("/x.gz",
            gzipped(text.substr(0, 1234)) + gzipped(text.substr(1234)) + std::string(100, '\0'));
  for (const std::size_t chunk_bytes : {1u, 100u, 1u << 20}) {
    const auto lines = all_lines(files, "/x.gz", 1000, chunk_bytes);
    REQUIRE(lines.size() == 5000);
    CHECK(lines[4999] == "line " + std::to_string(4999 * 7919));
  }
}

TEST_CASE("a broken compressed file is an error that names it") {
  memory_files files;
  const auto good = gzipped("some text that is long enough to be damaged in the middle\n");
  files.put("/short.gz", good.substr(0, good.size() - 5));
  files.put("/empty.gz", "");
  files.put("/plain.gz", "this is no gzip\n");
  auto bad = good;
  bad[bad.size() - 6] ^= 1;  // the checksum
  files.put("/bad.gz", bad);
  files.put("/garbage.gz", good + "garbage");
  CHECK(
      failure_of(files, "/short.gz") ==
      "cannot read '/short.gz': no valid gzip file: it ends in the middle of the compressed data");
  CHECK(
      failure_of(files, "/empty.gz") ==
      "cannot read '/empty.gz': no valid gzip file: it ends in the middle of the compressed data");
  CHECK(failure_of(files, "/plain.gz") ==
        "cannot read '/plain.gz': no valid gzip file: incorrect header check");
  CHECK(failure_of(files, "/bad.gz") ==
        "cannot read '/bad.gz': no valid gzip file: incorrect data check");
  CHECK(failure_of(files, "/garbage.gz") ==
        "cannot read '/garbage.gz': no valid gzip file: incorrect header check");
}

TEST_CASE("a path that leads nowhere is an error that names it") {
  memory_files files;
  CHECK(failure_of(files, "/none") == "cannot read '/none': No such file or directory");
  CHECK(failure_of(files, "/none*") == "cannot read '/none*': no file matches the pattern");
}

}  // namespace line_reader_test
