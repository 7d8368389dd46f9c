#include <doctest/doctest.h>

#include "millrace/connectors/file_sink.hpp"
#include "support/operator_harness.hpp"

using namespace millrace;
using test::operator_harness;

namespace {

struct row {
  std::string text;
  std::int32_t number;
  bool operator==(const row&) const = default;
};

using harness = operator_harness<row, row>;

runtime_context::identity subtask(std::uint32_t index, std::uint32_t parallelism) {
  runtime_context::identity self;
  self.subtask_index = index;
  self.parallelism = parallelism;
  return self;
}

std::string run_and_fail(harness& sink) {
  try {
    sink.open();
    sink.process({{"x", 1}});
    sink.finish();
    sink.manual().run_all();
  } catch (const failure& e) {
    return e.what();
  }
  return "no failure";
}

}  // namespace

TEST_CASE("a file appears under its name only when it is complete") {
  harness sink(make_csv_file_sink<row>("/out/file.csv", {}));
  sink.open();
  sink.process({{"a", 1}, {"with \"quotes\", and comma", 2}});
  sink.manual().run_all();
  CHECK(sink.memory().paths() == std::vector<std::string>{"/out/.file.csv.inprogress"});
  sink.process({{"two\nlines", 3}});
  sink.finish();
  CHECK(sink.op().is_busy());
  sink.manual().run_all();
  CHECK(!sink.op().is_busy());
  CHECK(sink.memory().paths() == std::vector<std::string>{"/out/file.csv"});
  CHECK(sink.memory().content("/out/file.csv") ==
        "a,1\n\"with \"\"quotes\"\", and comma\",2\n\"two\nlines\",3\n");
}

TEST_CASE("a sink that is closed before its end leaves nothing behind") {
  harness sink(make_text_file_sink<row>("/out/file", {}));
  sink.open();
  sink.process({{"a", 1}});
  sink.manual().run_all();
  sink.close();
  sink.manual().run_all_without_completion();
  CHECK(sink.memory().paths().empty());
}

TEST_CASE("parallel sinks write numbered files into a directory") {
  harness sink(make_text_file_sink<row>("/out/", {}), subtask(1, 3));
  CHECK(run_and_fail(sink) == "no failure");
  CHECK(sink.memory().content("/out/2") == "(x,1)\n");
}

TEST_CASE("existing output is refused unless overwriting is asked for") {
  const auto outcome = [](const std::string& existing, std::uint32_t parallelism,
                          file_write_mode mode) {
    harness sink(make_text_file_sink<row>("/out", {mode}), subtask(0, parallelism));
    sink.memory().put(existing, "old");
    const auto why = run_and_fail(sink);
    sink.close();
    sink.manual().run_all_without_completion();
    std::string left;
    for (const auto& path : sink.memory().paths()) left += path + " ";
    return why + "|" + left;
  };
  const std::string refused =
      "': it exists already; choose another path, or ask for file_write_mode::overwrite|";
  using enum file_write_mode;
  CHECK(outcome("/out", 1, no_overwrite) == "cannot write to '/out" + refused + "/out ");
  CHECK(outcome("/out", 1, overwrite) == "no failure|/out ");
  CHECK(outcome("/out", 2, no_overwrite) == "cannot write to '/out" + refused + "/out ");
  CHECK(outcome("/out", 2, overwrite) == "no failure|/out/1 ");
  CHECK(outcome("/out/1", 2, no_overwrite) == "cannot write to '/out/1" + refused + "/out/1 ");
  CHECK(outcome("/out/5", 2, no_overwrite) == "cannot write to '/out/5" + refused + "/out/5 ");
  CHECK(outcome("/out/5", 2, overwrite) == "no failure|/out/1 ");
  CHECK(outcome("/out/2", 2, no_overwrite) == "no failure|/out/1 /out/2 ");
  CHECK(outcome("/out/1", 1, overwrite).starts_with("cannot write to '/out': it is a directory"));
}

TEST_CASE("a full disk fails the sink") {
  harness sink(make_text_file_sink<row>("/out", {}));
  sink.memory().fill_disk();
  CHECK(run_and_fail(sink).find("No space left on device") != std::string::npos);
}

TEST_CASE("one write is under way at a time, and much gathered text makes the sink busy") {
  harness sink(make_text_file_sink<row>("/out", {}));
  sink.open();
  sink.process({{std::string(700'000, 'x'), 1}});
  CHECK(sink.manual().size() == 1);
  CHECK(!sink.op().is_busy());
  sink.process({{std::string(700'000, 'y'), 2}});
  CHECK(sink.op().is_busy());
  sink.manual().run();
  CHECK(!sink.op().is_busy());
  CHECK(sink.manual().size() == 1);
}

TEST_CASE("the prefix of printed lines is Flink's") {
  CHECK(print_prefix("", runtime_context(subtask(0, 1))).empty());
  CHECK(print_prefix("", runtime_context(subtask(1, 4))) == "2> ");
  CHECK(print_prefix("words", runtime_context(subtask(1, 4))) == "words:2> ");
  CHECK(print_prefix("words", runtime_context(subtask(0, 1))) == "words> ");
}

TEST_CASE("values are printed as people read them") {
  const auto text = [](const auto& value) {
    std::string out;
    append_text(out, value);
    return out;
  };
  CHECK(text(row{"a", 1}) == "(a,1)");
  CHECK(text(std::tuple(1, 'c', true, 0.1, std::string("s"))) == "(1,c,true,0.1,s)");
  CHECK(text(std::vector{std::pair(1, 2)}) == "[(1,2)]");
  CHECK(text(std::map<std::string, std::optional<int>>{{"a", 1}, {"b", {}}}) == "{a=1, b=null}");
  CHECK(text(std::variant<int, std::string>("x")) == "x");
  CHECK(text(std::int8_t{-7}) == "-7");
}
