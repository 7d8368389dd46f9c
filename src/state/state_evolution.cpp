#include "millrace/state/state_evolution.hpp"

#include <utility>

namespace millrace {

namespace {

/// What a value with a time to live begins with.
constexpr std::size_t last_touch_bytes = 8;

std::string named(std::uint64_t fingerprint) {
  return known_description(fingerprint).value_or("of unknown form");
}

}  // namespace

result<type_evolution> type_evolution::between(std::uint64_t saved, std::uint64_t wanted) {
  const auto mismatch = [&](const std::string& why) {
    return fail(errc::type_mismatch, "it was " + named(saved) + " and is now " + named(wanted) +
                                         (why.empty() ? "" : ", and " + why));
  };
  const auto from = known_description(saved);
  const auto to = known_description(wanted);
  if (!from || !to) return mismatch({});
  const auto from_type = parse_description(*from);
  const auto to_type = parse_description(*to);
  if (!from_type || !to_type) return mismatch({});
  if (const auto why = why_not_evolvable(*from_type, *to_type); !why.empty())
    return mismatch(why + " (fields may be added at the end of a record, with defaults)");
  type_evolution how;
  how.from_ = *from_type;
  how.to_ = *to_type;
  how.defaults_ = known_defaults(wanted);
  return how;
}

bool type_evolution::evolve(byte_reader& in, byte_writer& out) const {
  return evolve_value(from_, to_, defaults_, in, out);
}

bool type_evolution::evolve_part(std::size_t part, byte_reader& in, byte_writer& out) const {
  return evolve_value(from_.parts.at(part), to_.parts.at(part), defaults_, in, out);
}

result<std::optional<state_evolution>> state_evolution::between(const state_info& saved,
                                                                const state_info& wanted) {
  auto others = saved;
  others.value_type = wanted.value_type;
  if (const auto why = why_incompatible(others, wanted); !why.empty())
    return fail(errc::type_mismatch, "it " + why);
  if (saved.value_type == wanted.value_type) return std::nullopt;
  auto values = type_evolution::between(saved.value_type, wanted.value_type);
  if (!values)
    return fail(errc::type_mismatch, "it had another type of value: " + values.error().message);
  state_evolution how(std::move(*values));
  how.is_list_ = saved.kind == state_kind::list;
  how.has_ttl_ = saved.has_ttl;
  return how;
}

result<std::vector<std::byte>> state_evolution::evolve(byte_view value) const {
  byte_reader in(value);
  byte_writer out;
  std::size_t count = 1;
  if (is_list_) {
    if (!read_count(values_.from(), in, count)) return tl::unexpected(in.to_status().error());
    out.put_length(count);
  }
  for (; count > 0; --count) {
    if (has_ttl_) {
      const std::byte* touched = in.take(last_touch_bytes);
      if (touched == nullptr) break;
      out.put_bytes(touched, last_touch_bytes);
    }
    if (!values_.evolve(in, out)) break;
  }
  if (in.ok() && in.remaining() != 0) in.fail("bytes are left over behind the value");
  if (!in.ok()) return tl::unexpected(in.to_status().error());
  return std::move(out).take();
}

}  // namespace millrace
