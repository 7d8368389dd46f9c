#include "millrace/checkpoint/local_state.hpp"

#include <utility>

#include "millrace/core/file_system.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/options.hpp"

namespace millrace {

local_state::local_state(std::unique_ptr<inherited_directory> directory)
    : directory_(std::move(directory)),
      copies_(std::make_shared<local_copies>(std::make_shared<local_file_system>(),
                                             directory_->path())) {}

std::unique_ptr<local_state> local_state::open(const configuration& config,
                                               const std::string& token,
                                               std::chrono::steady_clock::time_point now) {
  if (!config.get(options::local_recovery)) return nullptr;
  auto parent = config.get(options::local_state_directory);
  if (parent.empty()) parent = config.get(options::io_tmp_dirs);
  auto directory = inherited_directory::claim(parent, "millrace-local-state-", token);
  if (!directory) {
    log_event(log_level::warn, "goes without local copies of state",
              {{"option", std::string(options::local_state_directory.key)},
               {"reason", directory.error().message}});
    return nullptr;
  }
  std::unique_ptr<local_state> opened(new local_state(std::move(*directory)));
  log_event(log_level::info, "keeps local copies of state",
            {{"path", opened->directory_->path()},
             {"inherited", opened->directory_->is_inherited() ? "true" : "false"}});
  opened->copies_->recover(now);
  return opened;
}

}  // namespace millrace
