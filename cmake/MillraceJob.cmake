# millrace_add_job(<name> <source>... [LIBRARIES <library>...])
#
# Builds a Millrace job in two forms from the same sources, which are compiled once and define
#   void build(millrace::stream_environment& env, const millrace::arguments& args)
#
#   <name>     an executable that runs the job embedded in its own process
#   <name>.so  a library that `millrace run <name>.so` ships to a cluster (target <name>_library)
#
# LIBRARIES are what the sources need besides Millrace. What else is to be said of the compilation is
# said of the target <name>_objects.

function(millrace_add_job name)
  cmake_parse_arguments(PARSE_ARGV 1 job "" "" "LIBRARIES")
  if(NOT job_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "millrace_add_job(${name}): name at least one source file")
  endif()

  add_library(${name}_objects OBJECT ${job_UNPARSED_ARGUMENTS} "${MILLRACE_JOB_ENTRY}")
  set_target_properties(${name}_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${name}_objects PRIVATE Millrace::millrace ${job_LIBRARIES})
  # Set by the project itself and by find_package(Millrace) alike.
  target_compile_definitions(${name}_objects PRIVATE MILLRACE_VERSION="${Millrace_VERSION}")
  # Says which build of the engine it is for.
  set_source_files_properties("${MILLRACE_JOB_ENTRY}"
    PROPERTIES COMPILE_DEFINITIONS MILLRACE_HEADERS="${MILLRACE_HEADERS}")
  # Two jobs in one process may give different types the same name: nothing of a job library may be
  # merged with another's, which unique symbols would do even behind RTLD_LOCAL.
  target_compile_options(${name}_objects PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  if(TARGET millrace_pch_api)  # within the project itself
    millrace_pch_of(pch api COLD)
    target_compile_options(${name}_objects PRIVATE ${MILLRACE_COLD_OPTIONS})
    target_precompile_headers(${name}_objects REUSE_FROM ${pch})
  endif()

  add_executable(${name} $<TARGET_OBJECTS:${name}_objects>)
  target_link_libraries(${name} PRIVATE Millrace::job_main Millrace::millrace ${job_LIBRARIES})

  add_library(${name}_library MODULE $<TARGET_OBJECTS:${name}_objects>)
  target_link_libraries(${name}_library PRIVATE Millrace::millrace ${job_LIBRARIES})
  set_target_properties(${name}_library PROPERTIES PREFIX "" OUTPUT_NAME ${name} SUFFIX .so)
endfunction()
