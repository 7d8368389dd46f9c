#pragma once

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/result.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/actors/answer_of.hpp"
#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/ids.hpp"

namespace millrace {

/// A job as those see it who want something of its master.
struct mastered_job {
  caf::actor master;                           ///< Null while it is to get another one.
  std::vector<std::function<void()>> waiting;  ///< For a master.
};

/// Hands requests on to the masters of jobs, to the next one if a master is just being replaced.
/// Part of the dispatcher's actor: called only from there.
class master_requests {
 public:
  /// Null for a job that is over, or unknown.
  using finder = std::function<mastered_job*(const job_id&)>;

  /// `self` outlives it.
  master_requests(caf::event_based_actor& self, finder find)
      : self_(self), find_(std::move(find)) {}

  /// `otherwise` answers for a job that is not found, a `result<Answer>`. A master that ends
  /// meanwhile has told the dispatcher so before the request comes back.
  template <class Answer, class Request, class Otherwise>
  caf::result<Answer> ask(const job_id& id, const Request& request, Otherwise otherwise) {
    auto promise = self_.make_response_promise();
    const caf::result<Answer> answer = promise;
    ask<Answer>(id, request, std::move(otherwise), std::move(promise));
    return answer;
  }
  /// The same for a promise that was made before.
  template <class Answer, class Request, class Otherwise>
  void ask(const job_id& id, const Request& request, Otherwise otherwise,
           caf::response_promise promise) {
    auto* job = find_(id);
    if (job == nullptr) {
      answer_of(promise)(otherwise());
      return;
    }
    const auto ask_the_next = [=, this] { ask<Answer>(id, request, otherwise, promise); };
    if (!job->master) return job->waiting.push_back(ask_the_next);
    const std::function<void()> on_lost = [this, promise, ask_the_next, id]() mutable {
      // What the master has done of it is not known, and the next one may do it again.
      if constexpr (std::is_same_v<Request, wire::stop_job>)
        return promise.deliver(to_caf({errc::master_lost, "the job's master was lost meanwhile"}));
      if constexpr (std::is_same_v<Request, wire::take_savepoint>)
        return promise.deliver(to_caf(
            {errc::master_lost, "the job's master was lost meanwhile: 'millrace checkpoints " +
                                    to_string(id) + "' shows what it had completed"}));
      auto* found = find_(id);
      if (found == nullptr) return ask_the_next();
      found->waiting.push_back(ask_the_next);
    };
    const auto number = next_number_++;
    asked_[number] = {id, on_lost};
    self_.request(job->master, caf::infinite, request)
        .then(
            [this, promise, number](Answer& answer) mutable {
              if (asked_.erase(number) != 0) promise.deliver(std::move(answer));
            },
            [this, promise, number, on_lost](caf::error& e) mutable {
              if (asked_.erase(number) == 0) return;
              if (e != caf::sec::request_receiver_down) return promise.deliver(std::move(e));
              on_lost();
            });
  }

  /// The job's master is gone, and nobody is `mastered_job::master` any more. CAF does not tell who
  /// waits for an answer that it had promised.
  void on_master_gone(const job_id& id) {
    std::vector<std::function<void()>> lost;
    std::erase_if(asked_, [&](auto& entry) {
      if (entry.second.job != id) return false;
      lost.push_back(std::move(entry.second.on_lost));
      return true;
    });
    for (const auto& each : lost) each();
  }

 private:
  struct question {
    job_id job;
    std::function<void()> on_lost;
  };

  caf::event_based_actor& self_;
  finder find_;
  std::map<std::uint64_t, question> asked_;  // that masters have not answered
  std::uint64_t next_number_ = 0;
};

}  // namespace millrace
