#include "millrace/core/fingerprint.hpp"

#include "millrace/core/known_types.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace millrace {

std::uint64_t fingerprint_of_description(std::string_view description) {
  std::string text = "millrace-codec/" + std::to_string(codec_version) + ":";
  text += description;
  const auto fingerprint = XXH3_64bits(text.data(), text.size());
  remember_description(fingerprint, description);
  return fingerprint;
}

}  // namespace millrace
