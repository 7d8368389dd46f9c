#include "millrace/connectors/csv_format.hpp"

#include <algorithm>

namespace millrace {

void append_csv_value(std::string& out, std::string_view value, const csv_options& options) {
  const bool needs_quotes =
      options.quote_all || std::any_of(value.begin(), value.end(), [&](char c) {
        return c == options.delimiter || c == '"' || c == '\n' || c == '\r';
      });
  if (!needs_quotes) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace millrace
