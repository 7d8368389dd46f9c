#include "millrace/graph/json_cursor.hpp"

#include <algorithm>
#include <charconv>

namespace millrace::graph {

namespace {

const nlohmann::ordered_json missing;

/// The value as an error message shows it: short, whatever its size.
std::string shown(const nlohmann::ordered_json& value) {
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  if (value.is_string() && value.get_ref<const std::string&>().size() > 60) return "a long text";
  return value.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

void json_cursor::expect_fields(std::initializer_list<std::string_view> names,
                                std::initializer_list<std::string_view> may_be_there) const {
  if (!value_->is_object()) return complain("must be an object");
  const auto is_one_of = [](const auto& known, const std::string& name) {
    return std::find(known.begin(), known.end(), name) != known.end();
  };
  for (const auto& [name, value] : value_->items())
    if (!is_one_of(names, name) && !is_one_of(may_be_there, name))
      json_cursor(value, *problem_, path_ + "." + name.substr(0, 60)).complain("unknown field");
  for (auto name : names)
    if (!value_->contains(name)) complain("lacks the field '" + std::string(name) + "'");
}

json_cursor json_cursor::field(std::string_view name) const {
  auto path = path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  if (value_->is_object())
    if (auto found = value_->find(name); found != value_->end())
      return {*found, *problem_, std::move(path)};
  return {missing, *problem_, std::move(path)};
}

std::string json_cursor::text() const {
  if (value_->is_string()) return value_->get_ref<const std::string&>();
  complain("must be a text");
  return {};
}

bool json_cursor::boolean() const {
  if (value_->is_boolean()) return value_->get<bool>();
  complain("must be true or false");
  return false;
}

std::uint32_t json_cursor::number(std::uint32_t max) const {
  if (value_->is_number_unsigned() && value_->get<std::uint64_t>() <= max)
    return value_->get<std::uint32_t>();
  complain("must be a number from 0 to " + std::to_string(max));
  return 0;
}

std::uint64_t json_cursor::number64() const {
  if (value_->is_number_unsigned()) return value_->get<std::uint64_t>();
  complain("must be a number");
  return 0;
}

std::uint32_t json_cursor::id(char prefix) const {
  if (value_->is_string()) {
    const auto& text = value_->get_ref<const std::string&>();
    std::uint32_t number = 0;
    const char* end = text.data() + text.size();
    if (text.size() > 1 && text[0] == prefix) {
      auto [rest, code] = std::from_chars(text.data() + 1, end, number);
      // Printing it again refuses "v01", which would be a second name of v1.
      if (code == std::errc{} && rest == end && text == prefix + std::to_string(number))
        return number;
    }
  }
  complain(std::string("must be an id such as \"") + prefix + "0\"");
  return 0;
}

std::uint64_t json_cursor::hex64() const {
  if (value_->is_string()) {
    const auto& text = value_->get_ref<const std::string&>();
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    auto [rest, code] = std::from_chars(text.data(), end, number, 16);
    if (text.size() == 16 && text[0] != '-' && code == std::errc{} && rest == end) return number;
  }
  complain("must be 16 hex digits");
  return 0;
}

void json_cursor::complain(const std::string& what) const {
  if (*problem_) return;
  auto path = path_.starts_with(".") ? path_.substr(1) : path_;
  *problem_ = (path.empty() ? "" : path + ": ") + what;
  if (what.starts_with("must")) **problem_ += value_ == &missing ? "" : ", is " + shown(*value_);
}

}  // namespace millrace::graph
