// Sinks in jobs, and the programs of docs/sinks.md, which must compile and do what is said there.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "millrace/connectors/key_value_sink.hpp"
#include "millrace/millrace.hpp"
#include "support/captured_job.hpp"
#include "support/local_runner.hpp"

namespace sinks_test {

using namespace millrace;
using test::local_runner;

namespace {

/// A message broker with transactions, as a client library may show it. All calls block.
class broker {
 public:
  /// The messages are safe, but nobody sees them.
  std::uint64_t prepare(std::vector<std::string> messages) {
    prepared_.push_back(std::move(messages));
    return prepared_.size() - 1;
  }
  /// False if they were committed before.
  bool commit(std::uint64_t transaction) {
    auto messages = std::exchange(prepared_.at(transaction), {});
    visible_.insert(visible_.end(), messages.begin(), messages.end());
    return !messages.empty();
  }
  std::vector<std::string> visible() const {
    auto sorted = visible_;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }

 private:
  std::vector<std::vector<std::string>> prepared_;
  std::vector<std::string> visible_;
};

class broker_writer : public millrace::sink_writer<std::string, std::uint64_t> {
 public:
  broker_writer(millrace::sink_writer_context& context, std::shared_ptr<broker> to)
      : context_(context), to_(std::move(to)) {}

  void write(const millrace::sink_rows<std::string>& in) override {
    gathered_.insert(gathered_.end(), in.rows.begin(), in.rows.end());
  }

  void flush(millrace::flush_cause) override {
    if (gathered_.empty()) return;
    is_busy_ = true;
    auto transaction = std::make_shared<std::uint64_t>();
    context_.io().submit(  // on another thread, because it blocks
        [to = to_, messages = std::exchange(gathered_, {}), transaction] {
          *transaction = to->prepare(messages);
        },
        [this, transaction] {  // back in the task
          prepared_.push_back(*transaction);
          is_busy_ = false;
        });
  }
  bool is_busy() const noexcept override { return is_busy_; }
  std::vector<std::uint64_t> prepare_commit() override { return std::exchange(prepared_, {}); }

 private:
  millrace::sink_writer_context& context_;
  std::shared_ptr<broker> to_;
  std::vector<std::string> gathered_;
  std::vector<std::uint64_t> prepared_;
  bool is_busy_ = false;
};

struct broker_committer : millrace::committer<std::uint64_t> {
  explicit broker_committer(std::shared_ptr<broker> b) : to(std::move(b)) {}

  std::vector<millrace::commit_result> commit(const std::vector<std::uint64_t>& what) override {
    std::vector<millrace::commit_result> results;
    for (const auto transaction : what)
      results.push_back(to->commit(transaction) ? millrace::commit_result::committed()
                                                : millrace::commit_result::already_committed());
    return results;
  }

  std::shared_ptr<broker> to;
};

struct broker_sink {
  using committable = std::uint64_t;
  std::shared_ptr<broker> to;

  std::unique_ptr<millrace::sink_writer<std::string, committable>> create_writer(
      millrace::sink_writer_context& context) const {
    return std::make_unique<broker_writer>(context, to);
  }
  std::shared_ptr<millrace::committer<committable>> create_committer(
      const millrace::committer_context&) const {
    return std::make_shared<broker_committer>(to);
  }
};

/// The same with somebody who hears of everything.
struct audited_broker_sink : broker_sink {
  struct auditor : global_committer<std::uint64_t> {
    explicit auditor(std::shared_ptr<std::size_t> to) : seen(std::move(to)) {}
    commit_result commit(checkpoint_id, const std::vector<std::uint64_t>& all) override {
      *seen += all.size();
      return commit_result::committed();
    }
    std::shared_ptr<std::size_t> seen;
  };
  std::shared_ptr<std::size_t> seen = std::make_shared<std::size_t>(0);

