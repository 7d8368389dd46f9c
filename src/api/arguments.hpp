#pragma once

#include <charconv>
#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/error.hpp"

namespace millrace {

/// The arguments of a job: `--key value`, `--key=value`, and `--flag`. A value that begins with
/// `--` needs the form with `=`. The last of several wins. Everything that throws, throws `failure`
/// (`invalid_argument`) with a message that names the argument.
class arguments {
 public:
  arguments() = default;
  /// Without the program's name.
  explicit arguments(std::vector<std::string> words);
  arguments(int argc, const char* const* argv);

  /// Whether the argument was given, with or without a value.
  bool has(std::string_view name) const noexcept { return find(name) != nullptr; }

  /// The value as text, or as a number, or as a bool ("true", "false"; a flag without value is
  /// true). Throws if the argument is missing or not of that form.
  template <class T = std::string>
  T get(std::string_view name) const {
    auto value = find_as<T>(name);
    if (!value) throw_missing(name);
    return *std::move(value);
  }

  /// The same, or `otherwise` if there is no such argument.
  template <class T>
  T get_or(std::string_view name, T otherwise) const {
    return find_as<T>(name).value_or(std::move(otherwise));
  }
  /// The same for text.
  std::string get_or(std::string_view name, const char* otherwise) const {
    return get_or(name, std::string(otherwise));
  }

  /// Throws if there is an argument that is none of these: lists them, and says which one may have
  /// been meant.
  void check_known(std::initializer_list<std::string_view> names) const;

  /// Words that belong to no `--key`.
  const std::vector<std::string>& positional() const noexcept { return positional_; }
  /// Everything, as it was given.
  const std::vector<std::string>& all() const noexcept { return words_; }

 private:
  struct named {
    std::string name;
    std::optional<std::string> value;
  };

  const named* find(std::string_view name) const noexcept;
  [[noreturn]] static void throw_missing(std::string_view name);
  [[noreturn]] static void throw_malformed(const named& argument, std::string_view expected);
  static const std::string& value_of(const named& argument);
  static bool to_bool(const named& argument);

  template <class T>
  std::optional<T> find_as(std::string_view name) const {
    static_assert(std::same_as<T, std::string> || std::same_as<T, bool> || std::integral<T> ||
                      std::floating_point<T>,
                  "millrace: arguments can be read as std::string, bool and numbers");
    const named* argument = find(name);
    if (argument == nullptr) return std::nullopt;
    if constexpr (std::same_as<T, std::string>) {
      return value_of(*argument);
    } else if constexpr (std::same_as<T, bool>) {
      return to_bool(*argument);
    } else {
      const std::string& text = value_of(*argument);
      T number{};
      const auto end = text.data() + text.size();
      const auto [at, problem] = std::from_chars(text.data(), end, number);
      if (problem == std::errc::result_out_of_range)
        throw_malformed(*argument, "a number that is not so large");
      if (problem != std::errc() || at != end)
        throw_malformed(*argument, std::integral<T> ? "a whole number" : "a number");
      return number;
    }
  }

  std::vector<std::string> words_;
  std::vector<named> named_;
  std::vector<std::string> positional_;
};

}  // namespace millrace
