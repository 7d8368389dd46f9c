#include "millrace/core/known_types.hpp"

#include <map>
#include <mutex>
#include <utility>

namespace millrace {

namespace {

class type_table {
 public:
  static type_table& instance() {
    // Job libraries that are unloaded late may still ask.
    static auto* const table = new type_table;
    return *table;
  }

  void describe(std::uint64_t fingerprint, std::string_view description) {
    std::lock_guard lock(mutex_);
    auto& known = types_[fingerprint].description;
    if (known.empty()) known = description;
  }
  void set_defaults(std::uint64_t fingerprint, record_defaults all) {
    std::lock_guard lock(mutex_);
    types_[fingerprint].defaults = std::move(all);
  }
  std::string description(std::uint64_t fingerprint) {
    std::lock_guard lock(mutex_);
    const auto found = types_.find(fingerprint);
    return found == types_.end() ? std::string() : found->second.description;
  }
  record_defaults defaults(std::uint64_t fingerprint) {
    std::lock_guard lock(mutex_);
    const auto found = types_.find(fingerprint);
    return found == types_.end() ? record_defaults() : found->second.defaults;
  }

 private:
  struct known_type {
    std::string description;
    record_defaults defaults;
  };

  std::mutex mutex_;
  std::map<std::uint64_t, known_type> types_;
};

}  // namespace

void remember_description(std::uint64_t fingerprint, std::string_view description) {
  type_table::instance().describe(fingerprint, description);
}

std::optional<std::string> known_description(std::uint64_t fingerprint) {
  auto description = type_table::instance().description(fingerprint);
  if (description.empty()) return std::nullopt;
  return description;
}

void know_defaults(std::uint64_t fingerprint, record_defaults all) {
  type_table::instance().set_defaults(fingerprint, std::move(all));
}

record_defaults known_defaults(std::uint64_t fingerprint) {
  return type_table::instance().defaults(fingerprint);
}

}  // namespace millrace
