#include "millrace/state/keyed_state_snapshot.hpp"

#include <algorithm>
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
    if (!assemble(budget)) return false;
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

void keyed_state_snapshot::add_entries(std::size_t which, std::vector<piece>& to) {
  if (sections_[which] != nullptr) {
    for (auto& taken : sections_[which]->take(group_ - groups_.first)) {
      const byte_view bytes(taken);  // stay where they are when the vector is moved
      to.push_back({std::move(taken), bytes});
    }
    return;
  }
  const auto kept = parts_[which].unclaimed.find(group_);
  if (kept == parts_[which].unclaimed.end()) return;
  for (const auto& each : kept->second)
    for (auto rest = each.part; !rest.empty();) {
      const auto next = rest.first(std::min(rest.size(), snapshot_section::piece_bytes));
      to.push_back({{}, next});
      rest = rest.subspan(next.size());
    }
}

keyed_state_snapshot::assembly keyed_state_snapshot::begin_assembly() {
  assembly begun;
  const auto add_header = [&](byte_writer&& header) {
    auto owned = std::move(header).take();
    const byte_view bytes(owned);
    begun.pieces.push_back({std::move(owned), bytes});
  };
  byte_writer of_group;
  encode(of_group, key_group_format, group_);
  of_group.put_length(parts_.size());
  add_header(std::move(of_group));
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    byte_writer of_section;
    put_section_header(of_section, parts_[i].info, entry_bytes(i));
    add_header(std::move(of_section));
    add_entries(i, begun.pieces);
  }
  std::size_t size = 0;
  for (const auto& p : begun.pieces) size += p.bytes.size();
  begun.bytes.reserve(size);
  return begun;
}

bool keyed_state_snapshot::assemble(snapshot_budget& budget) {
  // Copying takes a fraction of the time of encoding.
  constexpr std::size_t copied_per_encoded = 8;
  if (!assembly_) {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) bytes += entry_bytes(i);
    if (bytes == 0) {
      written_.push_back({group_, {}});
      return true;
    }
    assembly_ = begin_assembly();
  }
  for (; assembly_->next < assembly_->pieces.size(); ++assembly_->next) {
    if (budget.is_spent()) return false;
    auto& from = assembly_->pieces[assembly_->next];
    assembly_->bytes.insert(assembly_->bytes.end(), from.bytes.begin(), from.bytes.end());
    budget.spend(from.bytes.size() / copied_per_encoded);
    from = piece();
  }
  written_.push_back({group_, std::move(assembly_->bytes)});
  assembly_.reset();
  return true;
}

}  // namespace millrace
