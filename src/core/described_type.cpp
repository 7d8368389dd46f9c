#include "millrace/core/described_type.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace millrace {

namespace {

using kind = described_type::kind;

/// The records around a type, innermost last.
using record_stack = std::vector<const described_type*>;

class description_parser {
 public:
  explicit description_parser(std::string_view text) : text_(text), rest_(text) {}

  result<described_type> parse() {
    described_type type;
    if (!parse_type(type, 0) || !rest_.empty())
      return fail(errc::invalid_data, "'" + std::string(text_) +
                                          "' is no description of a type, from character " +
                                          std::to_string(text_.size() - rest_.size()) + " on");
    return type;
  }

 private:
  static constexpr int depth_max = 200;

  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  bool take_number(std::uint32_t& number) {
    const auto [end, code] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (code != std::errc{}) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }

  /// "<type,…>", behind its '<'.
  bool parse_parts(described_type& type, char end, int depth) {
    do {
      if (!parse_type(type.parts.emplace_back(), depth + 1)) return false;
    } while (take(","));
    return take(std::string_view(&end, 1));
  }

  bool parse_generic(described_type& type, kind what, std::size_t parts, int depth) {
    type.what = what;
    return parse_parts(type, '>', depth) && (parts == 0 || type.parts.size() == parts);
  }

  bool parse_type(described_type& type, int depth) {
    if (depth > depth_max) return false;
    if (take("{}")) {
      type.brace = braces_++;
      return true;
    }
    if (take("{")) {
      type.what = kind::record;
      type.brace = braces_++;
      return parse_parts(type, '}', depth);
    }
    if (take("^")) {
      type.what = kind::enclosing;
      return take_number(type.number) && type.number > 0;
    }
    if (take("'")) {
      type.what = kind::custom;
      const auto end = rest_.find('\'');
      if (end == std::string_view::npos) return false;
      rest_.remove_prefix(end + 1);
      return true;
    }
    if (take("bool")) return simple(type, kind::boolean, 8);
    if (take("char")) return simple(type, kind::character, 8);
    if (take("str")) return simple(type, kind::text, 0);
    if (take("enum<")) return parse_generic(type, kind::enumeration, 1, depth);
    if (take("vec<")) return parse_generic(type, kind::sequence, 1, depth);
    if (take("set<")) return parse_generic(type, kind::set, 1, depth);
    if (take("map<")) return parse_generic(type, kind::map, 2, depth);
    if (take("opt<")) return parse_generic(type, kind::optional, 1, depth);
    if (take("variant<")) return parse_generic(type, kind::variant, 0, depth);
    if (take("array<"))
      return parse_generic(type, kind::array, 1, depth) && take("x") && take_number(type.number);
    if (take("duration<") || take("time<")) {
      std::uint32_t numerator = 0;
      return parse_generic(type, kind::duration, 1, depth) && take("/") && take_number(numerator) &&
             take(":") && take_number(type.number);
    }
    if (take("i")) return parse_bits(type, kind::signed_integer);
    if (take("u")) return parse_bits(type, kind::unsigned_integer);
    if (take("f")) return parse_bits(type, kind::floating);
    return false;
  }

  static bool simple(described_type& type, kind what, std::uint32_t number) {
    type.what = what;
    type.number = number;
    return true;
  }

  bool parse_bits(described_type& type, kind what) {
    type.what = what;
    return take_number(type.number) && type.number % 8 == 0 && type.number >= 8 &&
           type.number <= 64;
  }

  std::string_view text_;
  std::string_view rest_;
  std::uint32_t braces_ = 0;
};

/// Whether values of it take no bytes.
bool is_weightless(const described_type& type) {
  switch (type.what) {
    case kind::nothing:
      return true;
    case kind::record:
      return std::all_of(type.parts.begin(), type.parts.end(), is_weightless);
    case kind::array:
      return type.number == 0 || is_weightless(type.parts[0]);
    default:
      return false;
  }
}

/// Equal but for where the braces are.
bool is_same(const described_type& a, const described_type& b) {
  return a.what == b.what && a.number == b.number &&
         std::equal(a.parts.begin(), a.parts.end(), b.parts.begin(), b.parts.end(), is_same);
}

bool may_grow(kind what) {
  return what == kind::record || what == kind::variant;
}

bool copy_bytes(byte_reader& in, byte_writer& out, std::size_t n) {
  const std::byte* bytes = in.take(n);
  if (bytes == nullptr) return false;
  out.put_bytes(bytes, n);
  return true;
}

/// Walks a value; writes nothing if there is no writer.
class value_walker {
 public:
  value_walker(const record_defaults* defaults, byte_reader& in, byte_writer* out)
      : defaults_(defaults), in_(in), out_(out) {}

