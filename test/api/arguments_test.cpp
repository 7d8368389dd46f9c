#include <doctest/doctest.h>

#include "millrace/api/arguments.hpp"

namespace arguments_test {

using namespace millrace;

namespace {

std::string failure_of(auto&& call) {
  try {
    call();
  } catch (const failure& e) {
    CHECK(e.code() == errc::invalid_argument);
    return e.what();
  }
  return "no failure";
}

}  // namespace

TEST_CASE("arguments come as --key value, --key=value, flags and words") {
  const arguments args({"--input", "a b", "--port=9999", "--empty=", "word", "--rate", "-2.5",
                        "--verbose", "--input=last"});
  CHECK(args.get("input") == "last");
  CHECK(args.get<int>("port") == 9999);
  CHECK(args.get("empty") == "");
  CHECK(args.get<double>("rate") == -2.5);
  CHECK(args.get<bool>("verbose"));
  CHECK(args.has("verbose"));
  CHECK(!args.has("word"));
  CHECK(args.positional() == std::vector<std::string>{"word"});
  CHECK(args.get_or("host", "localhost") == "localhost");
  CHECK(args.get_or("port", std::uint16_t{1}) == 9999);
}

TEST_CASE("errors of arguments name the argument") {
  const arguments args({"--port", "99999x", "--big=99999", "--flag", "--sure=maybe"});
  CHECK(failure_of([&] { args.get("input"); }) == "the argument --input is missing");
  CHECK(failure_of([&] { args.get<int>("port"); }) ==
        "the argument --port must be a whole number, not '99999x'");
  CHECK(failure_of([&] { args.get<std::uint16_t>("big"); }) ==
        "the argument --big must be a number that is not so large, not '99999'");
  CHECK(failure_of([&] { args.get("flag"); }) == "the argument --flag needs a value");
  CHECK(failure_of([&] { args.get<bool>("sure"); }) ==
        "the argument --sure must be true or false, not 'maybe'");
}

TEST_CASE("an unknown argument is refused with the one that may have been meant") {
  const arguments args({"--inptu", "x"});
  CHECK(failure_of([&] {
          args.check_known({"input", "output"});
        }) == "unknown argument --inptu: did you mean --input? (there are: --input --output)");
  args.check_known({"inptu"});
}

}  // namespace arguments_test
