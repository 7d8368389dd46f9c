#include "millrace/connectors/file_enumerator.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "millrace/core/logging.hpp"

namespace millrace {

namespace {

constexpr std::uint64_t split_bytes_min = 64 * 1024;
constexpr std::uint64_t split_bytes_max = 64 * 1024 * 1024;
/// Several for each reader, so that one that is slow leaves more to the others.
constexpr std::uint64_t splits_per_reader = 4;

}  // namespace

void file_enumerator::start() {
  if (!state_.is_listed || is_endless()) discover();
}

void file_enumerator::on_wake() {
  discover();
}

void file_enumerator::discover() {
  struct listing {
    std::optional<result<std::vector<file_info>>> found;
  };
  auto listed = std::make_shared<listing>();
  context().io().submit(
      [listed, path = path_, files = &context().files()] {
        listed->found.emplace(list_input_files(*files, path));
      },
      [this, listed] { on_listed(*listed->found); });
}

void file_enumerator::on_listed(const result<std::vector<file_info>>& found) {
  if (found) {
    add_files(*found);
    state_.is_listed = true;
  } else if (!is_endless()) {
    throw failure(found.error());
  } else if (!state_.is_listed && !(is_glob(path_) && found.error().code == errc::not_found)) {
    throw failure(found.error());
  } else if (state_.is_listed) {
    log_event(log_level::warn, "can't look for new files",
              {{"operator", context().operator_name()}, {"reason", found.error().message}});
  }
  if (is_endless()) context().wake_at(context().time().now() + *options_.discovery_interval);
  for (std::uint32_t s = 0; s < context().parallelism(); ++s) tell_size(s);
  serve();
}

void file_enumerator::add_files(const std::vector<file_info>& files) {
  std::vector<file_info> fresh;
  for (const auto& file : files)
    if (!is_endless() || state_.known.insert(file.path).second) fresh.push_back(file);
  for (const auto& file : fresh) state_.bytes += file.size;
  auto splits = split_files(fresh, split_bytes_for(fresh));
  state_.waiting.insert(state_.waiting.end(), std::make_move_iterator(splits.begin()),
                        std::make_move_iterator(splits.end()));
}

std::uint64_t file_enumerator::split_bytes_for(const std::vector<file_info>& files) const {
  if (options_.split_bytes != 0) return options_.split_bytes;
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += file.size;
  return std::clamp(bytes / (splits_per_reader * context().parallelism()), split_bytes_min,
                    split_bytes_max);
}

void file_enumerator::add_reader(std::uint32_t subtask) {
  std::erase(asking_, subtask);  // of the attempt before
  tell_size(subtask);
}

void file_enumerator::handle_split_request(std::uint32_t subtask) {
  asking_.push_back(subtask);
  serve();
}

void file_enumerator::add_splits_back(std::vector<file_split> splits, std::uint32_t) {
  state_.waiting.insert(state_.waiting.begin(), std::make_move_iterator(splits.begin()),
                        std::make_move_iterator(splits.end()));
  serve();
}

void file_enumerator::serve() {
  if (!state_.is_listed) return;
  while (!asking_.empty()) {
    const auto subtask = asking_.front();
    if (!state_.waiting.empty()) {
      if (assign(subtask, {state_.waiting.front()})) state_.waiting.pop_front();
    } else if (!is_endless()) {
      context().signal_no_more_splits(subtask);
    } else {
      return;
    }
    asking_.pop_front();
  }
}

void file_enumerator::tell_size(std::uint32_t subtask) {
  if (is_endless() || !state_.is_listed || !context().has_reader(subtask)) return;
  const auto p = context().parallelism();
  context().send_event(
      subtask,
      encode_to_bytes(file_input_size{state_.bytes / p + (subtask < state_.bytes % p ? 1 : 0)}));
}

}  // namespace millrace
