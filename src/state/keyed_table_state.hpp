#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/core/known_types.hpp"
#include "millrace/state/entry_encoder.hpp"
#include "millrace/state/keyed_state_backend_base.hpp"
#include "millrace/state/keyed_table.hpp"
#include "millrace/state/snapshot_section.hpp"
#include "millrace/state/state_namespace.hpp"
#include "millrace/state/state_table.hpp"

namespace millrace {

/// An operator's own keyed_table as the keyed state of that operator, for those that are faster
/// without handles: snapshots see a reducing state of that name.
template <class Key, class T>
class keyed_table_state final : public keyed_state_backend_base {
 public:
  /// `table` outlives it.
  keyed_table_state(keyed_state_environment env, const std::string& name,
                    keyed_table<Key, T>& table)
      : keyed_state_backend_base(std::move(env), fingerprint_of<Key>(), nullptr) {
    add_table(std::make_unique<view>(state_info{.name = name,
                                                .kind = state_kind::reducing,
                                                .serializer_version = codec_version,
                                                .key_type = key_type(),
                                                .namespace_type = fingerprint_of<void_namespace>(),
                                                .value_type = fingerprint_of_stored<T>()},
                                     max_parallelism(), table));
  }

 private:
  class view final : public keyed_state_table, private entry_saver {
   public:
    view(state_info info, std::uint32_t max_parallelism, keyed_table<Key, T>& table)
        : info_(std::move(info)), max_parallelism_(max_parallelism), table_(table) {}

    const state_info& info() const noexcept override { return info_; }

    void for_each_in_group(std::uint32_t group, state_entry_visitor& visitor) override {
      entry_encoder<Key, void_namespace> give(visitor);
      for (const auto& entry : table_.entries_of(group - table_.first_group()))
        give(entry.key, {}, entry.value);
    }

    void begin_snapshot(snapshot_section& to) override {
      section_ = &to;
      give_.emplace(to);
      table_.freeze(*this);
    }
    bool write_group(std::uint32_t group, snapshot_budget& budget) override {
      return table_.write_frozen(group - table_.first_group(), budget);
    }
    void end_snapshot() noexcept override { table_.thaw(); }

    void reserve(std::uint32_t group, std::size_t entries) override {
      table_.reserve(group - table_.first_group(), entries);
    }
    status restore_entry(std::uint32_t group, const state_info&,
                         const encoded_entry& entry) override {
      Key key{};
      void_namespace none;
      if (auto read = read_key(entry, group, max_parallelism_, key, none); !read) return read;
      T value{};
      auto good = decode_bytes_into(entry.value, value);
      if (!good) return good;
      auto [kept, is_new] =
          table_.find_or_make(key_hash(key), key, [&]() -> T { return std::move(value); });
      if (!is_new) kept = std::move(value);
      return good;
    }

   private:
    std::size_t save(std::uint32_t group_offset, std::size_t first, std::size_t end) override {
      section_->select(group_offset);
      const auto before = section_->written();
      const auto& entries = table_.entries_of(group_offset);
      for (auto i = first; i < end; ++i) (*give_)(entries[i].key, {}, entries[i].value);
      return section_->written() - before;
    }

    state_info info_;
    std::uint32_t max_parallelism_;
    keyed_table<Key, T>& table_;
    // Of the snapshot under way.
    snapshot_section* section_ = nullptr;
    std::optional<entry_encoder<Key, void_namespace, snapshot_section>> give_;
  };
};

}  // namespace millrace
