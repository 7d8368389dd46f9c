# cmake --install: library, headers, programs, scripts, configuration, and the package that
# find_package(Millrace) finds.

include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Millrace")
set(data_dir "${CMAKE_INSTALL_DATADIR}/millrace")

get_property(programs GLOBAL PROPERTY MILLRACE_APPS)
set_target_properties(millrace_engine ${programs} PROPERTIES
  INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")

set(exported millrace_engine)
if(TARGET millrace_job_main)
  list(APPEND exported millrace_job_main)
endif()
install(TARGETS ${exported} EXPORT MillraceTargets)
if(programs)
  install(TARGETS ${programs})
endif()

install(DIRECTORY "${PROJECT_SOURCE_DIR}/src/"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/millrace"
  FILES_MATCHING PATTERN "*.hpp")
if(EXISTS "${MILLRACE_JOB_ENTRY}")
  install(FILES "${MILLRACE_JOB_ENTRY}" DESTINATION "${data_dir}")
endif()

# The cluster scripts end in .sh, as do the parts that they source from beside themselves (not
# executable, like Flink's bin/config.sh). The other scripts, and lib.sh, are for developers.
install(DIRECTORY "${PROJECT_SOURCE_DIR}/scripts/"
  DESTINATION "${CMAKE_INSTALL_BINDIR}"
  USE_SOURCE_PERMISSIONS
  FILES_MATCHING PATTERN "*.sh"
  PATTERN lib.sh EXCLUDE
  PATTERN completion EXCLUDE
  PATTERN failover EXCLUDE)
if(EXISTS "${PROJECT_SOURCE_DIR}/config")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/config/" DESTINATION "${data_dir}/config")
endif()
set(completion "${PROJECT_SOURCE_DIR}/scripts/completion/millrace")
if(EXISTS "${completion}")
  install(FILES "${completion}"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
endif()

install(EXPORT MillraceTargets NAMESPACE Millrace:: DESTINATION "${package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/MillraceConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/MillraceConfig.cmake"
  INSTALL_DESTINATION "${package_dir}"
  PATH_VARS data_dir)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/MillraceConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/MillraceConfig.cmake"
  "${PROJECT_BINARY_DIR}/MillraceConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/MillraceJob.cmake"
  DESTINATION "${package_dir}")
