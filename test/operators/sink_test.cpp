#include <doctest/doctest.h>

#include <deque>
#include <stdexcept>

#include "millrace/operators/sink.hpp"
#include "support/sink_harness.hpp"

namespace sink_test {

using namespace millrace;
using namespace std::chrono_literals;
using test::saved_sink;
using test::sink_harness;
using strings = std::vector<std::string>;

namespace {

/// What has happened, in its order; and what committers are to answer.
struct fake_world {
  strings log;
  std::deque<commit_status> answers;  // committed when there is none
  bool throws = false;

  strings take() { return std::exchange(log, {}); }
  commit_result answer() {
    if (throws) throw std::runtime_error("no such luck");
    if (answers.empty()) return commit_result::committed();
    commit_result next{answers.front(), {}};
    answers.pop_front();
    if (next.status == commit_status::retry_later || next.status == commit_status::failed)
      next.why = {errc::io, "the server is down"};
    return next;
  }
};

std::string joined(const strings& texts) {
  std::string all;
  for (const auto& text : texts) all += all.empty() ? text : "+" + text;
  return all;
}

/// A committable is what was written since the last one, which a flush writes out by I/O.
class fake_writer final : public sink_writer<int, std::string> {
 public:
  fake_writer(sink_writer_context& context, std::shared_ptr<fake_world> world)
      : context_(context),
        world_(std::move(world)),
        state_(context.operator_state().get_list_state(list_state_descriptor<int>("rows"))) {
    if (!context.is_restored()) return;
    world_->log.push_back("restore " + std::to_string(state_.get().size()));
    rows_ = state_.get();
  }

  void write(const sink_rows<int>& rows) override {
    rows_.insert(rows_.end(), rows.rows.begin(), rows.rows.end());
    world_->log.push_back("write");
  }
  void flush(flush_cause why) override {
    world_->log.push_back(why == flush_cause::checkpoint ? "flush" : "flush at end");
    is_busy_ = true;
    context_.io().submit([] {},
                         [this] {
                           is_busy_ = false;
                           world_->log.push_back("flushed");
                           // The last row stays with the writer, unless nothing follows.
                           is_ready_ = true;
                         });
    keeps_one_ = why == flush_cause::checkpoint;
  }
  bool is_busy() const noexcept override { return is_busy_; }
  strings prepare_commit() override {
    if (!std::exchange(is_ready_, false)) return {};
    strings texts;
    const std::size_t kept = keeps_one_ && !rows_.empty() ? 1 : 0;
    while (rows_.size() > kept) {
      texts.push_back(std::to_string(rows_.front()));
      rows_.erase(rows_.begin());
    }
    world_->log.push_back("prepare " + joined(texts));
    if (texts.empty()) return {};
    return {joined(texts)};
  }
  void snapshot_state(checkpoint_id id) override {
    state_.update(rows_);
    world_->log.push_back("snapshot " + std::to_string(id.number));
  }
  void on_checkpoint_complete(checkpoint_id id) override {
    world_->log.push_back("complete " + std::to_string(id.number));
  }
  void close() noexcept override { world_->log.push_back("close"); }

 private:
  sink_writer_context& context_;
  std::shared_ptr<fake_world> world_;
  operator_list_state<int> state_;
  std::vector<int> rows_;
  bool is_busy_ = false;
  bool is_ready_ = false;
  bool keeps_one_ = false;
};

struct fake_committer final : committer<std::string> {
  explicit fake_committer(std::shared_ptr<fake_world> w) : world(std::move(w)) {}
  std::vector<commit_result> commit(const strings& what) override {
    world->log.push_back("commit " + joined(what));
    std::vector<commit_result> results;
    for (std::size_t i = 0; i < what.size(); ++i) results.push_back(world->answer());
    return results;
  }
  void discard(const strings& what) noexcept override {
    world->log.push_back("discard " + joined(what));
  }
  std::shared_ptr<fake_world> world;
};

struct fake_global_committer final : global_committer<std::string> {
  explicit fake_global_committer(std::shared_ptr<fake_world> w) : world(std::move(w)) {}
  commit_result commit(checkpoint_id id, const strings& all) override {
    world->log.push_back("commit " + std::to_string(id.number) + ": " + joined(all));
    return world->answer();
  }
  std::shared_ptr<fake_world> world;
};

struct fake_sink {
  using committable = std::string;
  std::shared_ptr<fake_world> world = std::make_shared<fake_world>();

  std::unique_ptr<sink_writer<int, std::string>> create_writer(sink_writer_context& context) const {
    return std::make_unique<fake_writer>(context, world);
  }
  std::shared_ptr<committer<std::string>> create_committer(const committer_context&) const {
    return std::make_shared<fake_committer>(world);
  }
  std::shared_ptr<global_committer<std::string>> create_global_committer(
      const committer_context&) const {
    return std::make_shared<fake_global_committer>(world);
  }
  commit_retry_policy commit_retries() const { return {100ms, 300ms, 4}; }
};

using harness = sink_harness<int, fake_sink>;

std::string failure_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const failure& e) {
    return e.what();
  }
  return "no failure";
}

}  // namespace

