#include "millrace/state/rocksdb_state_backend.hpp"

#include <stdlib.h>

#include <cctype>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "millrace/core/kill_point.hpp"
#include "millrace/state/rocksdb_store.hpp"

namespace millrace {

namespace {

/// Part of a directory's name: what may be in a file's name of an operator's uid.
std::string as_file_name(const std::string& text) {
  constexpr std::size_t longest = 64;
  std::string name = text.substr(0, longest);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
  return name;
}

std::unique_ptr<byte_store> as_byte_store(std::unique_ptr<rocksdb_store> store) {
  return store;
}

}  // namespace

rocksdb_state_backend::rocksdb_state_backend(std::shared_ptr<rocksdb_resources> all)
    : all_(std::move(all)) {}
rocksdb_state_backend::~rocksdb_state_backend() = default;

const std::string& rocksdb_state_backend::directory() const noexcept {
  return all_->directory;
}

result<std::unique_ptr<rocksdb_state_backend>> rocksdb_state_backend::open(
    const rocksdb_options& options) {
  std::error_code failed;
  std::filesystem::create_directories(options.directory, failed);  // mkdtemp says what is wrong
  std::string name = options.directory + "/millrace-state-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr)
    return fail(errno == EACCES ? errc::permission_denied : errc::io,
                "can't create a directory for state in '" + options.directory +
                    "': " + std::generic_category().message(errno) + "; set 'io.tmp.dirs'");
  // RocksDB links files by absolute paths only.
  const auto whole = std::filesystem::absolute(name, failed);
  return std::unique_ptr<rocksdb_state_backend>(
      new rocksdb_state_backend(std::make_shared<rocksdb_resources>(
          failed ? name : whole.string(), options.memory_bytes, options.object_share)));
}

result<std::unique_ptr<byte_store>> rocksdb_state_backend::open_store(
    const keyed_state_environment& who) {
  const auto path = all_->directory + "/" + as_file_name(who.operator_uid) + "-" +
                    std::to_string(who.subtask_index) + "-" +
                    std::to_string(all_->directories_made++);
  return rocksdb_store::create(all_, path, *who.time, who.operator_name).map(as_byte_store);
}

result<std::shared_ptr<database_image>> rocksdb_state_backend::bring(const database_files& from) {
  const auto path = all_->directory + "/restored-" + std::to_string(all_->directories_made++);
  std::error_code failed;
  std::filesystem::create_directory(path, failed);
  // What was copied so far goes with it, whatever happens.
  auto image = std::make_shared<database_image>(path, from.files());
  if (failed)
    return fail(errc::io, "can't create '" + path + "': " + failed.message() +
                              "; check the disk of 'io.tmp.dirs' for space and permissions");
  image->tables = from.tables();
  image->database = all_->directories_made++;
  for (const auto& file : from.files()) {
    if (auto copied = from.copy(file.name, path + "/" + file.name); !copied)
      return tl::unexpected(copied.error());
    pass(kill_point::file_copied);
  }
  return image;
}

result<std::unique_ptr<byte_store>> rocksdb_state_backend::open_image(
    const keyed_state_environment& who, std::shared_ptr<database_image> image) {
  return rocksdb_store::open(all_, std::move(image), *who.time, who.operator_name)
      .map(as_byte_store);
}

result<std::unique_ptr<byte_store>> open_database_files(
    std::shared_ptr<const database_files> from) {
  return rocksdb_store::open_to_read(std::move(from)).map(as_byte_store);
}

}  // namespace millrace
