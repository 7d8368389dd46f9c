#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "millrace/connectors/part_places.hpp"

namespace millrace {

/// How part files are called: `<prefix>-<subtask>-<number><suffix>`.
struct part_file_names {
  /// Begins the name of every part.
  std::string prefix = "part";
  /// Ends it, as ".csv".
  std::string suffix{};

  /// Throws `failure(invalid_argument)` for names that are hidden or have a '/'.
  void check() const;
};

/// Parts in a directory for each bucket below `base`. While it is written and until it is committed
/// a part is hidden: `.<prefix>-<subtask>-<number><suffix>.inprogress.<job>-<attempt>`, where
/// `<job>` stands for one sink of one submission, so that nobody touches what another job has
/// begun. Numbers are never used twice: they go on after a restart, and a new job in an old
/// directory goes on behind what is there.
class bucket_places final : public part_places {
 public:
  /// `files` must outlive this.
  bucket_places(file_system& files, std::string base, part_file_names names,
                const runtime_context& self, part_recovery recovery);

  status start() override;
  result<opened_part> open(const std::string& bucket) override;
  bool is_ours(const std::string& working) const override;
  std::uint64_t next_number() const noexcept override { return next_number_; }

  /// Numbers below are taken, though no file shows it.
  void skip_to(std::uint64_t number) noexcept { next_number_ = std::max(next_number_, number); }

 private:
  /// What the name of a file in progress says.
  struct hidden_part {
    std::uint32_t subtask = 0;
    std::uint64_t number = 0;
    std::uint32_t attempt = 0;
    bool is_ours = true;
  };

  std::string directory_of_bucket(const std::string& bucket) const;
  status prepare_bucket(const std::string& bucket);
  status remove_lost_parts(const std::string& directory);
  bool is_lost(const hidden_part& part) const;
  /// The numbers in "<prefix>-<subtask>-<number><suffix>".
  std::optional<hidden_part> parse_part(std::string_view name) const;
  std::optional<hidden_part> parse_hidden(std::string_view name) const;

  file_system& files_;
  std::string base_;
  part_file_names names_;
  std::uint32_t subtask_;
  std::uint32_t parallelism_;
  std::uint32_t attempt_;
  std::string job_;
  part_recovery recovery_;
  std::uint64_t next_number_ = 0;
  std::string is_there_;  // a directory at the base or above that a power cut would not take away
  std::set<std::string> known_buckets_;
};

}  // namespace millrace
