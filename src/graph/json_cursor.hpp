#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::graph {

/// The first thing wrong with a document, as "path: what".
using json_problem = std::optional<std::string>;

/// A place in a JSON document that knows its path. Reading what is not there, or of another type,
/// notes the problem (only the first is kept) and yields an empty value, so that a reader needs no
/// error handling of its own: it looks at the problem once, at the end. Never throws.
class json_cursor {
 public:
  json_cursor(const nlohmann::ordered_json& root, json_problem& problem)
      : value_(&root), problem_(&problem) {}

  /// Notes a problem unless this is an object with exactly these fields, and perhaps some of those
  /// that `may_be_there`.
  void expect_fields(std::initializer_list<std::string_view> names,
                     std::initializer_list<std::string_view> may_be_there = {}) const;

  json_cursor field(std::string_view name) const;

  bool is_null() const { return value_->is_null(); }
  /// Whether this is an object with such a field.
  bool has(std::string_view name) const { return value_->is_object() && value_->contains(name); }
  std::string text() const;
  bool boolean() const;
  std::uint32_t number(std::uint32_t max = std::numeric_limits<std::uint32_t>::max()) const;

  std::uint64_t number64() const;

  /// The number behind a prefix: "v12" is 12.
  std::uint32_t id(char prefix) const;

  /// Exactly 16 hex digits.
  std::uint64_t hex64() const;

  /// Calls `each(cursor)` for every item of an array.
  template <class F>
  void items(F&& each) const {
    if (!value_->is_array()) return complain("must be an array");
    std::size_t index = 0;
    for (const auto& item : *value_)
      each(json_cursor(item, *problem_, path_ + "[" + std::to_string(index++) + "]"));
  }

  /// Calls `each(name, cursor)` for every field of an object, in the document's order.
  template <class F>
  void members(F&& each) const {
    if (!value_->is_object()) return complain("must be an object");
    for (const auto& [name, value] : value_->items())
      each(name, json_cursor(value, *problem_, path_ + "." + name));
  }

  /// "must be …" about this place; ", is <value>" is added.
  void complain(const std::string& what) const;

 private:
  json_cursor(const nlohmann::ordered_json& value, json_problem& problem, std::string path)
      : value_(&value), problem_(&problem), path_(std::move(path)) {}

  const nlohmann::ordered_json* value_;
  json_problem* problem_;
  std::string path_;
};

}  // namespace millrace::graph
