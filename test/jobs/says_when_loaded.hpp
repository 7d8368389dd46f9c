#pragma once

#include <cstdio>

namespace {

/// Prints when the library that includes this is loaded: for those that must not be.
const struct load_announcement {
  load_announcement() {
    std::puts("a library that must not be loaded was loaded");
    std::fflush(stdout);
  }
} announcement;

}  // namespace