TEST_CASE("a barrier waits for the writer, and committables wait for the checkpoint") {
  fake_sink sink;
  harness h(sink);
  h.take_checkpoints().open();
  h.process({1, 2, 3});
  auto& writer = h.writer().op();
  writer.prepare_snapshot(checkpoint_id{1});
  CHECK(writer.is_busy());
  CHECK(sink.world->take() == strings{"write", "flush"});
  h.run_io();
  CHECK(!writer.is_busy());
  CHECK(sink.world->take() == strings{"flushed", "prepare 1+2"});
  CHECK(h.take() == strings{"1+2"});  // for a global committer, before the barrier
  writer.snapshot_state(checkpoint_id{1});
  static_cast<void>(h.committer().checkpoint(checkpoint_id{1}));
  CHECK(h.is_io_idle());
  h.complete(1);
  h.run_io();
  CHECK(sink.world->take() == strings{"snapshot 1", "complete 1", "commit 1+2"});
  CHECK(h.committer().runtime().metric("successfulCommittables").value() == 1);
}

TEST_CASE("what an aborted checkpoint had is committed with the next") {
  fake_sink sink;
  harness h(sink);
  h.take_checkpoints().open();
  h.process({1, 2});
  static_cast<void>(h.checkpoint(1));
  h.abort(1);
  h.process({3});
  static_cast<void>(h.checkpoint(2));
  h.process({4});
  static_cast<void>(h.checkpoint(3));
  sink.world->take();
  h.complete(2);
  h.run_io();
  CHECK(sink.world->take() == strings{"complete 2", "commit 1+2"});
  h.complete(3);
  h.run_io();
  CHECK(sink.world->take() == strings{"complete 3", "commit 3"});
}

TEST_CASE("a barrier that comes while the writer works for an aborted one waits for its own") {
  fake_sink sink;
  harness h(sink);
  h.take_checkpoints().open();
  h.process({1, 2});
  auto& writer = h.writer().op();
  writer.prepare_snapshot(checkpoint_id{1});
  writer.on_checkpoint_aborted(checkpoint_id{1});
  writer.prepare_snapshot(checkpoint_id{2});
  sink.world->take();
  h.run_io(1);
  CHECK(writer.is_busy());
  h.run_io();
  CHECK(!writer.is_busy());
  CHECK(sink.world->take() == strings{"flushed", "flush", "flushed", "prepare 1"});
}

TEST_CASE("a completion speaks for earlier checkpoints, whose own was left out") {
  fake_sink sink;
  harness h(sink);
  h.take_checkpoints().open();
  for (std::uint64_t id = 1; id <= 3; ++id) {
    h.process({static_cast<int>(id)});
    static_cast<void>(h.checkpoint(id));
  }
  sink.world->take();
  h.complete(3);
  h.run_io();
  CHECK(sink.world->take() == strings{"complete 3", "commit 1+2"});
}

TEST_CASE("a restart commits again before it takes records, and goes on with the writer's state") {
  fake_sink sink;
  saved_sink saved;
  {
    harness first(sink);
    first.take_checkpoints().open();
    first.process({1, 2, 3});
    saved = first.checkpoint(1);
    first.complete(1);
    first.run_io();
  }
  sink.world->take();
  sink.world->answers = {commit_status::already_committed};
  harness second(sink);
  second.take_checkpoints().restore(saved).open();
  CHECK(second.is_busy());
  second.run_io();
  CHECK(!second.is_busy());
  CHECK(sink.world->take() == strings{"restore 1", "commit 1+2"});
  CHECK(second.committer().runtime().metric("alreadyCommittedCommittables").value() == 1);
  second.process({4});
  static_cast<void>(second.checkpoint(2));
  second.complete(2);
  second.run_io();
  CHECK(sink.world->take() ==
        strings{"write", "flush", "flushed", "prepare 3", "snapshot 2", "complete 2", "commit 3"});
}

TEST_CASE("the end of the input hands over the rest, which waits for the last checkpoint") {
  fake_sink sink;
  harness h(sink);
  h.take_checkpoints().open();
  h.process({1, 2});
  sink.world->take();
  h.finish();
  CHECK(!h.is_busy());
  CHECK(sink.world->take() == strings{"flush at end", "flushed", "prepare 1+2"});
  static_cast<void>(h.checkpoint(7));
  CHECK(sink.world->take() == strings{"snapshot 7"});
  sink.world->answers = {commit_status::retry_later};
  h.complete(7);
  CHECK(h.is_busy());
  h.run_io();
  CHECK(h.is_busy());  // it is tried again
  h.pass_time(100ms);
  h.run_io();
  CHECK(!h.is_busy());
  CHECK(sink.world->take() == strings{"complete 7", "commit 1+2", "commit 1+2"});
}

TEST_CASE("without checkpoints everything is committed as soon as it is handed over") {
  fake_sink sink;
  harness h(sink);
  h.open();
  h.process({1, 2});
  h.writer().finish();
  h.run_io();
  CHECK(sink.world->take() ==
        strings{"write", "flush at end", "flushed", "prepare 1+2", "commit 1+2"});
  h.committer().finish();
  CHECK(!h.is_busy());
  h.close();
  CHECK(sink.world->take() == strings{"close"});
}

