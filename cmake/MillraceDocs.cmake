# The target docs-api: the API reference of the /// comments, in <build>/api/html; and the test that
# every public name has one. Without doxygen (scripts/setup installs it) both fail and say so.

add_custom_target(docs-api
  COMMAND "${PROJECT_SOURCE_DIR}/scripts/api-docs" --output "${PROJECT_BINARY_DIR}/api"
  USES_TERMINAL)
if(MILLRACE_TESTS)
  set(test "docs/every public name has a comment")
  add_test(NAME "${test}"
    COMMAND "${PROJECT_SOURCE_DIR}/scripts/api-docs" --check --output "${PROJECT_BINARY_DIR}/api-check")
  set_tests_properties("${test}" PROPERTIES LABELS docs TIMEOUT 120)
endif()
