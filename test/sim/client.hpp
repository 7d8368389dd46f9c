#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/actors/messages.hpp"
#include "millrace/core/error.hpp"
#include "millrace/core/io.hpp"
#include "millrace/transport/connector.hpp"
#include "sim/sim_host.hpp"

namespace millrace::sim {

/// How a job ended, as far as its client can know.
enum class job_ending : std::uint8_t {
  none,       ///< Not yet.
  reported,   ///< The master has sent its result.
  refused,    ///< The submission was answered by an error.
  lost,       ///< The submission was not answered: the job may run or not.
  forgotten,  ///< A master that has restarted does not know it.
};

/// A job in the hands of the client.
struct client_job {
  graph::job_graph graph;
  std::string library;  ///< The bytes to upload; empty for none.
  time_point submit_at;
  std::optional<duration> cancel_after;
  std::vector<duration> savepoints_after;  ///< To be asked for, since the submission.
  std::optional<duration> stop_after;      ///< With a savepoint.
  bool drains = false;                     ///< As it is stopped.

  std::vector<std::string> savepoints;  ///< Where those are that it was told of.
  std::string stopped_with;             ///< The one of the stop, if it was told.
  job_ending ending = job_ending::none;
  std::optional<wire::job_result> result;
  std::optional<error> why;  ///< If refused or lost.
};

/// The client's desk: what it is to do and what came of it. The simulation looks at it and adds to
/// it; then it wakes the client.
struct client_desk {
  std::vector<std::unique_ptr<client_job>> jobs;
  bool wants_nodes = false;
  std::optional<wire::node_list> nodes;
  std::optional<wire::job_list> list;
  std::size_t stops_asked = 0;  ///< Each leaves a timer of some minutes.
};

/// Where it has savepoints taken.
inline constexpr std::string_view savepoints_directory = "/savepoints";

/// Spawns a client, which does with messages what `millrace run`, `cancel`, `savepoint`, `stop` and
/// `list` do: it connects, uploads, submits, watches, asks for savepoints, stops and cancels; after
/// a lost connection it comes back and asks what has become of its jobs.
caf::actor spawn_client(caf::actor_system& system, transport::connector& connector,
                        std::shared_ptr<const clock> time, std::string master_host,
                        std::uint16_t master_port, std::shared_ptr<client_desk> desk);

/// There is something new on the desk.
void wake_client(const caf::actor& client);

}  // namespace millrace::sim
