#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"

namespace millrace {

/// Small JSON documents by name, "<folder>/<name>", each of which is there as a whole or not at all
/// (Flink's StateHandleStore). What a master must find again is kept in one. Everything blocks:
/// call it from I/O work. Safe to use from any thread, one document at a time.
class document_store {
 public:
  virtual ~document_store() = default;

  /// Makes or replaces a document, durably when it returns. After an error it may be either.
  virtual status put(const std::string& name, const std::string& json) = 0;
  /// `not_found`; `invalid_data` for one that was damaged, with its path.
  virtual result<std::string> get(const std::string& name) = 0;
  /// The names in a folder, without the folder, sorted. None if there is no such folder.
  virtual result<std::vector<std::string>> list(const std::string& folder) = 0;
  /// Fine if there is none.
  virtual status remove(const std::string& name) = 0;
};

/// Lives as long as its process: what a master goes by that has no high availability.
class memory_document_store final : public document_store {
 public:
  status put(const std::string& name, const std::string& json) override;
  result<std::string> get(const std::string& name) override;
  result<std::vector<std::string>> list(const std::string& folder) override;
  status remove(const std::string& name) override;

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> documents_;
};

/// Files below a directory that outlives the process. A file is written under another name, synced
/// and renamed; it has the form that docs/high-availability.md describes.
class directory_document_store final : public document_store {
 public:
  directory_document_store(std::shared_ptr<file_system> files, std::string directory);

  status put(const std::string& name, const std::string& json) override;
  result<std::string> get(const std::string& name) override;
  result<std::vector<std::string>> list(const std::string& folder) override;
  status remove(const std::string& name) override;

 private:
  std::shared_ptr<file_system> files_;
  std::string directory_;
};

}  // namespace millrace
