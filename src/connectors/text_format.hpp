#pragma once

#include <charconv>
#include <concepts>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>

#include "millrace/core/type_shape.hpp"

/// Records as people read them: numbers in their shortest exact form, texts as they are, tuples and
/// aggregates as "(a,b)", containers as "[a, b]" and "{k=v, …}", an empty optional as "null".
/// An operator<< of the record's own comes before all that.
namespace millrace {

namespace text {

/// Has an operator<<, of its own or of the standard library.
template <class T>
concept streamable = requires(std::ostream& out, const T& value) {
  { out << value } -> std::same_as<std::ostream&>;
};

/// Whether `T` and all that it consists of can be written.
template <class T>
consteval bool can_print() {
  if constexpr (std::is_arithmetic_v<T> || std::convertible_to<const T&, std::string_view> ||
                streamable<T> || shape::enumeration<T> || shape::monostate<T> ||
                shape::duration<T> || shape::time_point<T>) {
    return true;
  } else if constexpr (shape::map<T>) {
    return can_print<typename T::key_type>() && can_print<typename T::mapped_type>();
  } else if constexpr (shape::sequence<T> || shape::set<T> || shape::std_array<T> ||
                       shape::optional<T>) {
    return can_print<typename T::value_type>();
  } else if constexpr (shape::variant<T>) {
    return []<class... A>(std::type_identity<std::variant<A...>>) {
      return (can_print<A>() && ...);
    }(std::type_identity<T>{});
  } else if constexpr (shape::product<T>) {
    return shape::all_fields<T>([]<std::size_t I>() {
      return can_print<std::remove_const_t<typename shape::fields<T>::template type<I>>>();
    });
  } else {
    return false;
  }
}

/// Lets an operator<< write to the end of a string.
class string_appender final : public std::streambuf {
 public:
  /// `out` outlives this.
  explicit string_appender(std::string& out) : out_(out) {}

 protected:
  int_type overflow(int_type c) override {
    if (!traits_type::eq_int_type(c, traits_type::eof())) out_ += traits_type::to_char_type(c);
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* data, std::streamsize n) override {
    out_.append(data, static_cast<std::size_t>(n));
    return n;
  }

 private:
  std::string& out_;
};

/// By std::to_chars: the shortest text that reads back as the same number.
template <class Number>
void append_number(std::string& out, Number number) {
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

}  // namespace text

/// Types that `print` and the file sinks can write.
template <class T>
concept printable = text::can_print<T>();

/// Appends one value.
template <printable T>
void append_text(std::string& out, const T& value) {
  [[maybe_unused]] const auto list = [&](std::string_view open, std::string_view between,
                                         std::string_view close, auto&& append_item) {
    out += open;
    bool first = true;
    for (const auto& item : value) {
      if (!first) out += between;
      first = false;
      append_item(item);
    }
    out += close;
  };

  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::same_as<T, char>) {
    out += value;
  } else if constexpr (std::is_arithmetic_v<T>) {
    text::append_number(out, value);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    out += std::string_view(value);
  } else if constexpr (text::streamable<T>) {
    text::string_appender buffer(out);
    std::ostream stream(&buffer);
    stream << value;
  } else if constexpr (shape::enumeration<T>) {
    text::append_number(out, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (shape::monostate<T>) {
    out += "()";
  } else if constexpr (shape::duration<T>) {
    append_text(out, value.count());
  } else if constexpr (shape::time_point<T>) {
    append_text(out, value.time_since_epoch().count());
  } else if constexpr (shape::map<T>) {
    list("{", ", ", "}", [&](const auto& item) {
      append_text(out, item.first);
      out += '=';
      append_text(out, item.second);
    });
  } else if constexpr (shape::sequence<T> || shape::set<T> || shape::std_array<T>) {
    list("[", ", ", "]", [&](const auto& item) { append_text<typename T::value_type>(out, item); });
  } else if constexpr (shape::optional<T>) {
    if (value)
      append_text(out, *value);
    else
      out += "null";
  } else if constexpr (shape::variant<T>) {
    std::visit([&](const auto& held) { append_text(out, held); }, value);
  } else {
    out += '(';
    bool first = true;
    shape::each_field(value, [&](const auto& part) {
      if (!first) out += ',';
      first = false;
      append_text(out, part);
    });
    out += ')';
  }
}

}  // namespace millrace
