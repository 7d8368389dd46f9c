#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace millrace::cli {

/// Rows of text in columns as wide as their widest cell, for people; programs read the JSON.
class text_table {
 public:
  enum class align { left, right };
  struct column {
    std::string title;
    align alignment = align::left;
  };

  /// Every line starts with `indent` spaces.
  explicit text_table(std::vector<column> columns, std::size_t indent = 0);

  /// As many cells as there are columns. Control characters in cells are shown as '?', so that a
  /// name cannot send commands to the terminal.
  void add(std::vector<std::string> cells);

  /// The titles and the rows, ending with a newline.
  std::string text() const;

 private:
  std::vector<column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::size_t indent_;
};

/// The text with control characters replaced by '?'.
std::string printable(std::string text);

}  // namespace millrace::cli
