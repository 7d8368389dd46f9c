// Word count over a large text file at parallelism 2, against a hand-written single-threaded loop
// that reads the same file, splits it into the same words and counts them in a hash table.
//
//     bench_word_count [MEGABYTES] [ROUNDS]

#include <unistd.h>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include "compare.hpp"
#include "millrace/millrace.hpp"

namespace {

using namespace millrace;

struct word_count {
  std::string word;
  std::int64_t count;
};

constexpr auto lower_case = [] {
  std::array<char, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = static_cast<char>(c);
  return table;
}();

void split_into_words(const std::string& line, collector<word_count>& out) {
  std::string word;
  for (const unsigned char c : line) {
    if (const char letter = lower_case[c]) {
      word += letter;
    } else if (!word.empty()) {
      out.emplace(word, 1);
      word.clear();
    }
  }
  if (!word.empty()) out.emplace(word, 1);
}

struct text_hash {
  using is_transparent = void;
  using is_avalanching = void;
  std::size_t operator()(std::string_view text) const { return key_hash<std::string_view>(text); }
};
using word_table = boost::unordered_flat_map<std::string, std::int64_t, text_hash, std::equal_to<>>;

/// The loop: no lines, no records, no allocation but for new words.
word_table count_by_hand(const std::string& path) {
  word_table counts;
  std::ifstream in(path, std::ios::binary);
  std::vector<char> chunk(1 << 20);
  std::string word;
  const auto count = [&] {
    if (word.empty()) return;
    const auto found = counts.find(std::string_view(word));
    if (found != counts.end())
      ++found->second;
    else
      counts.emplace(word, 1);
    word.clear();
  };
  while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())), in.gcount() > 0) {
    for (std::streamsize i = 0; i < in.gcount(); ++i) {
      if (const char letter = lower_case[static_cast<unsigned char>(chunk[i])])
        word += letter;
      else
        count();
    }
  }
  count();
  return counts;
}

configuration settings(graph::runtime_mode mode) {
  configuration config;
  (void)config.set_assignment("execution.runtime-mode=" + std::string(to_string(mode)), "bench");
  (void)config.set_assignment("parallelism.default=2", "bench");
  return config;
}

auto counts_of(stream_environment& env, const std::string& path) {
  return env.read_text_file(path)
      .flat_map(split_into_words)
      .key_by(&word_count::word)
      .sum(&word_count::count);
}

bool agree(const std::vector<word_count>& engine, const word_table& loop) {
  if (engine.size() != loop.size()) return false;
  return std::all_of(engine.begin(), engine.end(), [&](const word_count& row) {
    const auto found = loop.find(row.word);
    return found != loop.end() && found->second == row.count;
  });
}

/// Real prose: the licences that every Debian has, over and over.
void write_text(const std::string& path, std::uint64_t bytes) {
  std::set<std::filesystem::path> sources;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/share/common-licenses"))
    if (entry.is_regular_file() && !entry.is_symlink()) sources.insert(entry.path());
  std::string text;
  for (const auto& source : sources) {
    std::ifstream in(source, std::ios::binary);
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  std::ofstream out(path, std::ios::binary);
  for (std::uint64_t written = 0; written < bytes; written += text.size()) out << text;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t megabytes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  const auto path =
      (std::filesystem::temp_directory_path() / ("millrace-bench-" + std::to_string(::getpid())))
          .string();
  write_text(path, megabytes * 1'000'000);
  const auto size = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  bench::print_machine();
  std::printf("text of %.0f MB\n", size);

  bool correct = true;
  word_table by_hand;
  const auto loop = [&] { by_hand = count_by_hand(path); };
  const auto batch = bench::compare(rounds, loop, [&] {
    stream_environment env(settings(graph::runtime_mode::batch));
    correct &= agree(counts_of(env, path).execute_and_collect(), by_hand);
  });
  bool good = bench::print("word count, final counts (batch)", batch, size, "MB", 0.6);
  const auto streaming = bench::compare(rounds, loop, [&] {
    stream_environment env(settings(graph::runtime_mode::streaming));
    counts_of(env, path).discard();
    env.execute();
  });
  good = bench::print("word count, every update (streaming)", streaming, size, "MB", 0.6) && good;

  std::filesystem::remove(path);
  if (!correct) {
    std::cerr << "the counts differ from the loop's\n";
    return 1;
  }
  return bench::exit_code(good);
}
