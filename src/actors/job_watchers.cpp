#include "millrace/actors/job_watchers.hpp"

#include <algorithm>
#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>

namespace millrace {

namespace {

template <class Handle>
auto control_block_of(const Handle& handle) {
  return caf::actor_cast<caf::actor_control_block*>(handle);
}

}  // namespace

void job_watchers::add(const job_id& job, const caf::actor& watcher) {
  if (!is_watching(watcher)) self_.monitor(watcher);
  auto& all = watchers_[job];
  std::erase(all, watcher);
  all.push_back(watcher);
}

void job_watchers::remove(const caf::actor_addr& watcher) {
  for (auto& [job, all] : watchers_)
    std::erase_if(all,
                  [&](const auto& w) { return control_block_of(w) == control_block_of(watcher); });
  std::erase_if(watchers_, [](const auto& job) { return job.second.empty(); });
}

std::vector<caf::actor> job_watchers::take(const job_id& job) {
  auto its = watchers_.extract(job);
  if (!its) return {};
  for (const auto& watcher : its.mapped())
    if (!is_watching(watcher)) self_.demonitor(watcher);
  return std::move(its.mapped());
}

bool job_watchers::is_watching(const caf::actor& watcher) const {
  return std::any_of(watchers_.begin(), watchers_.end(), [&](const auto& job) {
    return std::any_of(job.second.begin(), job.second.end(), [&](const auto& w) {
      return control_block_of(w) == control_block_of(watcher);
    });
  });
}

}  // namespace millrace
