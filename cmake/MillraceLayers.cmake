# Functions that make the project's targets from its folders. A folder that has no source yet makes
# no target, and a new source file is picked up by the next build.

# The include path of everything that is built in this tree.
add_library(millrace_headers INTERFACE)
target_include_directories(millrace_headers INTERFACE "${PROJECT_SOURCE_DIR}/include")
target_compile_definitions(millrace_headers INTERFACE MILLRACE_VERSION="${PROJECT_VERSION}")

set_property(GLOBAL PROPERTY MILLRACE_LAYERS "")

# millrace_unite(<target> <files>): compiles up to so many of its files together. Most of what a file
# compiles to are templates and inline functions that its neighbours use, too.
function(millrace_unite target files)
  # Five files of test/api at once take the compiler 6 GB, and there are three compilers on two cores:
  # the callers' numbers are for 12 GB and more, and the more files, the less is compiled twice.
  if(MILLRACE_MEMORY_MIB LESS 12000)
    set(files 2)
  elseif(MILLRACE_MEMORY_MIB GREATER 22000)
    math(EXPR files "${files} * 8 / 5")
  endif()
  set_target_properties(${target} PROPERTIES
    UNITY_BUILD ${MILLRACE_UNITY} UNITY_BUILD_BATCH_SIZE ${files})
  if(MILLRACE_UNITY)
    # To the compiler an included file is a header, where anonymous namespaces would be wrong.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# One precompiled header per kind of target, compiled once and reused.
