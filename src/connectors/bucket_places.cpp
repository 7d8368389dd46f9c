#include "millrace/connectors/bucket_places.hpp"

#include <algorithm>
#include <charconv>

namespace millrace {

namespace {

constexpr std::string_view in_progress = ".inprogress.";

/// Takes `text` off the front of `from`.
bool take(std::string_view& from, std::string_view text) {
  if (!from.starts_with(text)) return false;
  from.remove_prefix(text.size());
  return true;
}

template <class Number>
bool take_number(std::string_view& from, Number& number) {
  const auto [end, problem] = std::from_chars(from.data(), from.data() + from.size(), number);
  if (problem != std::errc()) return false;
  from.remove_prefix(static_cast<std::size_t>(end - from.data()));
  return true;
}

}  // namespace

void part_file_names::check() const {
  if (prefix.empty() || prefix.front() == '.' || (prefix + suffix).find('/') != std::string::npos)
    throw failure(errc::invalid_argument, "part files can't be called '" + prefix + "…" + suffix +
                                              "': the prefix must not be empty or begin with '.', "
                                              "and neither part has a '/'");
}

bucket_places::bucket_places(file_system& files, std::string base, part_file_names names,
                             const runtime_context& self, part_recovery recovery)
    : files_(files),
      base_(without_trailing_slashes(std::move(base))),
      names_(std::move(names)),
      subtask_(self.subtask_index()),
      parallelism_(self.parallelism()),
      attempt_(self.attempt()),
      job_(job_token(self)),
      recovery_(std::move(recovery)) {
  // Subtasks may have changed places: no number that anybody has used may come again.
  for (const auto& [subtask, number] : recovery_.next_numbers)
    next_number_ = std::max(next_number_, number);
}

status bucket_places::start() {
  const auto there = files_.stat(base_);
  if (!there && there.error().code != errc::not_found) return tl::unexpected(there.error());
  if (there && !there->is_directory)
    return fail(errc::invalid_argument, "cannot write part files to '" + base_ +
                                            "': it is a file, and they need a directory; choose "
                                            "another path");
  is_there_ = there ? base_ : nearest_directory(files_, directory_of(base_));
  if (there && attempt_ > 0) return remove_lost_parts(base_);
  return {};
}

status bucket_places::remove_lost_parts(const std::string& directory) {
  auto listed = files_.list(directory);
  if (!listed) return tl::unexpected(listed.error());
  for (const auto& file : *listed) {
    const auto name = file_name_of(file.path);
    if (file.is_directory) {
      if (name.starts_with('.')) continue;
      if (auto ok = remove_lost_parts(file.path); !ok) return ok;
      continue;
    }
    const auto part = parse_hidden(name);
    if (!part || !is_lost(*part)) continue;
    if (auto ok = files_.remove(file.path); !ok && ok.error().code != errc::not_found) return ok;
  }
  return {};
}

/// Files of subtasks that are no more are shared out among those that are. This may look late, when
/// the next attempt writes already.
bool bucket_places::is_lost(const hidden_part& part) const {
  if (!part.is_ours || part.subtask % parallelism_ != subtask_) return false;
  if (part.attempt >= attempt_) return false;
  if (!recovery_.is_restored) return true;
  const auto saved = recovery_.next_numbers.find(part.subtask);
  return saved == recovery_.next_numbers.end() || part.number >= saved->second;
}

std::optional<bucket_places::hidden_part> bucket_places::parse_part(std::string_view name) const {
  hidden_part part;
  if (take(name, names_.prefix) && take(name, "-") && take_number(name, part.subtask) &&
      take(name, "-") && take_number(name, part.number) && name == names_.suffix)
    return part;
  return std::nullopt;
}

std::optional<bucket_places::hidden_part> bucket_places::parse_hidden(std::string_view name) const {
  const auto end = name.rfind(in_progress);
  if (end == std::string_view::npos || !take(name, ".")) return std::nullopt;
  auto part = parse_part(name.substr(0, end - 1));
  const auto who = name.substr(end - 1 + in_progress.size());
  const auto dash = who.rfind('-');
  if (!part || dash == std::string_view::npos) return std::nullopt;
  part->is_ours = who.substr(0, dash) == job_;
  auto attempt = who.substr(dash + 1);
  if (!take_number(attempt, part->attempt) || !attempt.empty()) return std::nullopt;
  return part;
}

bool bucket_places::is_ours(const std::string& working) const {
  const auto part = parse_hidden(file_name_of(working));
  return part && part->is_ours;
}

std::string bucket_places::directory_of_bucket(const std::string& bucket) const {
  return bucket.empty() ? base_ : base_ + '/' + bucket;
}

status bucket_places::prepare_bucket(const std::string& bucket) {
  const auto directory = directory_of_bucket(bucket);
  if (auto ok = make_durable_directories(files_, directory, is_there_); !ok) return ok;
  is_there_ = base_;
  auto listed = files_.list(directory);
  if (!listed) return tl::unexpected(listed.error());
  for (const auto& file : *listed) {
    const auto name = file_name_of(file.path);
    auto part = parse_part(name);
    if (!part) part = parse_hidden(name);
    if (part && part->subtask == subtask_) next_number_ = std::max(next_number_, part->number + 1);
  }
  known_buckets_.insert(bucket);
  return {};
}

result<opened_part> bucket_places::open(const std::string& bucket) {
  if (!known_buckets_.contains(bucket)) {
    if (auto ok = prepare_bucket(bucket); !ok) return tl::unexpected(ok.error());
  }
  const auto directory = directory_of_bucket(bucket);
  const auto name = names_.prefix + '-' + std::to_string(subtask_) + '-' +
                    std::to_string(next_number_) + names_.suffix;
  opened_part part{
      {directory + "/." + name + std::string(in_progress) + job_ + '-' + std::to_string(attempt_),
       directory + '/' + name},
      nullptr};
  auto opened = files_.open_writer(part.name.working, write_mode::create);
  if (!opened) return tl::unexpected(opened.error());
  ++next_number_;
  part.out = *std::move(opened);
  return part;
}

}  // namespace millrace
