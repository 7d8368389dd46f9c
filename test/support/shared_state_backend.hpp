#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/state/state_backend.hpp"

namespace millrace::test {

/// Opens one store of another backend and lets everybody have a part of it, behind a prefix of the
/// keys: opening a database takes longer than most tests. What is left behind stays. Not for state
/// with a time to live, nor for several threads.
class shared_state_backend final : public state_backend {
 public:
  using bytes = std::vector<std::byte>;

  explicit shared_state_backend(std::shared_ptr<state_backend> real) : real_(std::move(real)) {
    auto made = real_->open_store({.operator_name = "shared",
                                   .operator_uid = "shared",
                                   .subtask_index = 0,
                                   .groups = {0, 0},
                                   .max_parallelism = 1,
                                   .time = &unused_});
    if (!made) throw failure(made.error());
    all_ = std::move(*made);
  }

  std::string_view type() const noexcept override { return real_->type(); }
  result<std::unique_ptr<byte_store>> open_store(const keyed_state_environment&) override {
    bytes prefix;
    for (auto n = ++stores_made_; prefix.size() < 4; n >>= 8)
      prefix.push_back(static_cast<std::byte>(n & 0xff));
    return std::make_unique<part>(*all_, std::move(prefix));
  }

 private:
  struct no_clock final : clock {
    std::chrono::steady_clock::time_point now() const noexcept override { return {}; }
    std::int64_t wall_ms() const noexcept override { return 0; }
  };

  static bytes joined(const bytes& prefix, byte_view key) {
    bytes all = prefix;
    all.insert(all.end(), key.begin(), key.end());
    return all;
  }

  struct batch final : byte_batch {
    batch(std::unique_ptr<byte_batch> inner, const bytes& behind)
        : real(std::move(inner)), prefix(behind) {}
    void put(byte_view key, byte_view value) override { real->put(joined(prefix, key), value); }
    void erase(byte_view key) override { real->erase(joined(prefix, key)); }
    std::size_t size() const noexcept override { return real->size(); }

    std::unique_ptr<byte_batch> real;
    const bytes& prefix;
  };

  struct cursor final : byte_cursor {
    cursor(std::unique_ptr<byte_cursor> inner, std::size_t size)
        : real(std::move(inner)), prefix_size(size) {}
    bool is_valid() const override { return real->is_valid(); }
    void next() override { real->next(); }
    byte_view key() const override { return real->key().subspan(prefix_size); }
    byte_view value() const override { return real->value(); }

    std::unique_ptr<byte_cursor> real;
    std::size_t prefix_size;
  };

  struct table_part final : byte_table {
    table_part(byte_table& all, const bytes& behind) : real(all), prefix(behind) {}

    bool get(byte_view key, bytes& value) override { return real.get(joined(prefix, key), value); }
    void get_many(std::span<const byte_view> keys,
                  const std::function<void(std::size_t, byte_view)>& found) override {
      std::vector<bytes> whole;
      for (const auto key : keys) whole.push_back(joined(prefix, key));
      const std::vector<byte_view> views(whole.begin(), whole.end());
      real.get_many(views, found);
    }
    std::unique_ptr<byte_cursor> scan(byte_view of) override {
      return std::make_unique<cursor>(real.scan(joined(prefix, of)), prefix.size());
    }
    std::unique_ptr<byte_batch> new_batch() override {
      return std::make_unique<batch>(real.new_batch(), prefix);
    }
    void write(byte_batch& changes) override { real.write(*dynamic_cast<batch&>(changes).real); }

    byte_table& real;
    const bytes& prefix;
  };

  struct part final : byte_store {
    part(byte_store& store, bytes behind) : all(store), prefix(std::move(behind)) {}
    byte_table& table(const std::string& name, std::optional<std::int64_t> ttl_ms) override {
      auto& found = tables[name];
      if (found == nullptr) found = std::make_unique<table_part>(all.table(name, ttl_ms), prefix);
      return *found;
    }
    std::size_t object_cache_bytes() const noexcept override { return all.object_cache_bytes(); }

    byte_store& all;
    const bytes prefix;
    std::map<std::string, std::unique_ptr<table_part>> tables;
  };

  no_clock unused_;
  std::shared_ptr<state_backend> real_;
  std::unique_ptr<byte_store> all_;
  std::uint32_t stores_made_ = 0;
};

}  // namespace millrace::test
