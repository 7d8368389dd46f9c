// A job library as another build of the same version of the engine would make it.

#include "millrace/api/job_entry.hpp"
#include "says_when_loaded.hpp"

namespace {

void build_nothing(millrace::stream_environment&, const millrace::arguments&) {}

}  // namespace

extern "C" {
__attribute__((visibility("default"))) extern const millrace::job_entry millrace_job_entry;
constinit const millrace::job_entry millrace_job_entry{
    .engine_version = MILLRACE_VERSION, .headers = "0123456789abcdef", .build = &build_nothing};
}
