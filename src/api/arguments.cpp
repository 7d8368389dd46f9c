#include "millrace/api/arguments.hpp"

#include <algorithm>

#include "millrace/core/edit_distance.hpp"

namespace millrace {

namespace {

bool is_name(std::string_view word) {
  return word.size() > 2 && word.starts_with("--");
}

}  // namespace

arguments::arguments(std::vector<std::string> words) : words_(std::move(words)) {
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::string& word = words_[i];
    if (!is_name(word)) {
      positional_.push_back(word);
      continue;
    }
    if (const auto equals = word.find('='); equals != std::string::npos) {
      named_.push_back({word.substr(2, equals - 2), word.substr(equals + 1)});
    } else if (i + 1 < words_.size() && !is_name(words_[i + 1])) {
      named_.push_back({word.substr(2), words_[i + 1]});
      ++i;
    } else {
      named_.push_back({word.substr(2), std::nullopt});
    }
  }
}

arguments::arguments(int argc, const char* const* argv)
    : arguments(std::vector<std::string>(argv + std::min(argc, 1), argv + argc)) {}

const arguments::named* arguments::find(std::string_view name) const noexcept {
  const auto last = std::find_if(named_.rbegin(), named_.rend(),
                                 [&](const named& argument) { return argument.name == name; });
  return last == named_.rend() ? nullptr : &*last;
}

void arguments::check_known(std::initializer_list<std::string_view> names) const {
  for (const auto& argument : named_) {
    if (std::find(names.begin(), names.end(), argument.name) != names.end()) continue;
    std::string message = "unknown argument --" + argument.name;
    const auto near = nearest_word(argument.name, std::span(names.begin(), names.size()));
    if (!near.empty()) message += ": did you mean --" + std::string(near) + "?";
    message += " (there are:";
    for (const auto name : names) message += " --" + std::string(name);
    throw failure(errc::invalid_argument, message + ")");
  }
}

void arguments::throw_missing(std::string_view name) {
  throw failure(errc::invalid_argument, "the argument --" + std::string(name) + " is missing");
}

void arguments::throw_malformed(const named& argument, std::string_view expected) {
  throw failure(errc::invalid_argument, "the argument --" + argument.name + " must be " +
                                            std::string(expected) + ", not '" + *argument.value +
                                            "'");
}

const std::string& arguments::value_of(const named& argument) {
  if (!argument.value)
    throw failure(errc::invalid_argument, "the argument --" + argument.name + " needs a value");
  return *argument.value;
}

bool arguments::to_bool(const named& argument) {
  if (!argument.value || *argument.value == "true") return true;
  if (*argument.value == "false") return false;
  throw_malformed(argument, "true or false");
}

}  // namespace millrace
