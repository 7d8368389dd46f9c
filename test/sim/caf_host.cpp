#include <algorithm>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/test_multiplexer.hpp>
#include <caf/io/scribe.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <set>
#include <typeinfo>
#include <utility>

#include "millrace/actors/wire.hpp"
#include "sim/sim_host.hpp"

// The simulation's host on CAF 0.17: its scheduler, clock and multiplexer for tests are part of the
// library as packaged.

namespace millrace::sim {

namespace {

using caf::io::network::test_multiplexer;

/// The test scheduler, which also remembers every actor that was ever ready, so that all can be
/// ended together with their process.
class sim_scheduler final : public caf::scheduler::test_coordinator {
 public:
  using test_coordinator::test_coordinator;

  template <class... Ts>
  static module* make(caf::actor_system& system, caf::detail::type_list<Ts...>) {
    return new sim_scheduler(system);
  }

  /// Moves one ready job to the front, where the next step takes it from.
  void choose(std::size_t which) { std::swap(jobs.front(), jobs[which]); }

  bool run_chosen() {
    const auto waiting = jobs.size();
    if (!try_run_once()) return false;
    // Actors that it has spawned went straight to the end of the queue.
    for (auto i = waiting - 1; i < jobs.size(); ++i) remember(jobs[i]);
    return true;
  }

  const std::vector<caf::weak_actor_ptr>& actors() const { return actors_; }

 protected:
  void enqueue(caf::resumable* job) override {
    remember(job);
    test_coordinator::enqueue(job);
  }

 private:
  void remember(caf::resumable* job) {
    auto* actor = dynamic_cast<caf::scheduled_actor*>(job);
    if (actor != nullptr && known_.insert(actor->id()).second) actors_.emplace_back(actor->ctrl());
  }

  std::vector<caf::weak_actor_ptr> actors_;
  std::set<caf::actor_id> known_;
};

struct host_config : caf::actor_system_config {
  host_config() {
    load<caf::io::middleman>();
    load<sim_scheduler>();
    set("scheduler.policy", caf::atom("testing"));
    set("logger.inline-output", true);
    set("logger.verbosity", caf::atom("quiet"));
    set("logger.file-verbosity", caf::atom("quiet"));
    set("logger.console-verbosity", caf::atom("quiet"));
    set("middleman.network-backend", caf::atom("testing"));
    set("middleman.manual-multiplexing", true);
    set("middleman.attach-utility-actors", true);
    set("middleman.enable-automatic-connections", false);
    set("middleman.heartbeat-interval", caf::timespan{0});
    set("middleman.connection-timeout", caf::timespan{0});
    set("middleman.app-identifiers", std::vector<std::string>{"millrace"});
    set("middleman.workers", std::size_t{0});
    wire::register_types(*this);
  }
};

/// A connection as the BASP broker sees it. Bytes go to and come from the simulated network.
class sim_scribe final : public caf::io::scribe {
 public:
  sim_scribe(caf::io::connection_handle handle, test_multiplexer& multiplexer, stream_events events)
      : scribe(handle), multiplexer_(multiplexer), events_(std::move(events)) {}

  void configure_read(caf::io::receive_policy::config config) override {
    policy_ = config;
    is_attached_ = true;
  }
  void ack_writes(bool) override {}
  std::vector<char>& wr_buf() override { return written_; }
  std::vector<char>& rd_buf() override { return reading_; }
  void flush() override {
    if (!written_.empty() && !ended_) events_.on_write(std::exchange(written_, {}));
  }
  void graceful_shutdown() override {
    flush();
    close();
    detach(&multiplexer_, false);
  }
  std::string addr() const override { return "simulated"; }
  std::uint16_t port() const override { return 0; }
  void add_to_loop() override {}
  void remove_from_loop() override {}

  /// The broker has taken it over.
  bool is_attached() const { return is_attached_; }

  void deliver(const std::vector<char>& bytes) {
    arrived_.insert(arrived_.end(), bytes.begin(), bytes.end());
    std::size_t from = 0;
    while (!ended_) {
      const auto wanted = std::max<std::size_t>(policy_.second, 1);
      if (arrived_.size() - from < wanted) break;
      const auto first = arrived_.begin() + static_cast<std::ptrdiff_t>(from);
      reading_.assign(first, first + static_cast<std::ptrdiff_t>(wanted));
      from += wanted;
      if (!consume(&multiplexer_, reading_.data(), wanted)) close();
    }
    arrived_.erase(arrived_.begin(), arrived_.begin() + static_cast<std::ptrdiff_t>(from));
  }

