// The functions of docs/process-functions.md, which must compile and do what is said about them.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "millrace/operators/broadcast_process.hpp"
#include "millrace/operators/co_process.hpp"
#include "millrace/operators/keyed_process.hpp"
#include "support/operator_harness.hpp"

namespace process_guide_test {

using namespace millrace;
using test::operator_harness;

namespace {

struct payment {
  std::int64_t account = 0;
  double amount = 0;
  bool operator==(const payment&) const = default;
};
struct alert {
  std::int64_t account = 0;
  double amount = 0;
  bool operator==(const alert&) const = default;
};
struct ride {
  std::int64_t id = 0;
  std::string driver;
  bool operator==(const ride&) const = default;
};
struct fare {
  std::int64_t ride_id = 0;
  double total = 0;
  bool operator==(const fare&) const = default;
};
struct ride_and_fare {
  ride what;
  fare paid;
  bool operator==(const ride_and_fare&) const = default;
};

class fraud_detector : public keyed_process_function<std::int64_t, payment, alert> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    timer_ = context.get_state(value_state_descriptor<timestamp_ms>("timer"));
  }

  void process_element(const payment& p, keyed_process_context<std::int64_t>& now,
                       collector<alert>& out) override {
    if (const auto* at = timer_.find()) {
      if (p.amount > 500) out.emit({now.current_key(), p.amount});
      now.timer_service().delete_event_time_timer(*at);
      timer_.clear();
    }
    if (p.amount < 1) {
      timer_.update(now.timestamp() + 60'000);
      now.timer_service().register_event_time_timer(timer_.value());
    }
  }

  void on_timer(timestamp_ms, on_timer_context<std::int64_t>&, collector<alert>&) override {
    timer_.clear();
  }

 private:
  value_state<timestamp_ms> timer_;
};

class enrich : public keyed_co_process_function<std::int64_t, ride, fare, ride_and_fare> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    ride_ = context.get_state(value_state_descriptor<ride>("ride"));
    fare_ = context.get_state(value_state_descriptor<fare>("fare"));
  }
  void process_element1(const ride& r, keyed_process_context<std::int64_t>&,
                        collector<ride_and_fare>& out) override {
    if (const auto* f = fare_.find()) {
      out.emit({r, *f});
      fare_.clear();
    } else {
      ride_.update(r);
    }
  }
  void process_element2(const fare& f, keyed_process_context<std::int64_t>&,
                        collector<ride_and_fare>& out) override {
    if (const auto* r = ride_.find()) {
      out.emit({*r, f});
      ride_.clear();
    } else {
      fare_.update(f);
    }
  }

 private:
  value_state<ride> ride_;
  value_state<fare> fare_;
};

struct limit {
  std::string name;
  double euros = 0;
  bool operator==(const limit&) const = default;
};

struct refund {
  std::int64_t account = 0;
  double amount = 0;
  bool operator==(const refund&) const = default;
};

struct balance {
  void open(keyed_runtime_context<std::int64_t>& context) {
    euros_ = context.get_state(value_state_descriptor<double>("euros"));
  }
  double map1(const payment& p) { return euros_.get_or_default() -= p.amount; }
  double map2(const refund& r) { return euros_.get_or_default() += r.amount; }

  value_state<double> euros_;
};

const map_state_descriptor<std::string, double> limits("limits");
const list_state_descriptor<payment> unchecked("unchecked");

class limit_check : public keyed_broadcast_process_function<std::int64_t, payment, limit, alert> {
 public:
  void open(keyed_runtime_context<std::int64_t>& context) override {
    unchecked_ = context.get_list_state(unchecked);
  }
  void process_element(const payment& p, keyed_broadcast_read_only_context<std::int64_t>& now,
                       collector<alert>& out) override {
    if (const auto* most = now.get_broadcast_state(limits).get("payment")) {
      if (p.amount > *most) out.emit({p.account, p.amount});
    } else {
      unchecked_.add(p);
    }
  }
  void process_broadcast_element(const limit& l, keyed_broadcast_context<std::int64_t>& now,
                                 collector<alert>& out) override {
    now.get_broadcast_state(limits).put(l.name, l.euros);
    if (l.name != "payment") return;
    now.apply_to_keyed_state(unchecked, [&](std::int64_t account, const list_state<payment>& all) {
      for (const auto& p : all.get())
        if (p.amount > l.euros) out.emit({account, p.amount});
      all.clear();
    });
  }

 private:
  list_state<payment> unchecked_;
};

template <class T>
void feed(stream_operator& op, std::size_t input, std::vector<T> rows) {
  typed_batch_ptr<T> in(new typed_batch<T>);
  in->rows.assign(rows.begin(), rows.end());
  op.process(input, *in, rows_access::exclusive);
}

}  // namespace

TEST_CASE("the guide's fraud detector reports a large sum within a minute after a tiny one") {
  operator_harness<payment, alert> op(
      make_keyed_process<payment, alert>(&payment::account, fraud_detector{}));
  op.open();
  op.process_timed({{1, 0.5}, {2, 0.5}, {1, 600}, {3, 700}, {2, 20}, {2, 800}},
                   {0, 0, 1000, 1000, 2000, 3000});
  CHECK(op.take() == std::vector<alert>{{1, 600}});
  op.process_timed({{4, 0.1}}, {10'000});
  op.advance_to(70'000);
  op.process_timed({{4, 900}}, {71'000});
  CHECK(op.take().empty());
}

TEST_CASE("the guide's enrichment joins rides and fares whichever comes first") {
  operator_harness<ride, ride_and_fare> op(
      make_keyed_co_process<ride, fare, ride_and_fare>(&ride::id, &fare::ride_id, enrich{}));
  op.open();
  feed<ride>(op.op(), 0, {{1, "ann"}});
  feed<fare>(op.op(), 1, {{2, 20}, {1, 10}});
  feed<ride>(op.op(), 0, {{2, "bob"}, {3, "eve"}});
  CHECK(op.take() == std::vector<ride_and_fare>{{{1, "ann"}, {1, 10}}, {{2, "bob"}, {2, 20}}});
}

TEST_CASE("the guide's balance is one for payments and refunds") {
  operator_harness<payment, double> op(make_keyed_co_process<payment, refund, double>(
      &payment::account, &refund::account, detail::co_map_methods<balance>{{balance{}}}));
  op.open();
  feed<payment>(op.op(), 0, {{1, 10}, {2, 20}});
  feed<refund>(op.op(), 1, {{1, 4}, {2, 25}});
  CHECK(op.take() == std::vector<double>{-10, -20, -6, 5});
}

TEST_CASE("the guide's limit check finds payments that came before the limit and after") {
  broadcast_descriptors states;
  states.add(limits);
  operator_harness<payment, alert> op(make_keyed_broadcast_process<payment, limit, alert>(
      &payment::account, states, limit_check{}));
  op.open();
  feed<payment>(op.op(), 0, {{1, 100}, {2, 900}});
  feed<limit>(op.op(), 1, {{"transfer", 10}});
  CHECK(op.take().empty());
  feed<limit>(op.op(), 1, {{"payment", 500}});
  feed<payment>(op.op(), 0, {{1, 600}, {2, 400}});
  CHECK(op.take() == std::vector<alert>{{2, 900}, {1, 600}});
  feed<limit>(op.op(), 1, {{"payment", 50}});
  CHECK(op.take().empty());
}

}  // namespace process_guide_test
