#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "actors/counted_events.hpp"
#include "millrace/millrace.hpp"
#include "support/temporary_directory.hpp"

namespace state_evolution_test {

using namespace millrace;
using namespace std::chrono_literals;

// Jobs of the whole engine that go on from a savepoint of a version whose state had other types.
// Types are known by their form, so the versions of one may have names of their own here.

namespace {

constexpr std::uint64_t payment_count = 12'000;
constexpr std::size_t customers = 7;
constexpr std::uint32_t parallelism = 2;

struct payment {
  std::string customer;
  std::int64_t customer_number = 0;
  std::int64_t amount = 0;
};

struct account {
  std::int64_t balance = 0;
  std::int64_t payments = 0;

  std::string currency_name() const { return "none"; }
};
struct account_with_currency {
  std::int64_t balance = 0;
  std::int64_t payments = 0;
  std::string currency = "EUR";

  const std::string& currency_name() const { return currency; }
};
struct account_of_double {
  double balance = 0;
  std::int64_t payments = 0;

  std::string currency_name() const { return "none"; }
};

struct statement {
  std::string customer;
  std::int64_t balance = 0;
  std::string currency;
};

/// What comes of a life of the job, whose functions are copied, so this is shared.
struct books {
  std::atomic<std::uint32_t> source_openings{0};
  std::mutex mutex;
  std::map<std::string, statement> latest;  // by customer

  std::size_t size() {
    std::lock_guard lock(mutex);
    return latest.size();
  }
};

struct paying {
  std::shared_ptr<books> its_books;

  void open(runtime_context&) { ++its_books->source_openings; }
  payment operator()(const std::uint64_t& i) const {
    const auto number = i % customers;
    return {"customer " + std::to_string(number), static_cast<std::int64_t>(number),
            static_cast<std::int64_t>(i)};
  }
};

template <class Key, class Account>
struct accounting {
  std::string state;
  value_state<Account> account{};

