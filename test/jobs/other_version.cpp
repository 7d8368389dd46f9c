// A job library as another version of the engine would make it.

#include "millrace/api/job_entry.hpp"
#include "says_when_loaded.hpp"

namespace {

void build_nothing(millrace::stream_environment&, const millrace::arguments&) {}

}  // namespace

extern "C" {
__attribute__((visibility("default"))) extern const millrace::job_entry millrace_job_entry;
constinit const millrace::job_entry millrace_job_entry{.abi_version = millrace::job_abi_version + 1,
                                                       .engine_version = "99.0.0",
                                                       .build = &build_nothing};
}
