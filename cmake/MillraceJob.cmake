# millrace_add_job(<name> <source>...)
#
# Builds a Millrace job twice from the same sources, which define
#   void build(millrace::stream_environment& env, const millrace::arguments& args)
#
#   <name>     an executable that runs the job embedded in its own process
#   <name>.so  a library that `millrace run <name>.so` ships to a cluster (target <name>_library)

function(millrace_add_job name)
  if(NOT ARGN)
    message(FATAL_ERROR "millrace_add_job(${name}): name at least one source file")
  endif()

  add_executable(${name} ${ARGN} "${MILLRACE_JOB_ENTRY}")
  target_link_libraries(${name} PRIVATE Millrace::job_main Millrace::millrace)

  add_library(${name}_library MODULE ${ARGN} "${MILLRACE_JOB_ENTRY}")
  target_link_libraries(${name}_library PRIVATE Millrace::millrace)
  set_target_properties(${name}_library PROPERTIES PREFIX "" OUTPUT_NAME ${name} SUFFIX .so)
  # Two jobs in one process may give different types the same name: nothing of a job library may be
  # merged with another's, which unique symbols would do even behind RTLD_LOCAL.
  target_compile_options(${name}_library PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)

  # Set by the project itself and by find_package(Millrace) alike.
  foreach(target IN ITEMS ${name} ${name}_library)
    target_compile_definitions(${target} PRIVATE MILLRACE_VERSION="${Millrace_VERSION}")
  endforeach()
endfunction()
