# The simulation of whole clusters, test/sim: the program `simulate` (scripts/simulate) and its tests.

set(sim_dir "${test_dir}/sim")
set(sim_environment "")
if(test_environment)
  set(sim_environment ENVIRONMENT "${test_environment}")
endif()

# The engine as the simulation runs it: the objects that are shipped, but those of sources with a
# MILLRACE_MUTANT compiled again with it switchable, unless all are compiled so anyway.
set(mutable_sources "")
set(plain_objects "")
foreach(layer IN LISTS layers ITEMS actors)
  if(NOT TARGET millrace_${layer})
    continue()
  endif()
  set(objects "$<TARGET_OBJECTS:millrace_${layer}>")
  set(replaced "")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${layer}/*.cpp")
  foreach(source IN LISTS sources)
    file(STRINGS "${source}" uses REGEX "MILLRACE_MUTANT\\(" LIMIT_COUNT 1)
    if(uses AND NOT MILLRACE_UNITY)
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
      list(APPEND mutable_sources "${source}")
      cmake_path(GET source FILENAME file)
      string(REPLACE "." "\\." file "${file}")
      list(APPEND replaced "/${file}\\.o$")
    endif()
  endforeach()
  if(replaced)
    list(JOIN replaced "|" pattern)
    set(objects "$<FILTER:${objects},EXCLUDE,${pattern}>")
  endif()
  list(APPEND plain_objects "${objects}")
endforeach()

file(GLOB sim_sources CONFIGURE_DEPENDS "${sim_dir}/*.cpp")
list(FILTER sim_sources EXCLUDE REGEX "_test\\.cpp$")
if(NOT sim_sources)
  return()
endif()

add_library(millrace_sim OBJECT ${sim_sources} ${mutable_sources})
target_include_directories(millrace_sim PRIVATE "${test_dir}")
target_compile_definitions(millrace_sim PRIVATE MILLRACE_SIMULATION)
millrace_use(millrace_sim caf)
millrace_unite(millrace_sim 5)

function(millrace_use_simulation target)
  target_include_directories(${target} PRIVATE "${test_dir}")
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:millrace_sim> ${plain_objects})
  target_link_libraries(${target} PRIVATE millrace_fixtures)
endfunction()

add_executable(simulate "${sim_dir}/simulate/main.cpp")
millrace_use_simulation(simulate)
millrace_use(simulate caf)

file(GLOB sim_tests CONFIGURE_DEPENDS "${sim_dir}/*_test.cpp")
if(sim_tests)
  add_executable(test_sim ${sim_tests} $<TARGET_OBJECTS:millrace_test_main>)
  millrace_use_simulation(test_sim)
  target_link_libraries(test_sim PRIVATE doctest::doctest)
  millrace_use(test_sim caf COLD)
  millrace_unite(test_sim 5)
  doctest_discover_tests(test_sim TEST_PREFIX "sim/"
    PROPERTIES TIMEOUT 120 LABELS sim FAIL_REGULAR_EXPRESSION "test cases: 0 " ${sim_environment})
endif()

# Fixed ranges of seeds, less than a minute on two slow cores with sanitizers.
add_test(NAME "sim/no seed of a fixed range fails"
  COMMAND simulate --first 1 --seeds 600 --quiet)
add_test(NAME "sim/no seed of a fixed range with checkpoints fails"
  COMMAND simulate --scenario checkpoints --first 1 --seeds 100 --quiet)
add_test(NAME "sim/a seed takes the same steps in every process"
  COMMAND "${sim_dir}/same_trace.sh" $<TARGET_FILE:simulate>)
set_tests_properties("sim/no seed of a fixed range fails"
  "sim/no seed of a fixed range with checkpoints fails"
  "sim/a seed takes the same steps in every process"
  PROPERTIES LABELS sim TIMEOUT 600 PROCESSORS 2 ${sim_environment})
