#include "millrace/stream/operator_coordinators.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "millrace/stream/operator_coordinator.hpp"
#include "millrace/stream/operator_failure.hpp"

namespace millrace {

bool has_coordinators(const graph::job_graph& graph) noexcept {
  return std::any_of(graph.vertices.begin(), graph.vertices.end(), [](const auto& vertex) {
    return std::any_of(vertex.operators.begin(), vertex.operators.end(),
                       [](const auto& op) { return op.has_coordinator; });
  });
}

/// One coordinator in its place: its world, and which attempts of its subtasks are the current
/// ones.
class operator_coordinators::holder final : public coordinator_context, private io_executor {
 public:
  holder(const graph::job_vertex& vertex, std::uint32_t index, coordinator_services& services,
         bool is_checkpointed)
      : services_(services),
        vertex_(vertex.id),
        index_(index),
        name_(vertex.operators[index].name),
        uid_(vertex.operators[index].uid),
        is_checkpointed_(is_checkpointed),
        ready_(vertex.parallelism) {}

  void make(const operator_factory& factory) {
    try {
      coordinator_ = factory.create_coordinator(*this);
    } catch (...) {
      rethrow_as_operator_failure(name_);
    }
    if (!coordinator_)
      throw failure(errc::internal, "the factory of operator '" + name_ +
                                        "' says that it has a coordinator, but makes none");
  }

  /// Calls the coordinator; what it throws fails the job.
  template <class Call>
  void guarded(Call&& call) {
    if (!is_open_) return;
    try {
      call(*coordinator_);
    } catch (...) {
      fail_with_exception();
    }
  }

  bool is_of(const execution_attempt_id& task) const noexcept {
    return task.vertex == vertex_ && task.subtask < ready_.size();
  }
  bool is_ready(const execution_attempt_id& task) const noexcept {
    return ready_[task.subtask] == task;
  }
  void set_ready(const execution_attempt_id& task) { ready_[task.subtask] = task; }
  void forget(std::uint32_t subtask) { ready_[subtask].reset(); }
  std::uint32_t index() const noexcept { return index_; }
  const std::string& uid() const noexcept { return uid_; }

  void wake(std::chrono::steady_clock::time_point now) {
    if (wake_ > now) {
      if (wake_ != never) services_.wake_at(wake_);
      return;
    }
    wake_ = never;
    guarded([](auto& c) { c.on_wake(); });
  }

  void close() noexcept {
    if (!std::exchange(is_open_, false)) return;
    alive_.reset();
    coordinator_->close();
  }

  const std::string& operator_name() const noexcept override { return name_; }
  const std::string& operator_uid() const noexcept override { return uid_; }
  std::uint32_t parallelism() const noexcept override {
    return static_cast<std::uint32_t>(ready_.size());
  }
  bool is_checkpointed() const noexcept override { return is_checkpointed_; }
  void send_to_subtask(std::uint32_t subtask, std::vector<std::byte> event) override {
    if (is_open_ && subtask < ready_.size() && ready_[subtask])
      services_.send_to_operator(*ready_[subtask], index_, std::move(event));
  }
  void fail(error why) override {
    if (!is_open_) return;
    why.message = "in '" + name_ + "': " + why.message;
    services_.fail_job(std::move(why));
  }
  io_executor& io() noexcept override { return *this; }
  file_system& files() noexcept override { return services_.files(); }
  const clock& time() const noexcept override { return services_.time(); }
  void wake_at(std::chrono::steady_clock::time_point when) override {
    wake_ = std::min(wake_, when);
    services_.wake_at(wake_);
  }

 private:
  static constexpr auto never = std::chrono::steady_clock::time_point::max();

  void submit(std::function<void()> work, std::function<void()> done) override {
    services_.io().submit(std::move(work), guarded_completion(std::move(done)));
  }
  std::function<void()> expect(std::function<void()> done) override {
    return services_.io().expect(guarded_completion(std::move(done)));
  }
  std::function<void()> guarded_completion(std::function<void()> done) {
    return [this, done = std::move(done), alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) guarded([&](auto&) { done(); });
    };
  }

  void fail_with_exception() {
    try {
      rethrow_as_operator_failure(name_);
    } catch (const failure& e) {
      fail(e.what_failed());
    }
  }

