// Counts the words of a text: a file, or whatever arrives at a socket.

#include <array>
#include <iostream>

#include "millrace/millrace.hpp"

struct word_count {
  std::string word;
  std::int64_t count;
};

/// The lower-case letter of every byte that is an ASCII letter, 0 for all others.
constexpr auto lower_case = [] {
  std::array<char, 256> table{};
  for (int c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = static_cast<char>(c);
  return table;
}();

/// A word is a maximal run of ASCII letters.
void split_into_words(const std::string& line, millrace::collector<word_count>& out) {
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

constexpr auto usage = R"(
Counts words. Arguments of the job:
  --input PATH            a file, directory or pattern (default: the GPL)
  --host HOST --port N    lines from a socket instead, such as that of 'nc -lk N'
  --output PATH           writes lines word,count instead of printing
)";

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({"input", "host", "port", "output", "help"});
  if (args.has("help")) {
    std::cout << usage;
    return;
  }
  const auto lines =
      args.has("host") || args.has("port")
          ? env.socket_text_stream(args.get_or("host", "localhost"),
                                   args.get_or("port", std::uint16_t{9999}))
          : env.read_text_file(args.get_or("input", "/usr/share/common-licenses/GPL-3"));

  const auto counts = lines.flat_map(split_into_words)
                          .name("split into words")
                          .key_by(&word_count::word)
                          .sum(&word_count::count)
                          .name("count");

  if (args.has("output"))
    counts.write_as_csv(args.get("output"));
  else
    counts.print();
}