function(millrace_add_pch name header)
  set(anchor "${PROJECT_BINARY_DIR}/pch/${name}.cpp")
  if(NOT EXISTS "${anchor}")
    file(WRITE "${anchor}" "// Carries the precompiled header ${header}.\n")
  endif()
  add_library(${name} OBJECT EXCLUDE_FROM_ALL "${anchor}")
  target_link_libraries(${name} PRIVATE millrace_headers ${ARGN})
  target_precompile_headers(${name} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/pch/${header}")
endfunction()

# millrace_options(<variable> <kind> [COLD]): the compiler options that targets of a kind share with
# their precompiled header. Jobs must not have unique symbols (MillraceJob.cmake); what is COLD runs
# little.
function(millrace_options variable kind)
  set(options "")
  if(kind STREQUAL "api")
    list(APPEND options $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  endif()
  if("COLD" IN_LIST ARGN)
    list(APPEND options ${MILLRACE_COLD_OPTIONS})
  endif()
  set(${variable} "${options}" PARENT_SCOPE)
endfunction()

# millrace_pch_of(<variable> <kind> [COLD]): the precompiled header for such targets. It only fits what
# is compiled with the same options.
function(millrace_pch_of variable kind)
  set(pch millrace_pch_${kind})
  if("COLD" IN_LIST ARGN AND MILLRACE_COLD_OPTIONS)
    set(pch millrace_pch_cold_${kind})
  endif()
  set(${variable} ${pch} PARENT_SCOPE)
endfunction()

if(MILLRACE_PCH)
  set(libraries_std ${MILLRACE_PUBLIC_DEPENDENCIES} ${MILLRACE_PRIVATE_DEPENDENCIES})
  set(libraries_caf ${libraries_std} ${MILLRACE_CAF_DEPENDENCIES})
  # For jobs, and for tests that build some: reading our own headers costs each of them 5 s otherwise.
  set(libraries_api ${MILLRACE_PUBLIC_DEPENDENCIES})
  set(heats HOT)
  if(MILLRACE_COLD_OPTIONS)
    list(APPEND heats COLD)
  endif()
  foreach(kind IN ITEMS std caf api)
    foreach(heat IN LISTS heats)
      millrace_pch_of(pch ${kind} ${heat})
      millrace_options(options ${kind} ${heat})
      millrace_add_pch(${pch} ${kind}.hpp ${libraries_${kind}})
      target_compile_options(${pch} PRIVATE ${options})
    endforeach()
  endforeach()
endif()

# Gives a target of our own its headers, libraries and options. `kind` is std, caf or api; COLD says that
# it runs little.
function(millrace_use target kind)
  millrace_options(options ${kind} ${ARGN})
  target_compile_options(${target} PRIVATE ${options})
  target_link_libraries(${target} PRIVATE millrace_headers ${MILLRACE_PUBLIC_DEPENDENCIES}
    ${MILLRACE_PRIVATE_DEPENDENCIES})
  if(kind STREQUAL "caf")
    target_link_libraries(${target} PRIVATE ${MILLRACE_CAF_DEPENDENCIES})
  endif()
  if(MILLRACE_PCH)
    millrace_pch_of(pch ${kind} ${ARGN})
    target_precompile_headers(${target} REUSE_FROM ${pch})
  endif()
endfunction()

# millrace_add_layer(<name> [CAF] [COLD] [DEPENDS <layer>...]): object library millrace_<name> of
# src/<name>/*.cpp. The layer and all it depends on are remembered for the layer's tests. COLD are those
# that no simulation and no random stream runs.
function(millrace_add_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "CAF;COLD" "" "DEPENDS")
  set(closure ${name})
  set(kind std)
  if(arg_CAF)
    set(kind caf)
  endif()
  set(heat HOT)
  if(arg_COLD)
    set(heat COLD)
  endif()
  foreach(below IN LISTS arg_DEPENDS)
    get_property(more GLOBAL PROPERTY MILLRACE_CLOSURE_${below})
    list(APPEND closure ${more})
  endforeach()
  list(REMOVE_DUPLICATES closure)
  set_property(GLOBAL PROPERTY MILLRACE_CLOSURE_${name} ${closure})
  set_property(GLOBAL PROPERTY MILLRACE_KIND_${name} ${kind})
  set_property(GLOBAL APPEND PROPERTY MILLRACE_LAYERS ${name})

  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.cpp")
  if(sources)
    add_library(millrace_${name} OBJECT ${sources})
    millrace_use(millrace_${name} ${kind} ${heat})
    millrace_unite(millrace_${name} 12)
    if(MILLRACE_UNITY)
      target_compile_definitions(millrace_${name} PRIVATE MILLRACE_SIMULATION)
    endif()
  endif()
endfunction()

# Adds the objects of the given layers to a target.
function(millrace_add_objects target)
  foreach(layer IN LISTS ARGN)
    if(TARGET millrace_${layer})
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:millrace_${layer}>)
    endif()
  endforeach()
endfunction()

# libmillrace.so: all layers, as Millrace::millrace.
function(millrace_add_engine)
  get_property(layers GLOBAL PROPERTY MILLRACE_LAYERS)
  add_library(millrace_engine SHARED)
  add_library(Millrace::millrace ALIAS millrace_engine)
  millrace_add_objects(millrace_engine ${layers})
  set_target_properties(millrace_engine PROPERTIES
    OUTPUT_NAME millrace
    EXPORT_NAME millrace
    LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION}
    # Before 1.0 every minor version may change the ABI.
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_compile_features(millrace_engine INTERFACE cxx_std_20)
  target_include_directories(millrace_engine INTERFACE
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(millrace_engine
    PUBLIC ${MILLRACE_PUBLIC_DEPENDENCIES}
    PRIVATE ${MILLRACE_PRIVATE_DEPENDENCIES} ${MILLRACE_CAF_DEPENDENCIES})
  # Whoever links a sanitized engine must be sanitized too.
  target_compile_options(millrace_engine INTERFACE ${MILLRACE_SANITIZE_FLAGS})
  target_link_options(millrace_engine INTERFACE ${MILLRACE_SANITIZE_FLAGS})
endfunction()

# libmillrace_job_main.a: the main function of jobs that run embedded, as Millrace::job_main.
# job_entry.cpp is left out: it is compiled into every job.
function(millrace_add_job_main)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/apps/job_main/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/job_entry\\.cpp$")
  if(sources)
    add_library(millrace_job_main STATIC ${sources})
    add_library(Millrace::job_main ALIAS millrace_job_main)
    set_target_properties(millrace_job_main PROPERTIES EXPORT_NAME job_main)
    target_compile_definitions(millrace_job_main PRIVATE MILLRACE_VERSION="${PROJECT_VERSION}")
    target_link_libraries(millrace_job_main PUBLIC millrace_engine)
  endif()
endfunction()

# millrace_add_app(<target> SOURCE_DIR <dir> [OUTPUT_NAME <name>]): an executable of apps/.
function(millrace_add_app target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCE_DIR;OUTPUT_NAME" "")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${arg_SOURCE_DIR}/*.cpp")
  if(NOT sources)
    return()
  endif()
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE millrace_engine)
  millrace_use(${target} caf COLD)
  millrace_unite(${target} 12)
  if(arg_OUTPUT_NAME)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_OUTPUT_NAME})
  endif()
  set_property(GLOBAL APPEND PROPERTY MILLRACE_APPS ${target})
endfunction()

function(millrace_add_bench target source)
  add_executable(${target} "${source}")
  target_link_libraries(${target} PRIVATE millrace_engine)
  millrace_use(${target} caf)
endfunction()

# millrace_digest_of(<variable> <file>...): 16 digits that change with any of the files; so does the
# build, which is configured again then.
function(millrace_digest_of variable)
  set(all "")
  foreach(file IN LISTS ARGN)
    file(SHA256 "${file}" one)
    string(APPEND all "${one}")
  endforeach()
  string(SHA256 digest "${all}")
  string(SUBSTRING "${digest}" 0 16 digest)
  set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ARGN})
  set(${variable} "${digest}" PARENT_SCOPE)
endfunction()
