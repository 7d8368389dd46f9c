#pragma once

#include <string>

#include "millrace/connectors/text_format.hpp"
#include "millrace/connectors/text_sink.hpp"

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

/// Writes to standard output.
template <class T>
std::shared_ptr<const operator_factory> make_print_sink(std::string name) {
  return make_text_sink<T, print_format<T>>(
      {.format =
           [name = std::move(name)](const runtime_context& self) {
             return print_format<T>{print_prefix(name, self)};
           },
       .target = [](operator_context&) { return standard_output(); }});
}

}  // namespace millrace
