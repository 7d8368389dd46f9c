#include "millrace/checkpoint/value_json.hpp"

#include <bit>
#include <cmath>
#include <vector>

#include "millrace/core/codec.hpp"
#include "millrace/core/hex.hpp"

namespace millrace {

namespace {

using json = nlohmann::ordered_json;
using kind = described_type::kind;

json float_json(double number) {
  if (std::isfinite(number)) return number;
  return std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
}

template <class T>
bool read_number(byte_reader& in, json& value) {
  T number{};
  if (!decode(in, number)) return false;
  if constexpr (std::is_floating_point_v<T>)
    value = float_json(number);
  else
    value = number;
  return true;
}

class json_reader {
 public:
  explicit json_reader(byte_reader& in) : in_(in) {}

  bool read(const described_type& type, json& value) {
    switch (type.what) {
      case kind::boolean:
        return read_number<bool>(in_, value);
      case kind::character: {
        const std::byte* c = in_.take(1);
        if (c == nullptr) return false;
        value = std::string(1, static_cast<char>(*c));
        return true;
      }
      case kind::signed_integer:
        return type.number == 8    ? read_number<std::int8_t>(in_, value)
               : type.number == 16 ? read_number<std::int16_t>(in_, value)
               : type.number == 32 ? read_number<std::int32_t>(in_, value)
                                   : read_number<std::int64_t>(in_, value);
      case kind::unsigned_integer:
        return type.number == 8    ? read_number<std::uint8_t>(in_, value)
               : type.number == 16 ? read_number<std::uint16_t>(in_, value)
               : type.number == 32 ? read_number<std::uint32_t>(in_, value)
                                   : read_number<std::uint64_t>(in_, value);
      case kind::floating:
        return type.number == 32 ? read_number<float>(in_, value) : read_number<double>(in_, value);
      case kind::enumeration:
      case kind::duration:
        return read(type.parts[0], value);
      case kind::text: {
        std::string text;
        if (!decode(in_, text)) return false;
        value = std::move(text);
        return true;
      }
      case kind::nothing:
        value = nullptr;
        return true;
      case kind::sequence:
      case kind::set:
        return read_elements_of(type, value);
      case kind::map:
        return read_map(type, value);
      case kind::array:
        value = json::array();
        for (std::uint32_t i = 0; i < type.number; ++i)
          if (!read(type.parts[0], value.emplace_back())) return false;
        return true;
      case kind::optional: {
        bool present = false;
        if (!decode(in_, present)) return false;
        value = nullptr;
        return !present || read(type.parts[0], value);
      }
      case kind::variant: {
        std::uint8_t index = 0;
        if (!decode(in_, index)) return false;
        if (index >= type.parts.size())
          return in_.fail("a variant names an alternative it does not have");
        value = {{"alternative", index}, {"value", nullptr}};
        return read(type.parts[index], value["value"]);
      }
      case kind::record:
        return read_record(type, value);
      case kind::enclosing: {
        if (type.number > around_.size())
          return in_.fail("a type names a record around it that is not there");
        const auto* whole = around_[around_.size() - type.number];
        auto kept = around_;
        around_.resize(around_.size() - type.number);
        const bool done = read_record(*whole, value);
        around_ = std::move(kept);
        return done;
      }
      case kind::custom:
        return in_.fail("only the code of its type can read it");
    }
    return false;
  }

 private:
  bool read_elements_of(const described_type& type, json& value) {
    const byte_reader::nesting nesting(in_);
    std::size_t count = 0;
    if (!nesting || !read_count(type.parts[0], in_, count)) return false;
    value = json::array();
    for (; count > 0; --count)
      if (!read(type.parts[0], value.emplace_back())) return false;
    return true;
  }

  bool read_map(const described_type& type, json& value) {
    const byte_reader::nesting nesting(in_);
    const bool is_object = type.parts[0].what == kind::text;
    std::size_t count = 0;
    if (!nesting || !read_count(type.parts[0], in_, count)) return false;
    value = is_object ? json::object() : json::array();
    for (; count > 0; --count) {
      json key, mapped;
      if (!read(type.parts[0], key) || !read(type.parts[1], mapped)) return false;
      if (is_object)
        value[key.get<std::string>()] = std::move(mapped);
      else
        value.push_back(json::array({std::move(key), std::move(mapped)}));
    }
    return true;
  }

  bool read_record(const described_type& type, json& value) {
    around_.push_back(&type);
    value = json::array();
    bool good = true;
    for (std::size_t i = 0; good && i < type.parts.size(); ++i)
      good = read(type.parts[i], value.emplace_back());
    around_.pop_back();
    return good;
  }

  byte_reader& in_;
  std::vector<const described_type*> around_;
};

}  // namespace

bool read_value(const described_type& type, byte_reader& in, json& value) {
  return json_reader(in).read(type, value);
}

json value_json(const std::string& description, byte_view bytes) {
  if (const auto type = parse_description(description)) {
    byte_reader in(bytes);
    json value;
    if (read_value(*type, in, value) && in.remaining() == 0) return value;
  }
  return {{"hex", to_hex(bytes)}};
}

}  // namespace millrace
