#include <doctest/doctest.h>

#include "millrace/connectors/file_sink.hpp"
#include "support/sink_harness.hpp"

namespace sinks_test {

using namespace millrace;
using test::sink_harness;
using test::subtask;

namespace {

struct row {
  std::string text;
  std::int32_t number;
  bool operator==(const row&) const = default;
};

using text_sink = single_file_sink<row, print_format<row>>;
using csv_sink = single_file_sink<row, csv_formatter<row>>;
using paths = std::vector<std::string>;

std::string run_and_fail(sink_harness<row, text_sink>& sink) {
  try {
    sink.open();
    sink.process({{"x", 1}});
    sink.finish();
  } catch (const failure& e) {
    return e.what();
  }
  return "no failure";
}

}  // namespace

TEST_CASE("a file appears under its name only when it is complete") {
  sink_harness<row, csv_sink> sink(make_csv_file_sink<row>("/out/file.csv", {}));
  sink.open();
  sink.process({{"a", 1}, {"with \"quotes\", and comma", 2}});
  sink.run_io();
  REQUIRE(sink.memory().paths().size() == 1);
  CHECK(sink.memory().paths()[0].starts_with("/out/.file.csv.inprogress."));
  sink.process({{"two\nlines", 3}});
  sink.writer().finish();
  CHECK(sink.is_busy());
  sink.run_io();
  CHECK(!sink.is_busy());
  CHECK(sink.memory().paths() == paths{"/out/file.csv"});
  CHECK(sink.memory().content("/out/file.csv") ==
        "a,1\n\"with \"\"quotes\"\", and comma\",2\n\"two\nlines\",3\n");
}

TEST_CASE("a stream without records makes a file, with its header") {
  sink_harness<row, csv_sink> sink(make_csv_file_sink<row>("/out.csv", {.header = {"a", "b"}}));
  sink.open();
  sink.finish();
  CHECK(sink.memory().content("/out.csv") == "a,b\n");
}

TEST_CASE("a sink that is closed before its end leaves nothing behind") {
  sink_harness<row, text_sink> sink(make_text_file_sink<row>("/out/file", {}));
  sink.open();
  sink.process({{"a", 1}});
  sink.run_io();
  sink.close();
  CHECK(sink.memory().paths().empty());
}

TEST_CASE("parallel sinks write numbered files into a directory") {
  sink_harness<row, text_sink> sink(make_text_file_sink<row>("/out/", {}), subtask(1, 3));
  CHECK(run_and_fail(sink) == "no failure");
  CHECK(sink.memory().content("/out/2") == "(x,1)\n");
}

TEST_CASE("existing output is refused unless overwriting is asked for") {
  const auto outcome = [](const std::string& existing, std::uint32_t parallelism,
                          file_write_mode mode) {
    sink_harness<row, text_sink> sink(make_text_file_sink<row>("/out", {mode}),
                                      subtask(0, parallelism));
    sink.memory().put(existing, "old");
    const auto why = run_and_fail(sink);
    sink.close();
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

TEST_CASE("a power cut takes away no directory that was made for files") {
  for (const std::uint32_t parallelism : {1u, 2u}) {
    CAPTURE(parallelism);
    sink_harness<row, text_sink> sink(make_text_file_sink<row>("/a/b/out", {}),
                                      subtask(0, parallelism));
    CHECK(run_and_fail(sink) == "no failure");
    sink.memory().lose_unsynced_directories();
    CHECK(sink.memory().paths() == paths{parallelism == 1 ? "/a/b/out" : "/a/b/out/1"});
  }
}

TEST_CASE("a full disk fails the sink") {
  sink_harness<row, text_sink> sink(make_text_file_sink<row>("/out", {}));
  sink.memory().fill_disk();
  CHECK(run_and_fail(sink).find("No space left on device") != std::string::npos);
}

TEST_CASE("one write is under way at a time, and much gathered text makes the sink busy") {
  sink_harness<row, text_sink> sink(make_text_file_sink<row>("/out", {}));
  auto& writer = sink.writer();
  sink.open();
  sink.process({{std::string(700'000, 'x'), 1}});
  CHECK(writer.manual().size() == 1);
  CHECK(!sink.is_busy());
  sink.process({{std::string(700'000, 'y'), 2}});
  CHECK(sink.is_busy());
  writer.manual().run();
  CHECK(!sink.is_busy());
  CHECK(writer.manual().size() == 1);
}

TEST_CASE("a file that is written over a restart has each record once") {
  const auto sink = make_text_file_sink<row>("/out", {});
  auto files = std::make_shared<test::memory_files>();
  test::saved_sink saved;
  {
    sink_harness<row, text_sink> first(sink, subtask(0, 1), files);
    first.take_checkpoints().open();
    first.process({{"a", 1}});
    saved = first.checkpoint(1);
    first.complete(1);
    first.process({{"lost", 2}});
    first.run_io();
  }
  files->lose_power();
  sink_harness<row, text_sink> second(sink, subtask(0, 1, 1), files);
  second.take_checkpoints().restore(saved).open();
  second.process({{"b", 3}});
  second.finish();
  REQUIRE(files->paths().size() == 2);
  CHECK(files->paths()[0].starts_with("/.out.inprogress."));
  CHECK(files->paths()[0].ends_with("-0-0"));
  CHECK(files->paths()[1].ends_with("-1-1"));
  saved = second.checkpoint(2);
  second.complete(2);
  second.run_io();
  CHECK(files->paths() == paths{"/out"});
  CHECK(files->content("/out") == "(a,1)\n(b,3)\n");

  // A restart that comes after the end changes nothing.
  sink_harness<row, text_sink> third(sink, subtask(0, 1, 2), files);
  third.take_checkpoints().restore(saved).open();
  third.finish();
  static_cast<void>(third.checkpoint(3));
  third.complete(3);
  third.run_io();
  CHECK(files->paths() == paths{"/out"});
  CHECK(files->content("/out") == "(a,1)\n(b,3)\n");
}

TEST_CASE("files that are named by subtask can't be continued with another parallelism") {
  const auto sink = make_text_file_sink<row>("/out", {});
  auto files = std::make_shared<test::memory_files>();
  sink_harness<row, text_sink> first(sink, subtask(0, 1), files);
  first.take_checkpoints().open();
  const auto saved = first.checkpoint(1);
  sink_harness<row, text_sink> second(sink, subtask(0, 2, 1), files);
  second.restore(saved);
  CHECK_THROWS_WITH(second.open(),
                    "the output in '/out' can't be continued with parallelism 2 after 1: its files "
                    "are named by subtask; keep the parallelism of this sink, or use "
                    "sink_to(file_sink), which has no such limit");
  sink_harness<row, text_sink> third(sink, subtask(2, 3), files);
  third.take_checkpoints().open();
  const auto of_three = third.checkpoint(1);
  sink_harness<row, text_sink> fourth(sink, subtask(0, 2, 1), files);
  fourth.restore(of_three);
  CHECK_THROWS(fourth.open());
}

TEST_CASE("files that are named by subtask are continued when other subtasks have ended") {
  const auto sink = make_text_file_sink<row>("/out", {});
  auto files = std::make_shared<test::memory_files>();
  sink_harness<row, text_sink> first(sink, subtask(2, 4), files);
  first.take_checkpoints().open();
  first.process({{"a", 1}});
  // Of the four subtasks the checkpoint has this one only.
  const auto saved = first.checkpoint(1);
  sink_harness<row, text_sink> second(sink, subtask(2, 4, 1), files);
  second.take_checkpoints().restore(saved).open();
  second.process({{"b", 2}});
  second.finish();
  static_cast<void>(second.checkpoint(2));
  second.complete(2);
  second.run_io();
  CHECK(files->content("/out/3") == "(a,1)\n(b,2)\n");
}

TEST_CASE("a file that is named by subtask and was complete gets no more records") {
  const auto sink = make_text_file_sink<row>("/out", {});
  auto files = std::make_shared<test::memory_files>();
  sink_harness<row, text_sink> first(sink, subtask(0, 2), files);
  first.take_checkpoints().open();
  const auto saved = first.checkpoint(1);
  // Subtask 1 had ended, but is fed anew.
  sink_harness<row, text_sink> second(sink, subtask(1, 2, 1), files);
  second.take_checkpoints().restore(saved);
  CHECK_THROWS_WITH(
      second.open(),
      "the output in '/out/2' was complete in the checkpoint that the job begins with, "
      "and nothing can be added to it: give this sink another path and uid, or use "
      "sink_to(file_sink), which writes any number of files");
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

}  // namespace sinks_test