  void fail() {
    if (std::exchange(ended_, true)) return;
    io_failure(&multiplexer_, caf::io::network::operation::read);
  }

 private:
  void close() {
    if (!std::exchange(ended_, true)) events_.on_close();
  }

  test_multiplexer& multiplexer_;
  stream_events events_;
  caf::io::receive_policy::config policy_{caf::io::receive_policy_flag::exactly, 1};
  std::vector<char> written_;
  std::vector<char> reading_;
  std::vector<char> arrived_;
  bool is_attached_ = false;
  bool ended_ = false;
};

class scribe_stream final : public host_stream {
 public:
  explicit scribe_stream(caf::intrusive_ptr<sim_scribe> scribe) : scribe_(std::move(scribe)) {}
  bool is_ready() const override { return scribe_->is_attached(); }
  void deliver(const std::vector<char>& bytes) override { scribe_->deliver(bytes); }
  void fail() override { scribe_->fail(); }

 private:
  caf::intrusive_ptr<sim_scribe> scribe_;
};

class caf_host final : public sim_host {
 public:
  explicit caf_host(message_observer* observer)
      : system_(config_),
        scheduler_(dynamic_cast<sim_scheduler&>(system_.scheduler())),
        multiplexer_(dynamic_cast<test_multiplexer&>(system_.middleman().backend())),
        broker_(caf::actor_cast<caf::strong_actor_ptr>(
            system_.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP")))),
        observer_(observer) {}

  ~caf_host() override {
    scheduler_.clock().cancel_all();
    observer_ = nullptr;
    while (kill_actors()) {
      while (scheduler_.run_chosen() || multiplexer_.try_exec_runnable()) {
      }
    }
  }

  caf::actor_system& system() override { return system_; }
  caf::node_id node() override { return system_.node(); }

  std::size_t ready_actors() const override { return scheduler_.jobs.size(); }
  void run_actor(std::size_t which) override {
    scheduler_.choose(which);
    if (observer_ != nullptr) observe(*scheduler_.jobs.front());
    scheduler_.run_chosen();
  }
  bool run_broker() override { return multiplexer_.try_exec_runnable(); }

  time_point now() const override { return clock().current_time; }
  void set_time(time_point now) override {
    scheduler_.clock().current_time = std::max(now, clock().current_time);
  }
  std::optional<time_point> next_timer() const override {
    const auto& timers = clock().schedule();
    if (timers.empty()) return std::nullopt;
    return timers.begin()->first;
  }
  std::size_t pending_timers() const override { return clock().schedule().size(); }
  void fire_timer() override { scheduler_.clock().trigger_timeout(); }

  bool has_route_to(const caf::node_id& node) const override {
    auto& broker = *static_cast<caf::io::basp_broker*>(broker_->get());
    return static_cast<bool>(broker.instance.tbl().lookup_direct(node));
  }

  std::shared_ptr<host_stream> accept(stream_events events,
                                      caf::strong_actor_ptr published) override {
    auto scribe = make_scribe(std::move(events));
    caf::anon_send(caf::actor_cast<caf::actor>(broker_), caf::publish_atom_v,
                   caf::io::scribe_ptr(scribe), std::uint16_t{1}, std::move(published),
                   std::set<std::string>{});
    return std::make_shared<scribe_stream>(std::move(scribe));
  }

  std::shared_ptr<host_stream> connect(stream_events events, std::chrono::milliseconds timeout,
                                       connected_callback done) override {
    auto scribe = make_scribe(std::move(events));
    auto waiter = [scribe, timeout, broker = caf::actor_cast<caf::actor>(broker_),
                   done = std::move(done)](caf::event_based_actor* self) mutable {
      self->request(broker, timeout, caf::connect_atom_v, caf::io::scribe_ptr(scribe),
                    std::uint16_t{0})
          .then(
              [done](const caf::node_id&, caf::strong_actor_ptr& actor,
                     const std::set<std::string>&) {
                if (actor) return done(std::move(actor));
                done(millrace::fail(errc::unreachable, "the node does not publish anything yet"));
              },
              [done](const caf::error&) {
                done(millrace::fail(errc::unreachable, "lost during the handshake"));
              });
    };
    system_.spawn<caf::hidden>(std::move(waiter));
    return std::make_shared<scribe_stream>(std::move(scribe));
  }

  std::vector<std::string> live_actors() const override {
    std::vector<std::string> names;
    for_each_actor([&](const auto&, const std::string& name) {
      if (name.starts_with("millrace.")) names.push_back(name);
    });
    std::sort(names.begin(), names.end());
    return names;
  }
  void kill_actor(const std::string& wanted, std::size_t which) override {
    std::vector<caf::strong_actor_ptr> found;
    for_each_actor([&](const caf::strong_actor_ptr& actor, const std::string& name) {
      if (name == wanted) found.push_back(actor);
    });
    if (!found.empty()) caf::anon_send_exit(found[which % found.size()], caf::exit_reason::kill);
  }
  std::size_t timer_count() const override { return clock().schedule().size(); }

 private:
  const caf::detail::test_actor_clock& clock() const { return scheduler_.clock(); }

  caf::intrusive_ptr<sim_scribe> make_scribe(stream_events events) {
    const auto handle = caf::io::connection_handle::from_int(++last_handle_);
    return caf::make_counted<sim_scribe>(handle, multiplexer_, std::move(events));
  }

  void observe(caf::resumable& job) {
    auto* actor = dynamic_cast<caf::scheduled_actor*>(&job);
    if (actor == nullptr) return;
    const auto* next = actor->mailbox().peek();
    if (next == nullptr) return;
    const auto& what = next->content();
    const auto& type = type_of(what);
    if (type == typeid(wire::channel_element))
      observer_->on_element(what.get_as<wire::channel_element>(0));
    else if (type == typeid(wire::channel_credit))
      observer_->on_credit(what.get_as<wire::channel_credit>(0));
    else if (type == typeid(wire::task_state_changed))
      observer_->on_task_state(what.get_as<wire::task_state_changed>(0));
    else if (type == typeid(wire::heartbeat))
      observer_->on_heartbeat(what.get_as<wire::heartbeat>(0));
    // A message that the actor drops is no step for CAF, and what is behind it is handled in the
    // same one. What all others are judged by must not be missed so.
    actor->mailbox().queue().peek_all([this](const caf::mailbox_element& waiting) {
      const auto& content = waiting.content();
      const auto& its_type = type_of(content);
      if (its_type == typeid(wire::deploy_tasks))
        observer_->on_deploy(content.get_as<wire::deploy_tasks>(0));
      else if (its_type == typeid(wire::open_channel))
        observer_->on_open_channel(content.get_as<wire::open_channel>(0));
    });
  }

  /// Of a message's first value; of none if that is a number or a text.
  static const std::type_info& type_of(const caf::type_erased_tuple& what) {
    const auto* type = what.empty() ? nullptr : what.type(0).second;
    return type != nullptr ? *type : typeid(void);
  }

  /// Those that have not ended, with their names.
  template <class Function>
  void for_each_actor(Function&& function) const {
    for (const auto& weak : scheduler_.actors()) {
      const auto actor = caf::actor_cast<caf::strong_actor_ptr>(weak);
      if (actor && !actor->get()->getf(caf::abstract_actor::is_terminated_flag))
        function(actor, static_cast<caf::local_actor*>(actor->get())->name());
    }
  }

  bool kill_actors() {
    bool any = false;
    for_each_actor([&](const auto& actor, const std::string&) {
      caf::anon_send_exit(actor, caf::exit_reason::kill);
      any = true;
    });
    return any;
  }

  host_config config_;
  caf::actor_system system_;
  sim_scheduler& scheduler_;
  test_multiplexer& multiplexer_;
  caf::strong_actor_ptr broker_;
  message_observer* observer_;
  std::int64_t last_handle_ = 0;
};

}  // namespace

std::unique_ptr<sim_host> make_caf_host(message_observer* observer) {
  return std::make_unique<caf_host>(observer);
}

}  // namespace millrace::sim
