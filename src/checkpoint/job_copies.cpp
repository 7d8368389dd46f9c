#include "millrace/checkpoint/job_copies.hpp"

#include <charconv>
#include <cstdint>
#include <string_view>

#include "millrace/checkpoint/file_tree.hpp"
#include "millrace/checkpoint/task_state_store.hpp"
#include "millrace/core/kill_point.hpp"

namespace millrace {

namespace {

/// Takes a number that is not 0 off the front.
bool take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || number == 0) return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// "chk-<n>/<file>" or "shared/<n>/<file>", and nothing that leads elsewhere.
bool is_copy_name(std::string_view name) {
  if (!take(name, "chk-") && !take(name, "shared/")) return false;
  if (!take_number(name) || !take(name, "/")) return false;
  return name.find('/') == std::string_view::npos && subtask_of_state_file(name).has_value();
}

}  // namespace

/// Writes to both. Gives the copy up when writing it fails.
class job_copies::copying_writer final : public file_writer {
 public:
  copying_writer(std::unique_ptr<file_writer> original, std::unique_ptr<file_writer> copy,
                 std::string path, std::shared_ptr<local_copies> all, const job_id& job)
      : original_(std::move(original)),
        copy_(std::move(copy)),
        path_(std::move(path)),
        all_(std::move(all)),
        job_(job) {}
  ~copying_writer() override {
    if (copy_ != nullptr) give_up();
    all_->end_write(job_);
  }

  status append(std::span<const std::byte> bytes) override {
    auto done = original_->append(bytes);
    if (!done) return done;
    if (copy_ != nullptr) settle(copy_->append(bytes), false);
    return done;
  }
  status sync() override { return original_->sync(); }
  status close() override {
    auto done = original_->close();
    if (!done) return done;
    if (copy_ != nullptr) settle(copy_->close(), true);
    return done;
  }

 private:
  void settle(const status& done, bool is_last) {
    if (!done)
      give_up();
    else if (is_last)
      copy_.reset();
    else
      return;
    all_->note_write(done);
  }
  /// Half a copy takes room, and is of no use.
  void give_up() {
    copy_.reset();
    static_cast<void>(all_->disk().remove(path_));
  }

  std::unique_ptr<file_writer> original_;
  std::unique_ptr<file_writer> copy_;  // null when it is closed or given up
  std::string path_;
  std::shared_ptr<local_copies> all_;
  job_id job_;
};

std::optional<std::string> job_copies::name_of(const std::string& original) const {
  std::string_view name = original;
  if (!take(name, originals_) || !take(name, "/") || !is_copy_name(name)) return std::nullopt;
  return std::string(name);
}

std::optional<std::string> job_copies::path_of(const std::string& original) const {
  auto name = name_of(original);
  if (name) *name = all_->directory_of(job_) + "/" + *name;
  return name;
}

std::unique_ptr<file_writer> job_copies::copy(std::unique_ptr<file_writer> original,
                                              const std::string& path) {
  const auto to = path_of(path);
  if (!to || !all_->begin_write(job_)) return original;
  auto& to_disk = disk();
  // What is in the way may be a link to another file, which is not to be written to.
  static_cast<void>(to_disk.remove(*to));
  if (auto made = to_disk.create_directories(parent_of(*to)); !made) {
    all_->note_write(made);
  } else if (to_disk.link(path, *to)) {
    // Both names are of the file that is being written.
    all_->note_write({});
    pass(kill_point::copy_begun);
  } else {
    auto copy = to_disk.open_writer(*to, write_mode::create);
    if (copy) {
      pass(kill_point::copy_begun);
      return std::make_unique<copying_writer>(std::move(original), std::move(*copy), *to, all_,
                                              job_);
    }
    all_->note_write(tl::unexpected(copy.error()));
  }
  all_->end_write(job_);
  return original;
}

void job_copies::need(checkpoint_id checkpoint, const std::vector<std::string>& originals) {
  std::vector<std::string> names;
  for (const auto& original : originals)
    if (auto name = name_of(original)) names.push_back(std::move(*name));
  all_->need(job_, checkpoint, names);
}

result<std::unique_ptr<file_writer>> copied_files::open_writer(const std::string& path,
                                                               write_mode mode) {
  auto file = originals_->open_writer(path, mode);
  if (!file || mode != write_mode::create) return file;
  return copies_->copy(std::move(*file), path);
}

}  // namespace millrace
