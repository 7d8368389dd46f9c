#pragma once

#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/config_option.hpp"
#include "millrace/core/error.hpp"

namespace millrace {

class file_system;

/// Values of options (core/options.hpp) and where each came from. Every value was checked against
/// its option when it was set, so reading never fails. A plain value; not synchronised.
class configuration {
 public:
  /// A value, and who gave it.
  struct setting {
    /// As written.
    std::string value;
    std::string origin;  ///< "<file>:<line>", or what `set` was told.
  };

  /// The value, or the option's default.
  template <class T>
  T get(const config_option<T>& option) const {
    if constexpr (std::is_same_v<T, std::string>) {
      return text_of(option);
    } else if constexpr (std::is_same_v<T, memory_size>) {
      return memory_size{static_cast<std::uint64_t>(number_of(option))};
    } else if constexpr (std::is_same_v<T, decimal>) {
      return decimal{number_of(option)};
    } else {
      return static_cast<T>(number_of(option));
    }
  }

  /// Replaces a value. `invalid_config` for an unknown key (with the one that may have been meant)
  /// or a value that is not of its option's form; the message starts with the origin.
  status set(std::string_view key, std::string value, std::string origin);
  /// "key=value", as in `-D key=value`.
  status set_assignment(std::string_view assignment, const std::string& origin);
  /// Takes every value of `other`, over our own.
  void merge(const configuration& other);

  /// Whether it was set, to its default or not.
  bool has(const option_info& option) const { return settings_.contains(option.key); }
  /// As written, or the default.
  std::string text_of(const option_info& option) const;
  /// "default" if it was not set.
  std::string origin_of(const option_info& option) const;
  /// What was set, by key.
  const std::map<std::string, setting, std::less<>>& settings() const noexcept { return settings_; }
  /// The same as pairs, for messages.
  std::vector<std::pair<std::string, std::string>> pairs() const;

  /// Every option as "key = value  # origin", in a form that `parse_configuration` takes.
  std::string to_text() const;

 private:
  std::int64_t number_of(const option_info& option) const;

  std::map<std::string, setting, std::less<>> settings_;
};

/// Reads a configuration file:
///
///     # the cluster
///     jobmanager.rpc.address = master.example   # behind a space, comments may end a line
///     taskmanager.numberOfTaskSlots: 4
///     io.tmp.dirs = "/a dir/with # in it"
///
/// `invalid_config` for the first line that is wrong, as "<file>:<line>: ...": neither form, an
/// unknown key, a malformed value, a key that is there twice.
result<configuration> parse_configuration(std::string_view text, const std::string& file);

/// The same from a file of at most 1 MiB. Blocks.
result<configuration> load_configuration(file_system& files, const std::string& path);

}  // namespace millrace
