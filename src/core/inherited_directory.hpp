#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "millrace/core/directory_lock.hpp"
#include "millrace/core/error.hpp"

namespace millrace {

/// A directory for what a process keeps on disk for its successor. Gone with this object, as a
/// process that ends in order has no successor; but one that was killed leaves it to the next that
/// claims one in the same place. To tell them apart each is kept by a directory_lock.
class inherited_directory {
 public:
  /// What nobody has claimed for so long is removed.
  static constexpr std::chrono::hours unclaimed_max{24};

  /// Of the directories "<parent>/<prefix>…" that are this user's and that no process has, the one
  /// that was changed last; if there is none, a new one, "<parent>/<prefix><token>", for its owner
  /// only, with its parents. Errors name the path.
  static result<std::unique_ptr<inherited_directory>> claim(const std::string& parent,
                                                            const std::string& prefix,
                                                            const std::string& token);

  ~inherited_directory();
  inherited_directory(const inherited_directory&) = delete;
  inherited_directory& operator=(const inherited_directory&) = delete;

  /// Where it lies.
  const std::string& path() const noexcept { return path_; }
  /// Whether another process had it.
  bool is_inherited() const noexcept { return is_inherited_; }

 private:
  inherited_directory(std::string path, std::unique_ptr<directory_lock> lock, bool is_inherited)
      : path_(std::move(path)), lock_(std::move(lock)), is_inherited_(is_inherited) {}

  std::string path_;
  std::unique_ptr<directory_lock> lock_;
  bool is_inherited_;
};

}  // namespace millrace
