#pragma once

#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "millrace/stream/operator.hpp"
#include "millrace/stream/output_tag.hpp"

namespace millrace {

/// The side outputs of one operator: gathers what is for each into batches. The operator flushes
/// them whenever it flushes its main output, and before it passes a watermark on. Owned by the
/// operator, used only in its task.
class side_outputs {
 public:
  void open(operator_context& context) { context_ = &context; }

  /// Whether the job reads that side output; what nobody reads is dropped.
  template <class T>
  bool is_read(const output_tag<T>& tag) {
    return port_of(tag).is_read;
  }

  /// `timestamp` is `no_timestamp` for none. Throws `failure(type_mismatch)` if the tag's name was
  /// used, or is read, with another type.
  template <class T, class Row>
  void emit(const output_tag<T>& tag, Row&& row, timestamp_ms timestamp) {
    auto& to = port_of(tag);
    if (to.is_read) to.out.emit(std::forward<Row>(row), timestamp);
  }

  void flush() {
    for (auto& one : ports_) one->flush();
  }

 private:
  struct port {
    port(std::string name, const record_type& records) : tag(std::move(name)), type(&records) {}
    virtual ~port() = default;
    virtual void flush() = 0;

    std::string tag;
    const record_type* type;
    bool is_read = false;
  };
  template <class T>
  struct port_to final : port {
    explicit port_to(const std::string& name) : port(name, record_type_of<T>()) {}
    void flush() override {
      if (is_read) out.flush();
    }
    collector<T> out;
  };

  /// Operators have one or two side outputs: looking through them is faster than hashing a name.
  template <class T>
  port_to<T>& port_of(const output_tag<T>& tag) {
    for (auto& one : ports_) {
      if (one->tag != tag.name()) continue;
      if (typeid(*one->type) != typeid(record_type_of<T>()))
        throw_two_types(*one, record_type_of<T>());
      return checked_cast<port_to<T>&>(*one);
    }
    auto made = std::make_unique<port_to<T>>(tag.name());
    if (output* target = context_->side_output(tag.name(), record_type_of<T>())) {
      made->out.bind(*target, context_->batches());
      made->is_read = true;
    }
    auto& kept = *made;
    ports_.push_back(std::move(made));
    return kept;
  }

  [[noreturn]] static void throw_two_types(const port& known, const record_type& other) {
    throw failure(errc::type_mismatch, "side output '" + known.tag + "' is used for records of " +
                                           std::string(known.type->description()) + " and of " +
                                           std::string(other.description()) +
                                           "; give each type a tag of its own");
  }

  operator_context* context_ = nullptr;
  std::vector<std::unique_ptr<port>> ports_;
};

}  // namespace millrace