TEST_CASE("what was handed over before the first checkpoint is discarded with the job") {
  fake_sink sink;
  harness h(sink);
  SUBCASE("without checkpoints it is all that was not committed") {
    h.open();
    h.process({1, 2});
    h.writer().finish();
    h.run_io(1);  // the writer's, not the committer's
    sink.world->take();
    h.close();
    h.run_io();
    CHECK(sink.world->take() == strings{"close", "commit 1+2", "discard 1+2"});
  }
  SUBCASE("with them nothing since the first, complete or not, which may go on with it") {
    h.take_checkpoints().open();
    h.process({1, 2});
    static_cast<void>(h.checkpoint(1));
    h.process({3, 4});
    h.writer().finish();
    h.run_io();
    sink.world->take();
    h.close();
    h.run_io();
    CHECK(sink.world->take() == strings{"close"});
  }
}

TEST_CASE("commits are tried again with growing pauses, and in the order of checkpoints") {
  fake_sink sink;
  harness h(sink);
  h.take_checkpoints().open();
  h.process({1, 2});
  static_cast<void>(h.checkpoint(1));
  sink.world->take();
  using enum commit_status;
  sink.world->answers = {retry_later, retry_later, retry_later};
  h.complete(1);
  h.run_io();
  h.pass_time(99ms);
  CHECK(h.is_io_idle());
  h.process({3});
  static_cast<void>(h.checkpoint(2));
  h.complete(2);
  CHECK(h.is_io_idle());  // the second waits for the first
  h.pass_time(1ms);
  sink.world->take();
  h.run_io();
  CHECK(sink.world->take() == strings{"commit 1+2"});  // both were put off again
  h.pass_time(199ms);
  CHECK(h.is_io_idle());
  h.pass_time(1ms);
  h.run_io();
  CHECK(sink.world->take() == strings{"commit 1+2"});
  CHECK(h.committer().runtime().metric("retriedCommittables").value() == 3);
  CHECK(h.committer().runtime().metric("successfulCommittables").value() == 2);
}

TEST_CASE("a commit that can't succeed, or never does, fails the job and says why") {
  fake_sink sink;
  const auto outcome = [&] {
    harness h(sink);
    h.take_checkpoints().open();
    h.process({1, 2});
    static_cast<void>(h.checkpoint(1));
    h.complete(1);
    return failure_of([&] {
      for (int i = 0; i < 10; ++i) {
        h.run_io();
        h.pass_time(1s);
      }
    });
  };
  using enum commit_status;
  sink.world->answers = {failed};
  CHECK(outcome() == "the server is down");
  sink.world->answers = {retry_later, retry_later, retry_later, retry_later};
  CHECK(outcome() == "gave up after 4 attempts to commit: the server is down");
  sink.world->throws = true;
  CHECK(outcome() == "a committer threw: no such luck");
}

TEST_CASE("a global committer gets all that belongs to a checkpoint at once") {
  fake_sink sink;
  const auto factory = make_sink_operators<int>(sink).global_committer;
  using global_harness = test::operator_harness<std::string, std::string>;
  std::vector<saved_operator_state> saved;
  {
    global_harness h(factory);
    h.take_checkpoints();
    h.open();
    h.process({"a"});
    h.process({"b", "c"});
    static_cast<void>(h.checkpoint(checkpoint_id{1}));
    h.process({"d"});
    saved = h.checkpoint(checkpoint_id{2});
    h.op().on_checkpoint_complete(checkpoint_id{2});
    h.manual().run_all();
    CHECK(sink.world->take() == strings{"commit 1: a+b+c", "commit 2: d"});
  }
  sink.world->answers = {commit_status::retry_later};
  global_harness h(factory);
  h.take_checkpoints();
  h.restore(saved);
  h.open();
  h.manual().run_all();
  CHECK(sink.world->take() == strings{"commit 1: a+b+c"});  // the second does not overtake it
  h.pass_time(100ms);
  h.manual().run_all();
  CHECK(sink.world->take() == strings{"commit 1: a+b+c", "commit 2: d"});
}

TEST_CASE("without checkpoints a global committer waits for the end of the input") {
  fake_sink sink;
  test::operator_harness<std::string, std::string> h(
      make_sink_operators<int>(sink).global_committer);
  h.open();
  h.process({"a"});
  h.process({"b"});
  CHECK(h.manual().is_empty());
  h.finish();
  CHECK(h.op().is_busy());
  h.manual().run_all();
  CHECK(!h.op().is_busy());
  CHECK(sink.world->take() == strings{"commit 0: a+b"});
}

TEST_CASE("a committer that loses count fails the job") {
  commit_queue<std::string> queue{{}};
  queue.add("a");
  queue.complete_all();
  CHECK(queue.take().size() == 1);
  CHECK(queue.settle({}, {}).failure->message ==
        "a committer returned 0 results for 1 committables");
}

}  // namespace sink_test
