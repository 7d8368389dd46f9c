#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/state/state_backend.hpp"

namespace millrace::test {

/// A byte_table in a sorted map, which counts what is done to it.
class memory_byte_table final : public byte_table {
 public:
  using bytes = std::vector<std::byte>;

  bool get(byte_view key, bytes& value) override {
    ++reads;
    const auto found = rows.find(bytes(key.begin(), key.end()));
    if (found == rows.end()) return false;
    value = found->second;
    return true;
  }
  void get_many(std::span<const byte_view> keys,
                const std::function<void(std::size_t, byte_view)>& found) override {
    bytes value;
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (get(keys[i], value)) found(i, value);
  }
  std::unique_ptr<byte_cursor> scan(byte_view prefix) override {
    return std::make_unique<cursor>(rows, bytes(prefix.begin(), prefix.end()));
  }
  std::unique_ptr<byte_batch> new_batch() override { return std::make_unique<batch>(); }
  void write(byte_batch& changes) override {
    for (auto& [key, value] : dynamic_cast<batch&>(changes).changes) {
      ++writes;
      if (on_write) on_write(key);
      if (value)
        rows[key] = std::move(*value);
      else
        rows.erase(key);
    }
    dynamic_cast<batch&>(changes).changes.clear();
  }

  std::map<bytes, bytes> rows;
  std::size_t reads = 0;
  std::size_t writes = 0;
  std::function<void(byte_view)> on_write;  ///< Sees the key of each change, in order.

 private:
  struct batch final : byte_batch {
    void put(byte_view key, byte_view value) override {
      changes.emplace_back(bytes(key.begin(), key.end()), bytes(value.begin(), value.end()));
    }
    void erase(byte_view key) override {
      changes.emplace_back(bytes(key.begin(), key.end()), std::nullopt);
    }
    std::size_t size() const noexcept override { return changes.size(); }

    std::vector<std::pair<bytes, std::optional<bytes>>> changes;
  };

  /// Over a copy: the table may change meanwhile.
  struct cursor final : byte_cursor {
    cursor(const std::map<bytes, bytes>& rows, const bytes& prefix) {
      for (auto at = rows.lower_bound(prefix);
           at != rows.end() && at->first.size() >= prefix.size() &&
           std::equal(prefix.begin(), prefix.end(), at->first.begin());
           ++at)
        found.push_back(*at);
    }
    bool is_valid() const override { return next_row < found.size(); }
    void next() override { ++next_row; }
    byte_view key() const override { return found[next_row].first; }
    byte_view value() const override { return found[next_row].second; }

    std::vector<std::pair<bytes, bytes>> found;
    std::size_t next_row = 0;
  };
};

class memory_byte_store final : public byte_store {
 public:
  explicit memory_byte_store(std::size_t cache_bytes) : cache_bytes_(cache_bytes) {}

  byte_table& table(const std::string& name, std::optional<std::int64_t>) override {
    return tables[name];
  }
  std::size_t object_cache_bytes() const noexcept override { return cache_bytes_; }

  std::map<std::string, memory_byte_table> tables;

 private:
  std::size_t cache_bytes_;
};

/// Keeps state in sorted maps of bytes behind a cache of the given size.
class memory_state_backend final : public state_backend {
 public:
  explicit memory_state_backend(std::size_t cache_bytes) : cache_bytes_(cache_bytes) {}

  std::string_view type() const noexcept override { return "memory"; }
  result<std::unique_ptr<byte_store>> open_store(const keyed_state_environment&) override {
    auto made = std::make_unique<memory_byte_store>(cache_bytes_);
    last_opened = made.get();
    return made;
  }

  memory_byte_store* last_opened = nullptr;

 private:
  std::size_t cache_bytes_;
};

}  // namespace millrace::test
