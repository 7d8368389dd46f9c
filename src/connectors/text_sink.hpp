#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "millrace/connectors/text_writer.hpp"
#include "millrace/operators/typed_factory.hpp"

namespace millrace {

/// A sink that writes a line per record. `Format` has `append_header(std::string&)` and
/// `append_line(std::string&, const T&)`; both are made when the operator opens and knows where it
/// runs.
template <class T, class Format>
class text_sink final : public stream_operator {
 public:
  /// What a subtask's sink is made of.
  struct parts {
    /// Makes lines of records.
    std::function<Format(const runtime_context&)> format;
    /// Where the lines go.
    std::function<std::shared_ptr<text_target>(operator_context&)> target;
  };

  explicit text_sink(parts make) : make_(std::move(make)) {}

  void open(operator_context& context) override {
    format_.emplace(make_.format(context.runtime()));
    writer_.emplace(context.io(), make_.target(context));
    format_->append_header(writer_->buffer());
  }

  void process(std::size_t, batch& rows, rows_access) override {
    auto& text = writer_->buffer();
    for (const T& row : rows_of<T>(rows)) format_->append_line(text, row);
    writer_->pump();
  }

  bool finish() override {
    writer_->finish();
    return true;
  }
  bool is_busy() const noexcept override { return writer_ && writer_->is_busy(); }
  void close() noexcept override { writer_.reset(); }

 private:
  parts make_;
  std::optional<Format> format_;
  std::optional<text_writer> writer_;
};

/// A sink of these parts.
template <class T, class Format>
std::shared_ptr<const operator_factory> make_text_sink(typename text_sink<T, Format>::parts parts) {
  return make_factory<T, void>(
      [parts = std::move(parts)] { return std::make_unique<text_sink<T, Format>>(parts); });
}

}  // namespace millrace
