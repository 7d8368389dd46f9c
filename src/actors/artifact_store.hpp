#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "millrace/actors/messages.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/file_system.hpp"
#include "millrace/core/io.hpp"

namespace millrace {

/// Job libraries by the SHA-256 of their bytes, in one directory: "<hash>", and "<hash>.<n>.part"
/// while it is uploaded. A file gets its name only after its hash was verified. What happened is
/// called back, later or at once, with the owner's executor.
///
/// An upload that breaks off goes on where it was: an offer is answered by how much is there.
/// Plain; owned by the dispatcher's actor, which is the executor's owner.
class artifact_store {
 public:
  using status_callback = std::function<void(const result<wire::artifact_status>&)>;
  using chunk_callback = std::function<void(result<wire::artifact_chunk>&)>;

  static constexpr std::uint64_t artifact_bytes_max = std::uint64_t{1} << 30;
  /// Beyond this many unfinished uploads the one that was idle for longest is dropped.
  static constexpr std::size_t uploads_max = 16;

  /// `io` must outlive the store.
  artifact_store(std::string directory, std::shared_ptr<file_system> files, io_executor& io);
  ~artifact_store();

  /// Errors: `invalid_argument` for what is no hash, too large, or offered with another size.
  void offer(const wire::artifact_offer& offer, status_callback done);
  /// Chunks are written one after the other in the order of the calls. Repeating one is fine.
  /// Errors: `protocol` for one that was not offered or leaves a gap, `invalid_data` for the last
  /// one if the hash is wrong (the upload then has to start anew), or those of the file system.
  void append(wire::artifact_chunk chunk, status_callback done);
  /// Errors: `not_found`, `invalid_argument`, or those of the file system.
  void read(const wire::artifact_request& request, chunk_callback done);
  /// Whether all of it is there, as the status says. A file that was there before the process is
  /// read once to verify its hash; a damaged one counts as not there.
  void find(const std::string& sha256, status_callback done);
  /// Removes all others, and what is left of broken uploads. Before the first upload.
  void keep_only(std::set<std::string> hashes, std::function<void()> done);
  /// Where an artifact is once all of it is there.
  std::string path_of(const std::string& sha256) const { return directory_ + "/" + sha256; }

 private:
  struct upload;
  using upload_ptr = std::shared_ptr<upload>;

  upload_ptr begin_upload(const wire::artifact_offer& offer);
  void write_next(const upload_ptr& u);
  void written(const upload_ptr& u, const status& outcome, const status_callback& done);

  std::string directory_;
  std::shared_ptr<file_system> files_;
  io_executor& io_;
  std::map<std::string, std::uint64_t> stored_;  ///< Sizes, by hash.
  std::map<std::string, upload_ptr> uploads_;    ///< By hash.
  std::uint64_t uses_ = 0;
};

}  // namespace millrace
