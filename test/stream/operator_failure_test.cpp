#include "millrace/stream/operator_failure.hpp"

#include <doctest/doctest.h>

#include <functional>

namespace operator_failure_test {

using namespace millrace;

namespace {

operator_failure named(const std::string& name, const std::function<void()>& thrower) {
  try {
    try {
      thrower();
    } catch (...) {
      rethrow_as_operator_failure(name);
    }
  } catch (const operator_failure& f) {
    return f;
  }
  return {"nothing thrown", {}};
}

}  // namespace

TEST_CASE("what an operator throws gets the operator's name") {
  const auto f = named("map", [] { throw std::runtime_error("division by zero"); });
  CHECK(f.operator_name() == "map");
  CHECK(f.code() == errc::user_function);
  CHECK(std::string(f.what()) == "division by zero");
}

TEST_CASE("a failure keeps its code and message") {
  const auto f = named("read", [] { throw failure(errc::not_found, "no file '/x'"); });
  CHECK(f.operator_name() == "read");
  CHECK(f.what_failed() == error{errc::not_found, "no file '/x'"});
}

TEST_CASE("the operator nearest to the throw gives the name") {
  const auto f = named("outer", [] {
    try {
      throw 42;
    } catch (...) {
      rethrow_as_operator_failure("inner");
    }
  });
  CHECK(f.operator_name() == "inner");
  CHECK(f.code() == errc::user_function);
  CHECK(std::string(f.what()).find("no std::exception") != std::string::npos);
}

}  // namespace operator_failure_test
