#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/actors/messages.hpp"
#include "millrace/core/error.hpp"

namespace millrace {

/// How far the download of one artifact is: which chunk to ask for, and whether the answer fits.
/// The bytes themselves go by. Plain; owned by whoever downloads.
class artifact_download {
 public:
  explicit artifact_download(std::string sha256) : sha256_(std::move(sha256)) {}

  wire::artifact_request next_request() const { return {sha256_, offset_}; }

  /// Judges the answer to next_request() and moves on. Errors: `protocol`.
  status accept(const wire::artifact_chunk& chunk);

  bool is_complete() const noexcept { return started_ && offset_ == size_; }
  std::uint64_t received() const noexcept { return offset_; }
  std::uint64_t size() const noexcept { return size_; }
  const std::string& sha256() const noexcept { return sha256_; }

 private:
  std::string sha256_;
  std::uint64_t offset_ = 0;
  std::uint64_t size_ = 0;
  bool started_ = false;  // the size is known
};

/// Whether a text is what an artifact may be called: 64 lower-case hex digits. Names become file
/// names, so nothing else may pass.
bool is_artifact_name(std::string_view text) noexcept;

}  // namespace millrace