  std::shared_ptr<global_committer<std::uint64_t>> create_global_committer(
      const committer_context&) const {
    return std::make_shared<auditor>(seen);
  }
};

struct order {
  std::string country;
  std::int64_t cents = 0;
};

std::vector<order> some_orders() {
  std::vector<order> orders;
  for (int i = 0; i < 100; ++i) orders.push_back({i % 2 == 0 ? "at" : "de", i});
  return orders;
}

/// All lines of the files below a directory, sorted.
std::vector<std::string> lines_below(const test::memory_files& files,
                                     const std::string& directory) {
  std::vector<std::string> lines;
  for (const auto& path : files.paths()) {
    CHECK(path.find("/.") == path.npos);  // nothing unfinished is left
    if (!path.starts_with(directory)) continue;
    const auto text = files.content(path);
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace

TEST_CASE("a job writes part files into buckets, each record once") {
  const auto orders = some_orders();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto runner = std::make_shared<local_runner>(test::pipeline_settings{.seed = seed});
    stream_environment env({}, runner);
    env.set_parallelism(3);
    auto sink = env.from_collection(orders).rebalance().sink_to(
        file_sink<order>::for_csv("/data/orders", {.header = {"country", "cents"}})
            .with_bucket_assigner(buckets_by(&order::country))
            .with_rolling_policy({.part_bytes = 64})
            .with_part_names({.prefix = "orders", .suffix = ".csv"}));
    if (seed % 2 == 0) sink.disable_chaining();
    env.execute();
    for (const int country : {0, 1}) {
      std::vector<std::string> expected;
      for (const auto& o : orders)
        if (o.cents % 2 == country) expected.push_back(o.country + ',' + std::to_string(o.cents));
      std::sort(expected.begin(), expected.end());
      auto lines =
          lines_below(runner->files(), country == 0 ? "/data/orders/at" : "/data/orders/de");
      const auto headers = std::erase(lines, "country,cents");
      CHECK(headers >= 3);
      CHECK(lines == expected);
    }
  }
}

TEST_CASE("a file sink writes what an encoder of the user's makes of each record") {
  const auto runner = std::make_shared<local_runner>();
  stream_environment env({}, runner);
  const auto encoder = [](std::string& out, const order& o) {
    out += '<' + o.country + ' ' + std::to_string(o.cents) + '>';
  };
  env.from_elements<order>({{"at", 7}, {"de", 1200}})
      .sink_to(file_sink<order>::for_encoder("/data/encoded", encoder)
                   .with_part_names({.prefix = "orders", .suffix = ".txt"}));
  env.execute();
  CHECK(runner->files().paths() == std::vector<std::string>{"/data/encoded/orders-0-0.txt"});
  CHECK(runner->files().content("/data/encoded/orders-0-0.txt") == "<at 7><de 1200>");
}

TEST_CASE("a connector of one's own commits all that a job writes") {
  const auto runner = std::make_shared<local_runner>();
  stream_environment env({}, runner);
  const auto to = std::make_shared<broker>();
  env.from_collection(std::vector<std::string>{"a", "b", "c"})
      .sink_to(broker_sink{to})
      .name("broker")
      .uid("broker")
      .set_parallelism(2);
  env.execute();
  CHECK(to->visible() == std::vector<std::string>{"a", "b", "c"});
  const auto& graph = runner->last_graph();
  CHECK(graph.vertices.back().name == "broker -> Sink: broker: committer");
  CHECK(graph.vertices.back().operators.back().uid == "broker-committer");
}

TEST_CASE("a global committer hears of what all subtasks have prepared") {
  const auto runner = std::make_shared<local_runner>();
  stream_environment env({}, runner);
  audited_broker_sink sink{{std::make_shared<broker>()}};
  env.from_collection(std::vector<std::string>{"a", "b", "c", "d"})
      .rebalance()
      .sink_to(sink)
      .set_parallelism(3);
  env.execute();
  CHECK(sink.to->visible().size() == 4);
  CHECK(*sink.seen == 3);
  const auto& last = runner->last_graph().vertices.back();
  CHECK(last.name == "Sink: sink: global committer");
  CHECK(last.parallelism == 1);
}

TEST_CASE("the job graph says which operators make output visible with a checkpoint") {
  const auto that_commit = [](const auto& finish) {
    const auto job = std::make_shared<test::captured_job>();
    stream_environment env({}, job);
    finish(env.from_collection(std::vector<std::string>{"a"}), env);
    std::vector<std::string> names;
    for (const auto& vertex : job->graph.vertices)
      for (const auto& op : vertex.operators)
        if (op.commits) names.push_back(op.name);
    return names;
  };
  using names = std::vector<std::string>;
  CHECK(that_commit([](auto texts, auto&) { texts.execute_and_collect(); }) == names{"collect"});
  CHECK(that_commit([](auto texts, auto& env) {
          texts.sink_to(audited_broker_sink{{std::make_shared<broker>()}}).name("broker");
          env.execute();
        }) == names{"broker: committer", "broker: global committer"});
  CHECK(that_commit([](auto texts, auto& env) {
          texts.write_as_text("/data/texts");
          env.execute();
        }) == names{"write_as_text: committer"});
  CHECK(that_commit([](auto texts, auto& env) {
          texts.print();
          texts.discard();
          texts.add_sink([](const std::string&) {});
          env.execute();
        }).empty());
}

}  // namespace sinks_test
