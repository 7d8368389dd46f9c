#include "millrace/checkpoint/local_restore.hpp"

#include "millrace/core/logging.hpp"

namespace millrace {

std::optional<std::string> local_restore::copy_of(const std::string& original) const {
  if (copies_ == nullptr) return std::nullopt;
  {
    std::lock_guard lock(mutex_);
    if (unusable_.contains(original)) return std::nullopt;
  }
  return copies_->path_of(original);
}

void local_restore::pass_over(const std::string& original, const std::string& copy,
                              const error& why) {
  {
    std::lock_guard lock(mutex_);
    if (!unusable_.insert(original).second) return;
  }
  log_event(why.code == errc::not_found ? log_level::debug : log_level::warn,
            "a local copy of state can't be used, the original is read",
            {{"copy", copy}, {"original", original}, {"reason", why.message}});
}

}  // namespace millrace