  void open(keyed_runtime_context<Key>& context) {
    account = context.get_state(value_state_descriptor<Account>(state));
  }
  statement operator()(const payment& p) {
    auto& now = account.get_or_default();
    now.balance += p.amount;
    ++now.payments;
    return {p.customer, static_cast<std::int64_t>(now.balance), now.currency_name()};
  }
};

/// By customer, in the end.
std::map<std::string, std::int64_t> all_payments() {
  std::map<std::string, std::int64_t> all;
  for (std::uint64_t i = 0; i < payment_count; ++i)
    all["customer " + std::to_string(i % customers)] += static_cast<std::int64_t>(i);
  return all;
}

/// A job that has stopped with a savepoint, where all customers have an `account`.
class saved_job {
 public:
  saved_job() {
    const auto client = start<account>(&payment::customer, "account", {}, 2'000);
    for (int i = 0; its_books_->size() < customers && i < 2'000; ++i)
      std::this_thread::sleep_for(5ms);
    auto savepoint = client->stop_with_savepoint("", false);
    // It is early if one of the tasks does not run yet.
    for (int i = 0; !savepoint && i < 1'000; ++i) {
      std::this_thread::sleep_for(5ms);
      savepoint = client->stop_with_savepoint("", false);
    }
    REQUIRE_MESSAGE(savepoint.has_value(), savepoint.error().message);
    REQUIRE(client->wait());
    REQUIRE(its_books_->size() == customers);
    savepoint_ = *savepoint;
  }

 protected:
  test::temporary_directory directory_;
  std::string customers_to_;  ///< If the job is to write them, as another operator.

  /// Another version of it, which goes on from the savepoint, to its end.
  template <class Account, class Key>
  result<job_execution_result> run(Key payment::*key, const std::string& backend,
                                   const std::string& state = "account") {
    its_books_ = std::make_shared<books>();
    return start<Account>(
               key, state,
               {{"execution.savepoint.path", savepoint_}, {"state.backend.type", backend}}, {})
        ->wait();
  }
  /// At once: an attempt at it is the only one, though a hundred more are allowed.
  void check_fails(const result<job_execution_result>& ended, const std::string& what,
                   const std::string& advice) const {
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code == errc::type_mismatch);
    CAPTURE(ended.error().message);
    CHECK(ended.error().message.find(what) != std::string::npos);
    CHECK(ended.error().message.find(advice) != std::string::npos);
    CHECK(its_books_->source_openings <= parallelism);
  }
  const std::map<std::string, statement>& statements() const { return its_books_->latest; }

 private:
  template <class Account, class Key>
  std::unique_ptr<job_client> start(Key payment::*key, const std::string& state,
                                    const std::map<std::string, std::string>& settings,
                                    std::optional<double> per_second) {
    stream_environment env(test::recovering_configuration(directory_, settings));
    env.set_parallelism(parallelism);
    const auto statements =
        env.from_generator(paying{its_books_}, {.count = payment_count, .per_second = per_second})
            .uid("payments")
            .key_by(key)
            .map(accounting<Key, Account>{state})
            .name("accounts")
            .uid("accounts");
    statements.add_sink([kept = its_books_](const statement& s) {
      std::lock_guard lock(kept->mutex);
      kept->latest[s.customer] = s;
    });
    if (!customers_to_.empty())
      statements.map([](const statement& s) { return s.customer; })
          .write_as_text(customers_to_)
          .uid("customers");
    return env.execute_async("accounts");
  }

  std::string savepoint_;
  std::shared_ptr<books> its_books_ = std::make_shared<books>();
};

}  // namespace

TEST_CASE_FIXTURE(saved_job, "A job whose records of state have got a field goes on with the old") {
  for (const std::string backend : {"hashmap", "rocksdb"}) {
    CAPTURE(backend);
    const auto ended = run<account_with_currency>(&payment::customer, backend);
    REQUIRE_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
    CHECK(statements().size() == customers);
    for (const auto& [customer, balance] : all_payments()) {
      CHECK(statements().at(customer).balance == balance);
      CHECK(statements().at(customer).currency == "EUR");
    }
  }
}

TEST_CASE_FIXTURE(saved_job, "A job that goes on with a sink that the savepoint does not know") {
  customers_to_ = directory_.path("customers");
  const auto ended = run<account>(&payment::customer, "hashmap");
  REQUIRE_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
  for (const auto& [customer, balance] : all_payments())
    CHECK(statements().at(customer).balance == balance);
  std::size_t lines = 0;
  for (std::uint32_t subtask = 1; subtask <= parallelism; ++subtask) {
    std::ifstream file(customers_to_ + "/" + std::to_string(subtask));
    REQUIRE(file.is_open());
    for (std::string line; std::getline(file, line);) ++lines;
  }
  CHECK(lines > 0);
  CHECK(lines < payment_count);
}

TEST_CASE_FIXTURE(saved_job, "A job whose state has values of another type fails and says which") {
  for (const std::string backend : {"hashmap", "rocksdb"}) {
    CAPTURE(backend);
    check_fails(run<account_of_double>(&payment::customer, backend),
                "state 'account' of operator 'accounts' can't be restored: it had another type of "
                "value: it was {i64,i64} and is now {f64,i64}",
                "give the state of the new type a new name, or keep the old type");
    // That helps: what has the new name begins with nothing.
    const auto ended = run<account_of_double>(&payment::customer, backend, "account of double");
    REQUIRE_MESSAGE(ended.has_value(), (ended ? std::string() : ended.error().message));
    for (const auto& [customer, balance] : all_payments())
      CHECK(statements().at(customer).balance < balance);
  }
}

TEST_CASE_FIXTURE(saved_job, "A job whose state has keys of another type fails and says which") {
  for (const std::string backend : {"hashmap", "rocksdb"}) {
    CAPTURE(backend);
    check_fails(run<account>(&payment::customer_number, backend),
                "of operator 'accounts' can't be restored: it had another type of key: it was str "
                "and is now i64",
                "keep the old type");
  }
}

}  // namespace state_evolution_test
