#include "millrace/state/rocksdb_image_files.hpp"

#include <rocksdb/file_system.h>
#include <rocksdb/io_status.h>

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

IOStatus status_of(const error& why) {
  return why.code == errc::not_found ? IOStatus::PathNotFound(why.message)
                                     : IOStatus::IOError(why.message);
}

IOStatus refused() {
  return IOStatus::NotSupported("the files of a snapshot are only read");
}

IOStatus read(file_reader& file, std::uint64_t offset, std::size_t n, rocksdb::Slice* result,
              char* scratch) {
  const auto got = file.read_at(offset, std::as_writable_bytes(std::span(scratch, n)));
  if (!got) return status_of(got.error());
  *result = rocksdb::Slice(scratch, *got);
  return IOStatus::OK();
}

class random_access_file final : public rocksdb::FSRandomAccessFile {
 public:
  explicit random_access_file(std::unique_ptr<file_reader> file) : file_(std::move(file)) {}

  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions&, rocksdb::Slice* result,
                char* scratch, IODebugContext*) const override {
    return read(*file_, offset, n, result, scratch);
  }

 private:
  std::unique_ptr<file_reader> file_;
};

class sequential_file final : public rocksdb::FSSequentialFile {
 public:
  explicit sequential_file(std::unique_ptr<file_reader> file) : file_(std::move(file)) {}

  IOStatus Read(std::size_t n, const IOOptions&, rocksdb::Slice* result, char* scratch,
                IODebugContext*) override {
    auto done = read(*file_, at_, n, result, scratch);
    if (done.ok()) at_ += result->size();
    return done;
  }
  IOStatus Skip(std::uint64_t n) override {
    at_ += n;
    return IOStatus::OK();
  }

 private:
  std::unique_ptr<file_reader> file_;
  std::uint64_t at_ = 0;
};

class image_file_system final : public rocksdb::FileSystemWrapper {
 public:
  explicit image_file_system(std::shared_ptr<const database_files> from)
      : FileSystemWrapper(FileSystem::Default()), from_(std::move(from)) {}

  const char* Name() const override { return "millrace.image"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* made,
                             IODebugContext*) override {
    return open<sequential_file>(path, made);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* made,
                               IODebugContext*) override {
    return open<random_access_file>(path, made);
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    return path == rocksdb_image_path || find(path) != nullptr ? IOStatus::OK()
                                                               : IOStatus::NotFound(path);
  }
  IOStatus GetChildren(const std::string& directory, const IOOptions&,
                       std::vector<std::string>* names, IODebugContext*) override {
    names->clear();
    if (directory != rocksdb_image_path) return IOStatus::NotFound(directory);
    for (const auto& file : from_->files()) names->push_back(file.name);
    return IOStatus::OK();
  }
  IOStatus GetChildrenFileAttributes(const std::string& directory, const IOOptions&,
                                     std::vector<rocksdb::FileAttributes>* all,
                                     IODebugContext*) override {
    all->clear();
    if (directory != rocksdb_image_path) return IOStatus::NotFound(directory);
    for (const auto& file : from_->files()) all->push_back({file.name, file.bytes});
    return IOStatus::OK();
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size,
                       IODebugContext*) override {
    const auto* file = find(path);
    if (file == nullptr) return IOStatus::NotFound(path);
    *size = file->bytes;
    return IOStatus::OK();
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, std::uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute,
                           IODebugContext*) override {
    *absolute = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory,
                       IODebugContext*) override {
    *is_directory = path == rocksdb_image_path;
    return IOStatus::OK();
  }

  IOStatus NewWritableFile(const std::string&, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return refused();
  }
  IOStatus NewDirectory(const std::string&, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>*, IODebugContext*) override {
    return refused();
  }
  IOStatus CreateDir(const std::string&, const IOOptions&, IODebugContext*) override {
    return refused();
  }
  IOStatus CreateDirIfMissing(const std::string&, const IOOptions&, IODebugContext*) override {
    return refused();
  }
  IOStatus DeleteFile(const std::string&, const IOOptions&, IODebugContext*) override {
    return refused();
  }
  IOStatus RenameFile(const std::string&, const std::string&, const IOOptions&,
                      IODebugContext*) override {
    return refused();
  }

 private:
  static std::string_view name_of(const std::string& path) {
    return std::string_view(path).substr(path.rfind('/') + 1);
  }

  const database_file* find(const std::string& path) const {
    const auto name = name_of(path);
    const auto& all = from_->files();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& file) { return file.name == name; });
    return found == all.end() ? nullptr : &*found;
  }

  template <class File, class Interface>
  IOStatus open(const std::string& path, std::unique_ptr<Interface>* made) {
    const auto* file = find(path);
    if (file == nullptr) return IOStatus::PathNotFound(path);
    auto opened = from_->open(file->name);
    if (!opened) return status_of(opened.error());
    *made = std::make_unique<File>(std::move(*opened));
    return IOStatus::OK();
  }

  std::shared_ptr<const database_files> from_;
};

class silent_log final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, std::va_list) override {}
};

}  // namespace

std::unique_ptr<rocksdb::Env> rocksdb_image_env(std::shared_ptr<const database_files> from) {
  return rocksdb::NewCompositeEnv(std::make_shared<image_file_system>(std::move(from)));
}

std::shared_ptr<rocksdb::Logger> rocksdb_silent_log() {
  return std::make_shared<silent_log>();
}

}  // namespace millrace
