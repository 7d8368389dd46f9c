# Compiler, linker and build switches that every target of the project shares.

option(MILLRACE_TESTS "Build the tests" ON)
option(MILLRACE_BENCH "Build the benchmarks" OFF)
option(MILLRACE_PCH "Precompile the standard, Boost and CAF headers" ON)
option(MILLRACE_UNITY "Compile several files of one target together, which takes half the time from
scratch; and the simulation's mutants into the engine, so that it is compiled once" OFF)
set(MILLRACE_COLD_OPTIONS "" CACHE STRING
  "Compiler options for tests and jobs, e.g. -O0: they run little, and compiling them is most of a build")
option(MILLRACE_WERROR "Treat warnings as errors" OFF)
set(MILLRACE_SANITIZE "" CACHE STRING "Sanitizers, e.g. address;undefined or thread")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

# One code model for libraries and executables alike, or they could not share precompiled headers
# (CMake would compile the executables with -fPIE).
add_compile_options(-fPIC)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow)
if(MILLRACE_WERROR)
  add_compile_options(-Werror)
endif()

# The compiler collects its garbage far too early for our templates: a fifth of its time.
cmake_host_system_information(RESULT MILLRACE_MEMORY_MIB QUERY TOTAL_PHYSICAL_MEMORY)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND MILLRACE_MEMORY_MIB GREATER 12000)
  add_compile_options("SHELL:--param ggc-min-heapsize=3000000")
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13
    AND NOT MILLRACE_SANITIZE)
  # At -O3 it warns of what std::string and std::variant do (GCC bugs 105329, 105562 and 105651).
  add_compile_options(-Wno-array-bounds -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
                      -Wno-stringop-overread)
endif()

set(MILLRACE_SANITIZE_FLAGS "")
if(MILLRACE_SANITIZE)
  list(JOIN MILLRACE_SANITIZE "," sanitizers)
  set(MILLRACE_SANITIZE_FLAGS -fsanitize=${sanitizers} -fno-omit-frame-pointer)
  if("undefined" IN_LIST MILLRACE_SANITIZE)
    # What is undefined traps, and the address sanitizer says where (handle_sigill). Calls that
    # describe it would make a third of all code. Casts can't be checked so: checked_cast does it.
    list(APPEND MILLRACE_SANITIZE_FLAGS -fsanitize-undefined-trap-on-error)
  endif()
  add_compile_options(${MILLRACE_SANITIZE_FLAGS})
  if("address" IN_LIST MILLRACE_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Without code for ASAN_OPTIONS=detect_stack_use_after_return=1, which GCC has off by default: a
    # tenth of the compiler's time.
    add_compile_options("SHELL:--param asan-use-after-return=0")
  endif()
  # With sanitizers and -Og xxHash can't be inlined as it insists.
  add_compile_definitions(XXH_NO_INLINE_HINTS=1)
  add_link_options(${MILLRACE_SANITIZE_FLAGS})
endif()

find_program(MILLRACE_CCACHE ccache DOC "Compiler cache, used if found")
if(MILLRACE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # What ccache needs to cache compilations that use a precompiled header (its manual, section
  # "Precompiled headers"). The compiler lists the headers that it reads, so there is no need to run
  # the preprocessor for that first (section "The depend mode").
  set(sloppiness pch_defines,time_macros,include_file_mtime,include_file_ctime)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=${sloppiness};CCACHE_DEPEND=1;${MILLRACE_CCACHE}")
  if(MILLRACE_PCH AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-fpch-preprocess)
  endif()
endif()

find_program(MILLRACE_MOLD mold DOC "Fast linker, used if found")
if(MILLRACE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Programs start faster the fewer libraries they load.
add_link_options(-Wl,--as-needed)
