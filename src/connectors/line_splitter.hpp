#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "millrace/core/error.hpp"

namespace millrace {

/// Cuts text that comes in chunks into lines. A line ends with '\n' or "\r\n", which are not part
/// of it; the last one may lack its end.
class line_splitter {
 public:
  /// A longer line is taken for a file that is no text.
  static constexpr std::size_t line_bytes_max = 64 * 1024 * 1024;

  /// Calls `emit(begin, end)` for the lines in `text`, at most `lines_max`; the text behind them is
  /// what remains in `text`, empty once all of it was taken or kept for the next chunk.
  template <class Emit>
  void split(std::string_view& text, std::size_t lines_max, Emit&& emit) {
    while (lines_max-- > 0 && !text.empty()) {
      const char* begin = text.data();
      const auto* end = static_cast<const char*>(std::memchr(begin, '\n', text.size()));
      if (end == nullptr) {
        keep(text);
        text = {};
        return;
      }
      text.remove_prefix(static_cast<std::size_t>(end - begin) + 1);
      if (kept_.empty()) {
        emit_line(begin, end, emit);
      } else {
        kept_.append(begin, end);
        emit_line(kept_.data(), kept_.data() + kept_.size(), emit);
        kept_.clear();
      }
    }
  }

  /// No more text: the last line, if it has no end.
  template <class Emit>
  void finish(Emit&& emit) {
    if (kept_.empty()) return;
    emit_line(kept_.data(), kept_.data() + kept_.size(), emit);
    kept_.clear();
  }

 private:
  template <class Emit>
  static void emit_line(const char* begin, const char* end, Emit& emit) {
    if (begin != end && end[-1] == '\r') --end;
    emit(begin, end);
  }

  void keep(std::string_view text) {
    if (kept_.size() + text.size() > line_bytes_max)
      throw failure(errc::invalid_data, "a line is longer than " + std::to_string(line_bytes_max) +
                                            " bytes: is this a text?");
    kept_ += text;
  }

  std::string kept_;
};

}  // namespace millrace
