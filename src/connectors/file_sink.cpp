#include "millrace/connectors/file_sink.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace millrace {

namespace {

/// The number that a subtask's file is named by.
std::optional<std::uint32_t> subtask_number(const std::string& path) {
  const auto name = std::string_view(path).substr(path.rfind('/') + 1);
  std::uint32_t number = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (problem != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

tl::unexpected<error> exists(const std::string& what) {
  return fail(errc::invalid_argument, "cannot write to '" + what +
                                          "': it exists already; choose another path, or ask for "
                                          "file_write_mode::overwrite");
}

}  // namespace

file_target::file_target(file_system& files, std::string path, std::uint32_t subtask,
                         std::uint32_t parallelism, file_write_mode mode)
    : files_(files),
      path_(std::move(path)),
      subtask_(subtask),
      parallelism_(parallelism),
      mode_(mode) {
  while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
  final_path_ = parallelism_ == 1 ? path_ : path_ + '/' + std::to_string(subtask_ + 1);
  const auto slash = final_path_.rfind('/');
  directory_ =
      slash == std::string::npos ? "." : final_path_.substr(0, std::max(slash, std::size_t{1}));
  const auto name = slash == std::string::npos ? final_path_ : final_path_.substr(slash + 1);
  working_path_ = (slash == std::string::npos ? "" : final_path_.substr(0, slash + 1)) + '.' +
                  name + ".inprogress";
}

status file_target::open() {
  if (auto ok = parallelism_ == 1 ? check_place() : prepare_directory(); !ok) return ok;
  if (auto ok = files_.create_directories(directory_); !ok) return ok;
  auto opened = files_.open_writer(working_path_, write_mode::truncate);
  if (!opened) return tl::unexpected(opened.error());
  out_ = *std::move(opened);
  return {};
}

status file_target::check_place() {
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

status file_target::prepare_directory() {
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
    if (subtask_number(file.path).value_or(0) > parallelism_) return exists(file.path);
  return {};
}

/// What an earlier run with a higher parallelism left would pass for output of this one.
status file_target::remove_files_of_more_subtasks() {
  auto listed = files_.list(path_);
  if (!listed) return tl::unexpected(listed.error());
  for (const auto& file : *listed) {
    if (subtask_number(file.path).value_or(0) <= parallelism_) continue;
    if (auto removed = files_.remove(file.path); !removed) return removed;
  }
  return {};
}

status file_target::write(std::string_view text) {
  return out_->append(std::as_bytes(std::span(text)));
}

status file_target::commit() {
  if (auto ok = out_->sync(); !ok) return ok;
  if (auto ok = out_->close(); !ok) return ok;
  if (auto ok = files_.rename(working_path_, final_path_); !ok) return ok;
  out_.reset();
  return files_.sync_directory(directory_);
}

void file_target::abort() noexcept {
  if (!out_) return;
  out_.reset();
  static_cast<void>(files_.remove(working_path_));
}

}  // namespace millrace
