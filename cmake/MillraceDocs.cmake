# The target docs-api: the API reference of the /// comments, in <build>/api/html. Only if doxygen is
# there (scripts/setup --docs installs it).

find_program(MILLRACE_DOXYGEN doxygen DOC "Doxygen, for the target docs-api")
if(MILLRACE_DOXYGEN)
  add_custom_target(docs-api
    COMMAND "${PROJECT_SOURCE_DIR}/scripts/api-docs" --output "${PROJECT_BINARY_DIR}/api"
    USES_TERMINAL)
  if(MILLRACE_TESTS)
    add_test(NAME "docs/every public name that a user sees has a comment"
      COMMAND "${PROJECT_SOURCE_DIR}/scripts/api-docs" --check --output "${PROJECT_BINARY_DIR}/api")
  endif()
endif()
