#pragma once

#include <memory>
#include <string>
#include <utility>

#include "millrace/connectors/standard_output.hpp"
#include "millrace/connectors/text_format.hpp"
#include "millrace/operators/sink_writer.hpp"

namespace millrace {

/// What stands before each line, as in Flink: "2> " for the second of several subtasks, nothing for
/// the only one; with a name "name:2> " and "name> ".
std::string print_prefix(const std::string& name, const runtime_context& self);

/// Lines as print writes them.
template <class T>
struct print_format {
  /// Before each line.
  std::string prefix;

  /// There is none.
  void append_header(std::string&) const {}
  /// One record.
  void append_line(std::string& out, const T& record) const {
    out += prefix;
    append_text(out, record);
    out += '\n';
  }
};

/// Writes the lines of one subtask.
template <class T>
class print_writer final : public sink_writer<T> {
 public:
  print_writer(const sink_writer_context& context, print_format<T> format)
      : format_(std::move(format)), out_(context.io()) {}

  void write(const sink_rows<T>& rows) override {
    for (const T& row : rows.rows) format_.append_line(out_.buffer(), row);
    out_.pump();
  }
  void flush(flush_cause) override { out_.flush(); }
  bool is_busy() const noexcept override { return out_.is_busy(); }

 private:
  print_format<T> format_;
  standard_output out_;
};

/// Writes to standard output.
template <class T>
struct print_sink {
  /// There is none.
  using committable = no_committable;

  /// Before each line; empty for none.
  std::string name{};

  /// The writer of a subtask.
  std::unique_ptr<sink_writer<T>> create_writer(sink_writer_context& context) const {
    return std::make_unique<print_writer<T>>(
        context, print_format<T>{print_prefix(name, context.runtime())});
  }
};

}  // namespace millrace
