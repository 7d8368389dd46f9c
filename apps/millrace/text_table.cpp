#include "text_table.hpp"

#include <algorithm>
#include <utility>

#include "millrace/core/assert.hpp"

namespace millrace::cli {

namespace {

/// Columns that UTF-8 text takes, if each code point takes one.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

text_table::text_table(std::vector<column> columns, std::size_t indent)
    : columns_(std::move(columns)), indent_(indent) {}

void text_table::add(std::vector<std::string> cells) {
  MILLRACE_ASSERT(cells.size() == columns_.size(), "a cell per column");
  for (std::string& cell : cells) cell = printable(std::move(cell));
  rows_.push_back(std::move(cells));
}

std::string text_table::text() const {
  std::vector<std::size_t> widths;
  for (const column& c : columns_) widths.push_back(width(c.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    std::string line(indent_, ' ');
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string gap(widths[i] - width(cell), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].alignment == align::right ? gap + cell : cell + gap;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  add_line([&](std::size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) {
    add_line([&](std::size_t i) -> const std::string& { return row[i]; });
  }
  return text;
}

}  // namespace millrace::cli