  bool walk(const described_type& from, const described_type& to) {
    switch (from.what) {
      case kind::boolean:
      case kind::character:
      case kind::signed_integer:
      case kind::unsigned_integer:
      case kind::floating:
        return copy(from.number / 8);
      case kind::enumeration:
      case kind::duration:
        return walk(from.parts[0], to.parts[0]);
      case kind::text: {
        std::size_t length = 0;
        return in_.get_count(length, 1, 1) && put_length(length) && copy(length);
      }
      case kind::nothing:
        return true;
      case kind::sequence:
      case kind::set:
      case kind::map:
        return walk_container(from, to);
      case kind::array:
        for (std::uint32_t i = 0; i < from.number; ++i)
          if (!walk(from.parts[0], to.parts[0])) return false;
        return true;
      case kind::optional: {
        const std::byte* present = in_.take(1);
        if (present == nullptr) return false;
        const auto flag = *present;
        put(&flag, 1);
        return flag == std::byte{0} || walk(from.parts[0], to.parts[0]);
      }
      case kind::variant: {
        const std::byte* index = in_.take(1);
        if (index == nullptr) return false;
        const auto which = std::to_integer<std::size_t>(*index);
        put(index, 1);
        if (which >= from.parts.size())
          return in_.fail("a variant names an alternative it does not have");
        return walk(from.parts[which], to.parts[which]);
      }
      case kind::record:
        return walk_record(from, to);
      case kind::enclosing: {
        if (from.number > from_around_.size() || to.number > to_around_.size())
          return in_.fail("a type names a record around it that is not there");
        const auto& whole_from = *from_around_[from_around_.size() - from.number];
        const auto& whole_to = *to_around_[to_around_.size() - to.number];
        // Around it is what was around the whole.
        auto kept_from = from_around_, kept_to = to_around_;
        from_around_.resize(from_around_.size() - from.number);
        to_around_.resize(to_around_.size() - to.number);
        const bool done = walk_record(whole_from, whole_to);
        from_around_ = std::move(kept_from);
        to_around_ = std::move(kept_to);
        return done;
      }
      case kind::custom:
        return in_.fail("only the code of its type can read it");
    }
    return false;
  }

 private:
  bool walk_container(const described_type& from, const described_type& to) {
    const byte_reader::nesting nesting(in_);
    std::size_t count = 0;
    if (!nesting || !read_count(from.parts[0], in_, count) || !put_length(count)) return false;
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t p = 0; p < from.parts.size(); ++p)
        if (!walk(from.parts[p], to.parts[p])) return false;
    return true;
  }

  bool walk_record(const described_type& from, const described_type& to) {
    from_around_.push_back(&from);
    to_around_.push_back(&to);
    bool good = true;
    for (std::size_t i = 0; good && i < from.parts.size(); ++i)
      good = walk(from.parts[i], to.parts[i]);
    from_around_.pop_back();
    to_around_.pop_back();
    return good && (from.parts.size() == to.parts.size() || add_fields(from.parts.size(), to));
  }

  /// Those of the default record behind the first `known`.
  bool add_fields(std::size_t known, const described_type& to) {
    if (out_ == nullptr) return true;
    if (defaults_ == nullptr || to.brace >= defaults_->size() || (*defaults_)[to.brace].empty())
      return in_.fail("what its new fields are to be is not known");
    byte_reader whole((*defaults_)[to.brace]);
    value_walker skipping(nullptr, whole, nullptr);
    skipping.from_around_ = skipping.to_around_ = to_around_;
    skipping.from_around_.push_back(&to);
    skipping.to_around_.push_back(&to);
    for (std::size_t i = 0; i < known; ++i)
      if (!skipping.walk(to.parts[i], to.parts[i]))
        return in_.fail("what its new fields are to be can't be read");
    const auto rest = whole.remaining();
    out_->put_bytes(whole.take(rest), rest);
    return true;
  }

  bool copy(std::size_t n) {
    if (out_ != nullptr) return copy_bytes(in_, *out_, n);
    return in_.take(n) != nullptr;
  }
  void put(const void* bytes, std::size_t n) {
    if (out_ != nullptr) out_->put_bytes(bytes, n);
  }
  bool put_length(std::size_t length) {
    if (out_ != nullptr) out_->put_length(length);
    return true;
  }

  const record_defaults* defaults_;
  byte_reader& in_;
  byte_writer* out_;
  record_stack from_around_;
  record_stack to_around_;
};

}  // namespace

result<described_type> parse_description(std::string_view description) {
  return description_parser(description).parse();
}

std::string why_not_evolvable(const described_type& from, const described_type& to) {
  // A record without fields is written as nothing is, and may get some.
  const bool was_empty = from.what == kind::nothing && to.what == kind::record;
  if (was_empty) return "a record without fields can't get any";
  if (from.what != to.what || from.number != to.number) return "the type of a field has changed";
  if (from.what == kind::set || from.what == kind::map) {
    if (!is_same(from.parts[0], to.parts[0])) return "the key of a set or map has changed";
  }
  if (from.parts.size() > to.parts.size()) return "it has fewer fields or alternatives than before";
  if (from.parts.size() < to.parts.size() && !may_grow(from.what)) return "its form has changed";
  for (std::size_t i = 0; i < from.parts.size(); ++i)
    if (auto why = why_not_evolvable(from.parts[i], to.parts[i]); !why.empty()) return why;
  return {};
}

bool evolve_value(const described_type& from, const described_type& to,
                  const record_defaults& defaults, byte_reader& in, byte_writer& out) {
  return value_walker(&defaults, in, &out).walk(from, to);
}

bool skip_value(const described_type& type, byte_reader& in) {
  return value_walker(nullptr, in, nullptr).walk(type, type);
}

bool read_count(const described_type& element, byte_reader& in, std::size_t& count) {
  return in.get_count(count, is_weightless(element) ? 0 : 1, 1);
}

}  // namespace millrace
