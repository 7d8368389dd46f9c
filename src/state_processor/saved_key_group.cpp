#include "millrace/state_processor/saved_key_group.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/core/known_types.hpp"
#include "millrace/operators/own_state_names.hpp"
#include "millrace/state/row_order.hpp"
#include "millrace/state/state_evolution.hpp"

namespace millrace {

namespace {

bool comes_before(byte_view a, byte_view b) {
  return row_order(a) < row_order(b);
}

bool is_same(byte_view a, byte_view b) {
  return std::ranges::equal(a, b);
}

bool has_function_timers(const state_info& info) {
  return info.kind == state_kind::timers && info.name == own_state_names::timers;
}

}  // namespace

saved_key_group::saved_key_group(std::string subject, std::uint32_t group,
                                 const std::vector<encoded_key_group>& parts)
    : subject_(std::move(subject)), group_(group) {
  for (const auto& part : parts) {
    byte_reader in(parts_.emplace_back(part.bytes.whole()).part);
    auto sections = read_key_group(in, group_);
    if (!sections) refuse(sections.error().code, "can't be read: " + sections.error().message);
    sections_.insert(sections_.end(), std::make_move_iterator(sections->begin()),
                     std::make_move_iterator(sections->end()));
  }
  for (const auto& section : sections_) {
    if (!has_function_timers(section.info)) continue;
    each_entry(section, [&](const encoded_entry& entry) {
      std::uint8_t domain = 0;
      timestamp_ms at = 0;
      if (const auto good = decode_bytes_into(entry.value, domain, at); !good)
        refuse(good.error().code, "has a timer that can't be read: " + good.error().message);
      timers_.push_back({entry.key, domain == 1, at});
    });
  }
  std::ranges::stable_sort(timers_, comes_before, &saved_timer::key);
}

void saved_key_group::refuse(errc code, const std::string& why) const {
  throw failure(code, "key group " + std::to_string(group_) + " of " + subject_ + " " + why);
}

template <class Visit>
void saved_key_group::each_entry(const key_group_section& section, Visit&& visit) const {
  byte_reader in(section.entries);
  encoded_entry entry;
  while (in.remaining() > 0 && get_entry(in, entry)) visit(entry);
  if (const auto good = in.to_status(); !good)
    refuse(good.error().code, "has an entry of state '" + section.info.name +
                                  "' that can't be read: " + good.error().message);
}

void saved_key_group::check_key_type(std::uint64_t wanted) const {
  const auto named = [](std::uint64_t type) {
    return known_description(type).value_or("a type of unknown form");
  };
  for (const auto& section : sections_)
    if (section.info.key_type != wanted)
      throw failure(errc::type_mismatch,
                    "the keys of " + subject_ + " were saved as " + named(section.info.key_type) +
                        " (state '" + section.info.name + "'), and are to be read as " +
                        named(wanted) + ": read them as the type of key that the job has");
}

void saved_key_group::restore_to(keyed_state_backend_base& backend) const {
  for (const auto& wanted : backend.states())
    for (const auto& section : sections_) {
      if (section.info.name != wanted.name) continue;
      if (const auto how = state_evolution::between(section.info, wanted); !how)
        throw failure(errc::type_mismatch,
                      "state '" + wanted.name + "' of " + subject_ +
                          " can't be read as it was asked for: " + how.error().message +
                          ": ask for it with the kind and the types that it was saved with, which "
                          "'millrace savepoint inspect' shows");
    }
  for (const auto& each : parts_) {
    byte_reader in(each.part);
    if (const auto done = backend.restore_key_group(group_, in); !done) throw failure(done.error());
  }
}

std::vector<byte_view> saved_key_group::keys(const std::vector<state_info>& states) const {
  const auto is_wanted = [&](const state_info& saved) {
    return states.empty() || has_function_timers(saved) ||
           std::ranges::any_of(states, [&](const auto& each) { return each.name == saved.name; });
  };
  std::vector<byte_view> all;
  for (const auto& section : sections_) {
    if (!is_wanted(section.info)) continue;
    each_entry(section, [&](const encoded_entry& entry) {
      // Those of a map come key by key.
      if (all.empty() || !is_same(all.back(), entry.key)) all.push_back(entry.key);
    });
  }
  std::ranges::sort(all, comes_before);
  const auto rest = std::ranges::unique(all, is_same);
  all.erase(rest.begin(), rest.end());
  return all;
}

saved_key_group::timers saved_key_group::timers_of(byte_view key) const {
  timers found;
  const auto range = std::ranges::equal_range(timers_, key, comes_before, &saved_timer::key);
  for (const auto& each : range)
    (each.is_event_time ? found.event_time : found.processing_time).push_back(each.at);
  std::ranges::sort(found.event_time);
  std::ranges::sort(found.processing_time);
  return found;
}

}  // namespace millrace
