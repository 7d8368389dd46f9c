#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "millrace/connectors/file_write_mode.hpp"
#include "millrace/connectors/text_format.hpp"

namespace millrace {

/// Each field of a record is one value; a record that is no aggregate or tuple is one value itself.
template <class T>
concept csv_writable = printable<T>;

/// How values become a line (RFC 4180, with '\n' as the end of a line), and the file it is put
/// into.
struct csv_options {
  char delimiter = ',';                  ///< Between two values.
  bool quote_all = false;                ///< Quotes around every value, needed or not.
  std::vector<std::string> header = {};  ///< Names of the columns, as the first line of every file.
  /// What becomes of a file that is there already.
  file_write_mode mode = file_write_mode::no_overwrite;
};

/// Appends one value, in quotes if it holds a delimiter, a quote or an end of line.
void append_csv_value(std::string& out, std::string_view value, const csv_options& options);

/// Makes lines of one kind of record. `scratch` keeps its memory from line to line.
template <class T>
class csv_formatter {
 public:
  explicit csv_formatter(csv_options options) : options_(std::move(options)) {}

  /// The names of the columns as a line; nothing if there are none.
  void append_header(std::string& out) const {
    for (std::size_t i = 0; i < options_.header.size(); ++i) {
      if (i != 0) out += options_.delimiter;
      append_csv_value(out, options_.header[i], options_);
    }
    if (!options_.header.empty()) out += '\n';
  }

  /// One record as a line, with its '\n'.
  void append_line(std::string& out, const T& record) {
    if constexpr (shape::product<T>) {
      bool first = true;
      shape::each_field(record, [&](const auto& value) {
        if (!first) out += options_.delimiter;
        first = false;
        append_value(out, value);
      });
    } else {
      append_value(out, record);
    }
    out += '\n';
  }

 private:
  template <class Value>
  void append_value(std::string& out, const Value& value) {
    if constexpr (std::integral<Value> && !std::same_as<Value, char>) {
      if (!options_.quote_all) return append_text(out, value);
    }
    if constexpr (shape::optional<Value>) {  // an empty value, not the word "null"
      if (!value) return append_csv_value(out, {}, options_);
    }
    if constexpr (std::convertible_to<const Value&, std::string_view>) {
      append_csv_value(out, value, options_);
    } else {
      scratch_.clear();
      append_text(scratch_, value);
      append_csv_value(out, scratch_, options_);
    }
  }

  csv_options options_;
  std::string scratch_;
};

}  // namespace millrace
