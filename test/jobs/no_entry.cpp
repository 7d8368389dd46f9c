// A shared library that is no job.

extern "C" int no_job() {
  return 42;
}
