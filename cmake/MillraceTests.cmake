# test/<layer>/*.cpp -> test_<layer>, linked with that layer and those below it, so that a defect in
# an upper layer does not stop the tests of a lower one. One ctest test per doctest case.

find_package(doctest REQUIRED)
include(doctest)

set(test_dir "${PROJECT_SOURCE_DIR}/test")

# Every test runs with these.
set(test_environment "")
if("address" IN_LIST MILLRACE_SANITIZE)
  # To remember 30 callers of each allocation is a sixth of the time of tests: six do.
  set(test_environment "ASAN_OPTIONS=handle_sigill=1:malloc_context_size=6")
endif()
if("thread" IN_LIST MILLRACE_SANITIZE)
  set(test_environment "TSAN_OPTIONS=suppressions=${test_dir}/support/tsan.supp")
endif()

add_library(millrace_test_main OBJECT "${test_dir}/support/main.cpp")
target_link_libraries(millrace_test_main PRIVATE doctest::doctest)

# Fixtures that are more than a header run pipelines, so they are for the tests of `stream` and of the
# layers above it. Those that include CAF live in test/support/caf.
function(millrace_add_fixtures target kind folder)
  file(GLOB sources CONFIGURE_DEPENDS "${folder}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/test")
    target_link_libraries(${target} PRIVATE doctest::doctest)
    millrace_use(${target} ${kind} ${ARGN})
    millrace_unite(${target} 5)
  endif()
endfunction()

millrace_add_fixtures(millrace_fixtures std "${test_dir}/support")
millrace_add_fixtures(millrace_fixtures_caf caf "${test_dir}/support/caf" COLD)

# millrace_add_tests(<folder> <kind>): the executable test_<folder>, without any layer.
function(millrace_add_tests folder kind)
  file(GLOB sources CONFIGURE_DEPENDS "${test_dir}/${folder}/*.cpp")
  if(NOT sources)
    return()
  endif()
  set(target test_${folder})
  add_executable(${target} ${sources} $<TARGET_OBJECTS:millrace_test_main>)
  target_include_directories(${target} PRIVATE "${test_dir}")
  # Tests of templates are large as they are.
  set(files 10)
  if(folder MATCHES "^(state|operators|api)$")
    set(files 5)
  endif()
  millrace_unite(${target} ${files})
  if(kind STREQUAL "caf" AND TARGET millrace_fixtures_caf)
    target_link_libraries(${target} PRIVATE millrace_fixtures_caf)
  endif()
  target_link_libraries(${target} PRIVATE doctest::doctest)
  # Those of operators run random streams, which take five times as long without optimisation.
  set(heat COLD)
  if(folder STREQUAL "operators")
    set(heat HOT)
  endif()
  millrace_use(${target} ${kind} ${heat})
  # A name that doctest's filter cannot express would select no test, and pass.
  set(properties TIMEOUT 60 LABELS ${folder} FAIL_REGULAR_EXPRESSION "test cases: 0 ")
  if(test_environment)
    list(APPEND properties ENVIRONMENT "${test_environment}")
  endif()
  doctest_discover_tests(${target} TEST_PREFIX "${folder}/" PROPERTIES ${properties})
endfunction()

get_property(layers GLOBAL PROPERTY MILLRACE_LAYERS)
list(REMOVE_ITEM layers actors)
foreach(layer IN LISTS layers)
  get_property(kind GLOBAL PROPERTY MILLRACE_KIND_${layer})
  if(layer MATCHES "^(operators|connectors|api)$")
    set(kind api)
  endif()
  get_property(closure GLOBAL PROPERTY MILLRACE_CLOSURE_${layer})
  millrace_add_tests(${layer} ${kind})
  if(TARGET test_${layer})
    if("stream" IN_LIST closure)
      target_link_libraries(test_${layer} PRIVATE millrace_fixtures)
    endif()
    millrace_add_objects(test_${layer} ${closure})
  endif()
endforeach()

# These load job libraries, which are linked with libmillrace.so: a second copy of the engine in the
# executable would be another engine.
millrace_add_tests(actors caf)
if(TARGET test_actors)
  target_link_libraries(test_actors PRIVATE millrace_fixtures millrace_engine)
endif()

include(MillraceSimulation)

# What the system tests run.
if(TARGET millrace_job_main)
  add_subdirectory("${test_dir}/jobs" "${PROJECT_BINARY_DIR}/test/jobs")
endif()

# Scripts that start real processes, one after the other and, as they take longest, first. Those that
# measure time and memory need the machine for themselves.
set(measuring system/back_pressure system/lost_nodes)
function(millrace_add_script_test name script)
  set(environment ${test_environment}
    "MILLRACE_BUILD_DIR=${PROJECT_BINARY_DIR}"
    "MILLRACE_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
  add_test(NAME "${name}" COMMAND "${script}" WORKING_DIRECTORY "${PROJECT_BINARY_DIR}")
  set_tests_properties("${name}" PROPERTIES
    ENVIRONMENT "${environment}"
    LABELS system
    TIMEOUT 120)
  if(name IN_LIST measuring)
    set_tests_properties("${name}" PROPERTIES RUN_SERIAL TRUE)
  else()
    set_tests_properties("${name}" PROPERTIES RESOURCE_LOCK "real processes" COST 100)
  endif()
endfunction()

file(GLOB scripts CONFIGURE_DEPENDS "${test_dir}/system/test_*.sh" "${test_dir}/system/test_*.py")
foreach(script IN LISTS scripts)
  cmake_path(GET script STEM stem)
  string(REGEX REPLACE "^test_" "" stem "${stem}")
  millrace_add_script_test("system/${stem}" "${script}")
endforeach()

if(TARGET millrace_job_main AND TARGET caf-node AND TARGET millrace_cli)
  millrace_add_script_test("package/a project outside the tree builds a job"
    "${test_dir}/package/run.sh")
endif()

# Wrong programs: the compiler must refuse them, in a sentence of ours.
set(precompiled "${PROJECT_BINARY_DIR}/test/compile_errors")
add_test(NAME "compile_errors/the public headers compile by themselves"
  COMMAND "${test_dir}/compile_errors/precompile.sh"
  "${CMAKE_CXX_COMPILER}" "${PROJECT_SOURCE_DIR}/include" "${precompiled}")
set_tests_properties("compile_errors/the public headers compile by themselves"
  PROPERTIES LABELS compile_errors TIMEOUT 120 FIXTURES_SETUP public_headers)
file(GLOB cases CONFIGURE_DEPENDS "${test_dir}/compile_errors/*.cpp")
foreach(case IN LISTS cases)
  cmake_path(GET case STEM stem)
  string(REPLACE "_" " " stem "${stem}")
  add_test(NAME "compile_errors/${stem}" COMMAND "${test_dir}/compile_errors/check.sh"
    "${CMAKE_CXX_COMPILER}" "${PROJECT_SOURCE_DIR}/include" "${precompiled}" "${case}")
  set_tests_properties("compile_errors/${stem}"
    PROPERTIES LABELS compile_errors TIMEOUT 60 FIXTURES_REQUIRED public_headers)
endforeach()

# The configuration reference is written from the option table.
if(TARGET caf-node)
  add_test(NAME "docs/the configuration reference is that of the option table"
    COMMAND "${PROJECT_SOURCE_DIR}/scripts/generate-docs" --check "$<TARGET_FILE:caf-node>")
endif()
