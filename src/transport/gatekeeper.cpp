#include "millrace/transport/gatekeeper.hpp"

#include <fcntl.h>
#include <openssl/rand.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "millrace/transport/resolver.hpp"

namespace millrace::transport {

namespace {

using clock = std::chrono::steady_clock;

// A full descriptor table makes accept() fail again at once: wait before the next attempt.
constexpr std::chrono::milliseconds accept_pause{50};

/// One outgoing dial: tries address after address until one is authenticated.
struct dialing {
  std::string where;
  clock::time_point deadline;
  gatekeeper::dial_callback done;
  std::vector<socket_address> addresses;
  std::size_t next = 0;
  unique_fd connecting;
  std::optional<handshake> shaking;
  error last_failure{errc::unreachable, "it has no address"};

  void finish(result<authenticated_socket> outcome) {
    if (!outcome) {
      outcome =
          fail(outcome.error().code, "cannot connect to " + where + ": " + outcome.error().message);
    }
    done(std::move(outcome));
  }
};

struct accepted {
  handshake shaking;
  std::string from;
  clock::time_point deadline;
};

struct delayed {
  clock::time_point due;
  std::function<void()> task;
};

error connect_failure(int number) {
  if (number == ECONNREFUSED)
    return {errc::connection_refused, "nobody listens there (connection refused)"};
  return {errc::unreachable, std::generic_category().message(number)};
}

}  // namespace

/// The thread and what it owns. Public methods of `gatekeeper` only post tasks to it.
class gatekeeper::loop {
 public:
  loop(gatekeeper_options options, std::shared_ptr<connection_table> table,
       std::shared_ptr<event_log> log, accept_callback on_accepted)
      : options_(std::move(options)),
        table_(std::move(table)),
        log_(std::move(log)),
        on_accepted_(std::move(on_accepted)),
        wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!wake_) throw failure(errc::io, "cannot create an event descriptor");
    thread_ = std::thread{[this] { run(); }};
  }

  /// False once closed.
  bool post(std::function<void()> task) {
    {
      std::lock_guard guard{mutex_};
      if (stopping_) return false;
      tasks_.push_back(std::move(task));
    }
    wake();
    return true;
  }

  void close() {
    {
      std::lock_guard guard{mutex_};
      stopping_ = true;
    }
    wake();
    if (thread_.joinable()) thread_.join();
  }

  // -- on the thread -------------------------------------------------------------------------

  void serve(unique_fd listener, std::string listens_at) {
    listener_ = std::move(listener);
    options_.self.listens_at = std::move(listens_at);
  }

  void begin_dial(const std::shared_ptr<dialing>& dial, const std::string& host,
                  std::uint16_t port) {
    dials_.push_back(dial);
    resolver_.resolve(host, port, [this, dial](resolver::addresses found) {
      // Comes from the resolver's thread or from this one. Too late is harmless: it's off the list.
      post([this, dial, found = std::move(found)] {
        if (std::find(dials_.begin(), dials_.end(), dial) == dials_.end()) return;
        if (!found) {
          end_dial(dial, tl::unexpected(found.error()));
        } else {
          dial->addresses = *found;
          try_next_address(dial);
        }
      });
    });
  }

  void add_delayed(clock::time_point due, std::function<void()> task) {
    delayed_.push_back({due, std::move(task)});
  }

 private:
  void wake() {
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the thread is awake anyway.
    [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
  }

  void run() {
    while (run_tasks()) {
      poll_once();
      expire();
    }
    table_->close();
    listener_.reset();
    accepted_.clear();
    for (auto& dial : std::exchange(dials_, {}))
      dial->finish(fail(errc::cancelled, "this node is shutting down"));
    for (auto& late : std::exchange(delayed_, {})) late.task();
  }

  /// False when it is time to stop.
  bool run_tasks() {
    std::vector<std::function<void()>> tasks;
    bool stopping = false;
    {
      std::lock_guard guard{mutex_};
      tasks.swap(tasks_);
      stopping = stopping_;
    }
    for (auto& task : tasks) task();
    return !stopping;
  }

  void poll_once() {
    const auto now = clock::now();
    polled_.clear();
    polled_.push_back({wake_.get(), POLLIN, 0});
    const bool accepting = listener_ && now >= accept_again_;
    if (accepting) polled_.push_back({listener_.get(), POLLIN, 0});
    const auto first_accepted = polled_.size();
    for (auto& a : accepted_) polled_.push_back({a.shaking.fd(), a.shaking.events(), 0});
    const auto accepted_count = accepted_.size();
    const auto dials = dials_;
    for (auto& d : dials) {
      if (d->shaking)
        polled_.push_back({d->shaking->fd(), d->shaking->events(), 0});
      else
        polled_.push_back({d->connecting.get(), POLLOUT, 0});  // -1 is ignored: resolving
    }
    if (::poll(polled_.data(), polled_.size(), wait_ms(now)) <= 0) return;

    if (polled_[0].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto n = ::read(wake_.get(), &count, sizeof count);
    }
    auto polled = polled_.begin() + static_cast<std::ptrdiff_t>(first_accepted);
    auto it = accepted_.begin();
    for (std::size_t i = 0; i < accepted_count; ++i, ++polled) {
      if (polled->revents == 0 || advance_accepted(*it))
        ++it;
      else
        it = accepted_.erase(it);
    }
    for (const auto& dial : dials) {
      if (polled->fd >= 0 && polled->revents != 0) advance_dial(dial);
      ++polled;
    }
    // Last: new sessions must not disturb the order above.
    if (accepting && polled_[1].revents != 0) accept_all();
  }

  int wait_ms(clock::time_point now) const {
    auto until = now + std::chrono::hours{1};
    for (const auto& a : accepted_) until = std::min(until, a.deadline);
    for (const auto& d : dials_) until = std::min(until, d->deadline);
    for (const auto& d : delayed_) until = std::min(until, d.due);
    if (listener_ && accept_again_ > now) until = std::min(until, accept_again_);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    return static_cast<int>(std::max<std::int64_t>(wait, 0));
  }

  void expire() {
    const auto now = clock::now();
    std::erase_if(accepted_, [&](const accepted& a) {
      if (now < a.deadline) return false;
      log_->write(severity::warning,
                  "connection from " + a.from + " closed: it did not authenticate within " +
                      std::to_string(options_.handshake_timeout.count()) + " ms");
      return true;
    });
    const std::vector<std::shared_ptr<dialing>> dials(dials_.begin(), dials_.end());
    for (const auto& dial : dials) {
      if (now < dial->deadline) continue;
      const char* phase = "its name could not be resolved";
      if (dial->shaking)
        phase = "it accepted the connection but did not complete the handshake";
      else if (!dial->addresses.empty())
        phase = "it did not answer";
      end_dial(dial, fail(errc::timeout, std::string{phase} + " in time"));
    }
    std::vector<std::function<void()>> due;
    std::erase_if(delayed_, [&](delayed& d) {
      if (now < d.due) return false;
      due.push_back(std::move(d.task));
      return true;
    });
    for (auto& task : due) task();
  }

  // -- accepting -----------------------------------------------------------------------------

  void accept_all() {
    // Not when the wait for them began, which may be long ago.
    const auto now = clock::now();
    for (;;) {
      unique_fd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!fd) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
          log_->write(severity::error,
                      "cannot accept connections: " + std::generic_category().message(errno));
          accept_again_ = now + accept_pause;
        }
        return;
      }
      if (accepted_.size() >= options_.unauthenticated_max) {
        log_->write(severity::warning, "connection from " + accepted_.front().from +
                                           " closed: too many others wait to authenticate");
        accepted_.pop_front();
      }
      auto from = remote_address(fd.get());
      accepted_.push_back({handshake{std::move(fd), make_protocol(connection_role::acceptor),
                                     connection_role::acceptor, table_},
                           std::move(from), now + options_.handshake_timeout});
    }
  }

  /// False when the session is over, for better or worse.
  bool advance_accepted(accepted& a) {
    auto advanced = a.shaking.on_ready();
    if (!advanced) {
      log_->write(severity::warning,
                  "connection from " + a.from + " refused: " + advanced.error().message);
      return false;
    }
    if (*advanced == handshake::progress::going_on) return true;
    on_accepted_(a.shaking.take());
    return false;
  }

  // -- dialing -------------------------------------------------------------------------------

  void try_next_address(const std::shared_ptr<dialing>& dial) {
    dial->shaking.reset();
    dial->connecting.reset();
    while (dial->next < dial->addresses.size()) {
      auto started = start_connect(dial->addresses[dial->next++]);
      if (started) {
        dial->connecting = std::move(*started);
        return;
      }
      dial->last_failure = started.error();
    }
    end_dial(dial, tl::unexpected(dial->last_failure));
  }

  void advance_dial(const std::shared_ptr<dialing>& dial) {
    if (!dial->shaking) {
      if (const int number = connect_result(dial->connecting.get()); number != 0) {
        dial->last_failure = connect_failure(number);
        return try_next_address(dial);
      }
      dial->shaking.emplace(std::move(dial->connecting), make_protocol(connection_role::dialer),
                            connection_role::dialer, table_);
    }
    auto advanced = dial->shaking->on_ready();
    if (!advanced) return end_dial(dial, tl::unexpected(advanced.error()));
    if (*advanced == handshake::progress::done) end_dial(dial, dial->shaking->take());
  }

  void end_dial(const std::shared_ptr<dialing>& dial, result<authenticated_socket> outcome) {
    dials_.remove(dial);
    dial->shaking.reset();
    dial->connecting.reset();
    dial->finish(std::move(outcome));
  }

  authenticator make_protocol(connection_role role) const {
    authenticator::nonce_bytes nonce{};
    if (RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) != 1)
      throw failure(errc::internal, "the system has no random bytes");
    return {role, options_.secret, options_.self, nonce};
  }

  gatekeeper_options options_;
  std::shared_ptr<connection_table> table_;
  std::shared_ptr<event_log> log_;
  accept_callback on_accepted_;

  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
  bool stopping_ = false;
  unique_fd wake_;

  // Of the thread alone.
  unique_fd listener_;
  clock::time_point accept_again_{};
  std::list<accepted> accepted_;  ///< Oldest first.
  std::list<std::shared_ptr<dialing>> dials_;
  std::vector<delayed> delayed_;
  std::vector<pollfd> polled_;

  resolver resolver_;  ///< Destroyed before what its callbacks use.
  std::thread thread_;
};

