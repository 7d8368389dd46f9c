#include "millrace/connectors/fixed_place.hpp"

#include <charconv>
#include <optional>
#include <string_view>

namespace millrace {

namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The number that a subtask's file is named by; 0 if it is none.
std::uint32_t subtask_number(const std::string& path) {
  return parse_number<std::uint32_t>(file_name_of(path)).value_or(0);
}

tl::unexpected<error> exists(const std::string& what) {
  return fail(errc::invalid_argument, "cannot write to '" + what +
                                          "': it exists already; choose another path, or ask for "
                                          "file_write_mode::overwrite");
}

}  // namespace

fixed_place::fixed_place(file_system& files, std::string path, const runtime_context& self,
                         file_write_mode mode, const part_recovery& recovery)
    : files_(files),
      path_(without_trailing_slashes(std::move(path))),
      subtask_(self.subtask_index()),
      parallelism_(self.parallelism()),
      attempt_(self.attempt()),
      mode_(mode),
      is_restored_(recovery.is_restored) {
  final_path_ = parallelism_ == 1 ? path_ : path_ + '/' + std::to_string(subtask_ + 1);
  directory_ = directory_of(final_path_);
  working_prefix_ = '.' + file_name_of(final_path_) + ".inprogress." + job_token(self) + '-';
  if (!is_restored_) return;
  if (!recovery.next_numbers.contains(subtask_) &&
      (recovery.parallelism == parallelism_ || recovery.next_numbers.empty()))
    throw failure(
        errc::invalid_argument,
        "the output in '" + final_path_ +
            "' was complete in the checkpoint that the job begins with, and nothing can be "
            "added to it: give this sink another path and uid, or use sink_to(file_sink), "
            "which writes any number of files");
  if (recovery.parallelism != parallelism_)
    throw failure(errc::invalid_argument,
                  "the output in '" + path_ + "' can't be continued with parallelism " +
                      std::to_string(parallelism_) + " after " +
                      std::to_string(recovery.parallelism) +
                      ": its files are named by subtask; keep the parallelism of this sink, or use "
                      "sink_to(file_sink), which has no such limit");
  next_number_ = recovery.next_numbers.at(subtask_);
}

status fixed_place::start() {
  if (is_restored_) return remove_lost_files();
  if (auto ok = parallelism_ == 1 ? check_place() : prepare_directory(); !ok) return ok;
  if (auto ok = make_directory(); !ok) return ok;
  return attempt_ > 0 ? remove_lost_files() : status();
}

status fixed_place::check_place() {
  const auto there = files_.stat(final_path_);
  if (!there)
    return there.error().code == errc::not_found ? status() : tl::unexpected(there.error());
  if (there->is_directory)
    return fail(errc::invalid_argument, "cannot write to '" + final_path_ +
                                            "': it is a directory, and with parallelism 1 the "
                                            "output is a file");
  if (mode_ == file_write_mode::no_overwrite) return exists(final_path_);
  return {};
}

status fixed_place::prepare_directory() {
  const auto there = files_.stat(path_);
  if (!there)
    return there.error().code == errc::not_found ? status() : tl::unexpected(there.error());
  if (!there->is_directory) {
    if (mode_ == file_write_mode::no_overwrite) return exists(path_);
    // Any subtask may be the one that removes it.
    if (auto removed = files_.remove(path_); !removed && removed.error().code != errc::not_found)
      return removed;
    return {};
  }
  if (mode_ == file_write_mode::overwrite)
    return subtask_ == 0 ? remove_files_of_more_subtasks() : status();
  if (files_.stat(final_path_)) return exists(final_path_);
  auto listed = files_.list(path_);
  if (!listed) return tl::unexpected(listed.error());
  for (const auto& file : *listed)
    if (subtask_number(file.path) > parallelism_) return exists(file.path);
  return {};
}

status fixed_place::make_directory() {
  return make_durable_directories(files_, directory_, nearest_directory(files_, directory_));
}

/// What an earlier run with a higher parallelism left would pass for output of this one.
status fixed_place::remove_files_of_more_subtasks() {
  auto listed = files_.list(path_);
  if (!listed) return tl::unexpected(listed.error());
  for (const auto& file : *listed) {
    if (subtask_number(file.path) <= parallelism_) continue;
    if (auto removed = files_.remove(file.path); !removed) return removed;
  }
  return {};
}

/// What attempts have begun after the checkpoint.
status fixed_place::remove_lost_files() {
  auto listed = files_.list(directory_);
  if (!listed) {
    if (listed.error().code == errc::not_found) return make_directory();
    return tl::unexpected(listed.error());
  }
  for (const auto& file : *listed) {
    if (!is_lost(file_name_of(file.path))) continue;
    if (auto ok = files_.remove(file.path); !ok && ok.error().code != errc::not_found) return ok;
  }
  return {};
}

bool fixed_place::is_ours(const std::string& working) const {
  return file_name_of(working).starts_with(working_prefix_);
}

/// Of the checkpoint are those with lower numbers. This may look late, when the next attempt writes
/// already.
bool fixed_place::is_lost(const std::string& name) const {
  if (!is_ours(name)) return false;
  const auto rest = std::string_view(name).substr(working_prefix_.size());
  const auto dash = rest.find('-');
  if (dash == std::string_view::npos) return false;
  const auto number = parse_number<std::uint64_t>(rest.substr(0, dash));
  const auto attempt = parse_number<std::uint32_t>(rest.substr(dash + 1));
  return number && *number >= next_number_ && attempt && *attempt < attempt_;
}

result<opened_part> fixed_place::open(const std::string&) {
  const auto beside = final_path_.substr(0, final_path_.rfind('/') + 1);
  opened_part part{
      {beside + working_prefix_ + std::to_string(next_number_) + '-' + std::to_string(attempt_),
       final_path_},
      nullptr};
  auto opened = files_.open_writer(part.name.working, write_mode::create);
  if (!opened) return tl::unexpected(opened.error());
  ++next_number_;
  part.out = *std::move(opened);
  return part;
}

}  // namespace millrace
