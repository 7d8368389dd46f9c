#pragma once

#include <span>
#include <string_view>

namespace millrace {

/// The word nearest to `typed` by edit distance (Damerau's, adjacent swaps count once; upper and
/// lower case are alike), or empty if none is near enough to be what was meant: at most a third of
/// the letters differ.
std::string_view nearest_word(std::string_view typed, std::span<const std::string_view> words);

/// The number of insertions, deletions, replacements and swaps of neighbours between two words, in
/// ASCII without regard to case (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace millrace
