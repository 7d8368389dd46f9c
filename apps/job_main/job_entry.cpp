// Compiled into every job, as executable and as library: makes its build function known.

#include "millrace/api/job_entry.hpp"

void build(millrace::stream_environment& env, const millrace::arguments& args);

extern "C" {
__attribute__((visibility("default"))) extern const millrace::job_entry millrace_job_entry;
constinit const millrace::job_entry millrace_job_entry{
    .engine_version = MILLRACE_VERSION,
    .headers = MILLRACE_HEADERS MILLRACE_BUILD_KIND,
    .build = &build};
}
