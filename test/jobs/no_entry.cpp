// A shared library that is no job.

#include "says_when_loaded.hpp"

extern "C" int no_job() {
  return 42;
}
