#include "millrace/state/rocksdb_image_maker.hpp"

#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "millrace/core/kill_point.hpp"
#include "millrace/state/rocksdb_check.hpp"

namespace millrace {

namespace {

/// How large the log may get: whoever restores it has to write all of it once more, two seconds for
/// the largest. Of the base at most this part, as the base must be stored again when it is too
/// large.
constexpr std::uint64_t log_share = 2;
constexpr std::uint64_t smallest_log_bytes = 1u << 20;
constexpr std::uint64_t largest_log_bytes = 64u << 20;
/// How many files it may have: each checkpoint has all of them.
constexpr std::ptrdiff_t log_files_max = 64;

/// Whether a database needs the file. Of what a checkpoint of RocksDB has, its options are for
/// people, and its own log is empty, as nothing is written to it: what is_change_log are ours.
bool is_needed(const database_file& file) {
  return file.name.ends_with(".sst") || file.name == "CURRENT" ||
         file.name.starts_with("MANIFEST-");
}

result<std::vector<database_file>> files_of_checkpoint(const std::string& directory) {
  std::vector<database_file> files;
  std::error_code failed;
  for (std::filesystem::directory_iterator each(directory, failed), end; !failed && each != end;
       each.increment(failed)) {
    database_file file{each->path().filename().string(), each->file_size(failed)};
    if (failed) break;
    if (is_needed(file)) files.push_back(std::move(file));
  }
  if (failed) return fail(errc::io, "can't look into '" + directory + "': " + failed.message());
  return files;
}

/// Where there are no links, a copy does.
std::error_code link_or_copy(const std::string& from, const std::string& to) {
  std::error_code failed;
  std::filesystem::create_hard_link(from, to, failed);
  if (failed) std::filesystem::copy_file(from, to, failed);
  return failed;
}

}  // namespace

rocksdb_image_maker::rocksdb_image_maker(std::shared_ptr<rocksdb_resources> all, std::string path,
                                         std::uint64_t database)
    : all_(std::move(all)), path_(std::move(path)), database_(database), log_(new_directory()) {}

std::string rocksdb_image_maker::new_directory() const {
  return all_->directory + "/image-" + std::to_string(all_->directories_made++);
}

void rocksdb_image_maker::keep(const database_image& image) {
  auto kept = linked(image);
  if (kept) base_ = std::move(*kept);  // else the next image is made without
}

void rocksdb_image_maker::opened(rocksdb::DB& db) {
  if (base_ != nullptr) begin(db, std::exchange(base_, nullptr));
}

void rocksdb_image_maker::begin(rocksdb::DB& db, std::shared_ptr<database_image> base) {
  std::uint64_t logged = 0;
  std::uint64_t others = 0;
  for (const auto& file : base->files()) (is_change_log(file) ? logged : others) += file.bytes;
  const auto most = std::clamp(others / log_share, smallest_log_bytes, largest_log_bytes);
  std::unique_ptr<rocksdb::LogFile> current;
  check_rocksdb(db.GetCurrentWalFile(&current), "freeze", path_);
  log_.begin(current->LogNumber(), most - std::min(most, logged));
  base_ = std::move(base);
}

void rocksdb_image_maker::forget_base() noexcept {
  base_.reset();
  log_.end();
}

void rocksdb_image_maker::written(const rocksdb::WriteBatch& changes,
                                  rocksdb::SequenceNumber first) {
  if (base_ == nullptr) return;
  log_.append(changes.Data(), first);
  if (!log_.is_complete()) forget_base();
}

std::shared_ptr<database_image> rocksdb_image_maker::make(rocksdb::DB& db) {
  log_.cut();
  if (base_ == nullptr || !log_.is_complete() ||
      std::ranges::count_if(base_->files(), is_change_log) + std::ssize(log_.files()) >
          log_files_max)
    make_base(db);
  auto image = linked(*base_);
  if (!image) throw failure(image.error());
  (*image)->database = database_;
  pass(kill_point::image_linked);
  return std::move(*image);
}

void rocksdb_image_maker::make_base(rocksdb::DB& db) {
  forget_base();
  const auto path = new_directory();
  rocksdb::Checkpoint* maker = nullptr;
  check_rocksdb(rocksdb::Checkpoint::Create(&db, &maker), "freeze", path_);
  const std::unique_ptr<rocksdb::Checkpoint> owned(maker);
  check_rocksdb(owned->CreateCheckpoint(path), "freeze", path_);
  auto files = files_of_checkpoint(path);
  auto made = std::make_shared<database_image>(
      path, files ? std::move(*files) : std::vector<database_file>());
  if (!files) throw failure(files.error());
  pass(kill_point::base_made);
  begin(db, std::move(made));
}

result<std::shared_ptr<database_image>> rocksdb_image_maker::linked(
    const database_image& base) const {
  const auto path = new_directory();
  auto files = base.files();
  const auto of_base = files.size();
  files.insert(files.end(), log_.files().begin(), log_.files().end());
  std::error_code failed;
  std::filesystem::create_directory(path, failed);
  for (std::size_t i = 0; !failed && i < files.size(); ++i)
    failed = link_or_copy((i < of_base ? base.directory() : log_.directory()) + "/" + files[i].name,
                          path + "/" + files[i].name);
  std::ranges::sort(files, {}, &database_file::name);
  auto image = std::make_shared<database_image>(path, std::move(files));
  if (failed)
    return fail(errc::io, "can't freeze the state in '" + path_ + "': " + failed.message() +
                              "; check the disk of 'io.tmp.dirs' for space and errors");
  return image;
}

}  // namespace millrace