gatekeeper::gatekeeper(gatekeeper_options options, std::shared_ptr<connection_table> table,
                       std::shared_ptr<event_log> log, accept_callback on_accepted)
    : loop_(std::make_unique<loop>(std::move(options), std::move(table), std::move(log),
                                   std::move(on_accepted))) {}

gatekeeper::~gatekeeper() {
  close();
}

void gatekeeper::serve(unique_fd listener, std::string listens_at) {
  auto shared = std::make_shared<unique_fd>(std::move(listener));
  loop_->post([this, shared, listens_at = std::move(listens_at)] {
    loop_->serve(std::move(*shared), listens_at);
  });
}

void gatekeeper::dial(std::string host, std::uint16_t port, std::chrono::milliseconds timeout,
                      dial_callback done) {
  auto dial = std::make_shared<dialing>();
  dial->where = format_address(host, port);
  dial->deadline = clock::now() + timeout;
  dial->done = std::move(done);
  const bool posted = loop_->post(
      [this, dial, host = std::move(host), port] { loop_->begin_dial(dial, host, port); });
  if (!posted) dial->finish(fail(errc::cancelled, "this node is shutting down"));
}

bool gatekeeper::run_later(std::chrono::milliseconds delay, std::function<void()> task) {
  return loop_->post([this, due = clock::now() + delay, task = std::move(task)]() mutable {
    loop_->add_delayed(due, std::move(task));
  });
}

void gatekeeper::close() {
  loop_->close();
}

}  // namespace millrace::transport