  coordinator_services& services_;
  std::uint32_t vertex_;
  std::uint32_t index_;  // of the operator in its vertex
  std::string name_;
  std::string uid_;
  bool is_checkpointed_;
  std::vector<std::optional<execution_attempt_id>> ready_;  // by subtask
  std::chrono::steady_clock::time_point wake_ = never;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool is_open_ = true;
  std::unique_ptr<operator_coordinator> coordinator_;
};

operator_coordinators::operator_coordinators(const graph::job_graph& graph,
                                             std::shared_ptr<const job_program> program,
                                             coordinator_services& services, bool is_checkpointed)
    : services_(services), program_(std::move(program)) {
  for (const auto& vertex : graph.vertices) {
    for (std::uint32_t i = 0; i < vertex.operators.size(); ++i) {
      const auto& op = vertex.operators[i];
      if (!op.has_coordinator) continue;
      if (op.node >= program_->operators.size() || !program_->operators[op.node] ||
          !program_->operators[op.node]->has_coordinator())
        throw failure(errc::invalid_graph,
                      "the job manager has no code for the coordinator of operator '" + op.name +
                          "': its program was built from another job than the one submitted");
      holders_.push_back(std::make_unique<holder>(vertex, i, services_, is_checkpointed));
      holders_.back()->make(*program_->operators[op.node]);
    }
  }
}

operator_coordinators::~operator_coordinators() {
  close();
}

/// A coordinator that fails its job closes all of them.
template <class Call>
void operator_coordinators::each(Call&& call) {
  for (auto& h : holders_) {
    if (!is_open_) return;
    call(*h);
  }
}

status operator_coordinators::restore(const snapshots& of_checkpoint) {
  status outcome;
  each([&](holder& h) {
    const auto found = of_checkpoint.find(h.uid());
    if (found == of_checkpoint.end()) return;
    h.guarded([&](auto& c) {
      if (auto ok = c.restore(found->second); !ok && outcome)
        outcome = tl::unexpected(
            error{ok.error().code, "in '" + h.operator_name() + "': " + ok.error().message});
    });
  });
  return outcome;
}

void operator_coordinators::start() {
  each([](holder& h) { h.guarded([](auto& c) { c.start(); }); });
}

void operator_coordinators::on_task_ready(const execution_attempt_id& task) {
  each([&](holder& h) {
    if (!h.is_of(task) || h.is_ready(task)) return;
    h.set_ready(task);
    h.guarded([&](auto& c) { c.on_subtask_ready(task.subtask); });
  });
}

void operator_coordinators::on_task_gone(const execution_attempt_id& task) {
  each([&](holder& h) {
    if (!h.is_of(task) || !h.is_ready(task)) return;
    h.forget(task.subtask);
    h.guarded([&](auto& c) { c.on_subtask_gone(task.subtask); });
  });
}

void operator_coordinators::on_task_failed(const execution_attempt_id& task,
                                           checkpoint_id restored) {
  each([&](holder& h) {
    if (!h.is_of(task)) return;
    h.forget(task.subtask);
    h.guarded([&](auto& c) { c.on_subtask_failed(task.subtask, restored); });
  });
}

void operator_coordinators::on_event(const execution_attempt_id& task, std::uint32_t operator_index,
                                     byte_view event) {
  each([&](holder& h) {
    if (h.is_of(task) && h.index() == operator_index && h.is_ready(task))
      h.guarded([&](auto& c) { c.on_event(task.subtask, event); });
  });
}

void operator_coordinators::wake(std::chrono::steady_clock::time_point now) {
  each([&](holder& h) { h.wake(now); });
}

operator_coordinators::snapshots operator_coordinators::snapshot(checkpoint_id checkpoint) {
  snapshots all;
  each([&](holder& h) { h.guarded([&](auto& c) { all[h.uid()] = c.snapshot(checkpoint); }); });
  return all;
}

void operator_coordinators::on_checkpoint_complete(checkpoint_id checkpoint) {
  each([&](holder& h) { h.guarded([&](auto& c) { c.on_checkpoint_complete(checkpoint); }); });
}

void operator_coordinators::on_checkpoint_aborted(checkpoint_id checkpoint) {
  each([&](holder& h) { h.guarded([&](auto& c) { c.on_checkpoint_aborted(checkpoint); }); });
}

void operator_coordinators::close() noexcept {
  if (!std::exchange(is_open_, false)) return;
  for (auto& h : holders_) h->close();
}

}  // namespace millrace
