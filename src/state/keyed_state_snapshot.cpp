#include "millrace/state/keyed_state_snapshot.hpp"

#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/state/key_group_sections.hpp"

namespace millrace {

keyed_state_snapshot::keyed_state_snapshot(key_group_range groups, std::vector<part> parts,
                                           std::shared_ptr<database_image> image)
    : groups_(groups), parts_(std::move(parts)), image_(std::move(image)), group_(groups.first) {
  written_.reserve(groups.size());
  for (auto& p : parts_) {
    auto& section = sections_.emplace_back();
    if (p.table == nullptr) continue;
    section = std::make_unique<snapshot_section>(groups);
    p.table->begin_snapshot(*section);
  }
}

keyed_state_snapshot::~keyed_state_snapshot() {
  release();
}

void keyed_state_snapshot::release() noexcept {
  if (std::exchange(is_released_, true)) return;
  for (auto& p : parts_)
    if (p.table != nullptr) p.table->end_snapshot();
}

bool keyed_state_snapshot::write(snapshot_budget& budget) {
  for (; written_.size() < groups_.size(); ++group_, part_ = 0) {
    for (; part_ < parts_.size(); ++part_) {
      auto* table = parts_[part_].table;
      if (table == nullptr) continue;
      sections_[part_]->select(group_ - groups_.first);
      if (!table->write_group(group_, budget)) return false;
    }
    written_.push_back(assemble());
  }
  release();
  return true;
}

std::uint64_t keyed_state_snapshot::entry_bytes(std::size_t which) const {
  if (sections_[which] != nullptr) return sections_[which]->size_of(group_ - groups_.first);
  const auto kept = parts_[which].unclaimed.find(group_);
  std::uint64_t bytes = 0;
  if (kept != parts_[which].unclaimed.end())
    for (const auto& each : kept->second) bytes += each.part.size();
  return bytes;
}

encoded_key_group keyed_state_snapshot::assemble() {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) bytes += entry_bytes(i);
  encoded_key_group made{group_, {}};
  if (bytes == 0) return made;
  byte_writer header;
  encode(header, key_group_format, group_);
  header.put_length(parts_.size());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    put_section_header(header, parts_[i].info, entry_bytes(i));
    made.bytes.append(shared_bytes(std::exchange(header, {}).take()));
    if (sections_[i] != nullptr) {
      made.bytes.append(sections_[i]->take(group_ - groups_.first));
    } else if (const auto kept = parts_[i].unclaimed.find(group_);
               kept != parts_[i].unclaimed.end()) {
      for (const auto& each : kept->second) made.bytes.append(each);
    }
  }
  return made;
}

}  // namespace millrace
