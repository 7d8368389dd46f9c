#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "millrace/core/codec.hpp"
#include "millrace/state/key_group_sections.hpp"
#include "millrace/state/snapshot_section.hpp"

namespace snapshot_section_test {

using namespace millrace;

namespace {

constexpr key_group_range groups{3, 6};

std::vector<std::byte> some_bytes(std::size_t size, std::mt19937& random) {
  std::vector<std::byte> all(size);
  for (auto& each : all) each = static_cast<std::byte>(random());
  return all;
}

std::vector<byte_writer> written_apart(snapshot_section& section, std::mt19937& random,
                                       std::size_t entries, std::size_t longest) {
  std::vector<byte_writer> apart(groups.size());
  for (; entries > 0; --entries) {
    const auto group = static_cast<std::uint32_t>(random() % groups.size());
    section.select(group);
    const auto size = random() % 20 == 0 ? 1 + random() % longest : 1 + random() % 60;
    const auto key = some_bytes(size, random);
    const auto value = some_bytes(random() % 30, random);
    const encoded_entry entry{key, {}, {}, value};
    put_entry(apart[group], entry);
    if (random() % 2 == 0)
      section.entry(entry.key, entry.ns, entry.map_key, entry.value);
    else
      store_entry(section.room(entry_size(entry)), entry);
  }
  return apart;
}

}  // namespace

TEST_CASE("entries of any length come out of a section as they went in, by group") {
  std::mt19937 random(5);
  for (const std::size_t longest : {60u, 2'000u, 20'000u, 200'000u})
    for (const std::size_t entries : {3u, 200u, 9'000u}) {
      CAPTURE(longest);
      CAPTURE(entries);
      snapshot_section section(groups);
      const auto apart =
          written_apart(section, random, longest > 2'000 ? entries / 9 : entries, longest);
      std::uint64_t all = 0;
      for (std::uint32_t group = 0; group < groups.size(); ++group) {
        CHECK(section.size_of(group) == apart[group].size());
        all += apart[group].size();
      }
      CHECK(section.written() == all);
      std::vector<chunked_bytes> taken;
      for (std::uint32_t group = 0; group < groups.size(); ++group)
        taken.push_back(section.take(group));
      // Given back by another thread, and used again by the next section.
      std::thread([&, taken = std::move(taken)] {
        for (std::uint32_t group = 0; group < groups.size(); ++group)
          CHECK(std::ranges::equal(taken[group].whole().part, apart[group].bytes()));
      }).join();
    }
}

TEST_CASE("the states of a key group are known by its headers alone, wherever it is cut") {
  std::mt19937 random(6);
  const std::vector<std::pair<std::string, std::size_t>> states{
      {"small", 10}, {std::string(9'000, 'n'), 70'000}, {"none", 0}, {"last", 5'000}};
  byte_writer out;
  encode(out, key_group_format, std::uint32_t{4});
  out.put_length(states.size());
  for (const auto& [name, size] : states) {
    state_info info;
    info.name = name;
    put_section_header(out, info, size);
    const auto entries = some_bytes(size, random);
    out.put_bytes(entries.data(), entries.size());
  }
  const std::vector<std::byte> whole(out.bytes().begin(), out.bytes().end());
  const auto in_pieces = [&](std::size_t size) {
    encoded_key_group group{4, {}};
    for (std::size_t at = 0; at < whole.size(); at += size) {
      const auto end = std::min(at + size, whole.size());
      group.bytes.append(
          shared_bytes(std::vector<std::byte>(whole.data() + at, whole.data() + end)));
    }
    return group;
  };
  for (const std::size_t size : {7u, 100u, 4'096u, 30'000u, 1'000'000u}) {
    const auto found = states_in(in_pieces(size));
    REQUIRE(found);
    REQUIRE(found->size() == states.size());
    for (std::size_t i = 0; i < states.size(); ++i) CHECK((*found)[i].name == states[i].first);
  }
  CHECK(states_in({4, {}})->empty());
  CHECK_FALSE(states_in({5, whole}));
  for (const std::size_t size : {std::size_t{1}, std::size_t{5'000}, whole.size() - 1}) {
    const auto cut = states_in({4, std::vector<std::byte>(whole.data(), whole.data() + size)});
    CHECK_FALSE(cut);
  }
}

}  // namespace snapshot_section_test
