#include "millrace/connectors/text_target.hpp"

#include <cerrno>
#include <cstdio>
#include <mutex>
#include <system_error>

namespace millrace {

namespace {

class standard_output_target final : public text_target {
 public:
  status write(std::string_view text) override {
    std::lock_guard lock(mutex_);
    // Through stdio, so that what the program itself prints keeps its place.
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
      return {};
    return fail(errc::io,
                "cannot write to standard output: " + std::generic_category().message(errno));
  }

 private:
  std::mutex mutex_;
};

}  // namespace

std::shared_ptr<text_target> standard_output() {
  static const auto target = std::make_shared<standard_output_target>();
  return target;
}

}  // namespace millrace
