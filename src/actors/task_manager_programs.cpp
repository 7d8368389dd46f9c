#include "millrace/actors/task_manager_programs.hpp"

#include <array>
#include <caf/event_based_actor.hpp>
#include <optional>
#include <span>
#include <utility>

#include "millrace/actors/error_bridge.hpp"
#include "millrace/actors/wire.hpp"
#include "millrace/core/file_digest.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/sha256.hpp"

namespace millrace {

namespace {

constexpr std::chrono::seconds chunk_timeout{30};

}  // namespace

/// One download. The part used in I/O threads is touched by one piece of work at a time.
struct program_store::download {
  explicit download(const std::string& sha256) : progress(sha256) {}

  artifact_download progress;
  std::vector<stored> waiting;
  std::string path;       // where it will be
  std::string part_path;  // while it is not complete

  // In I/O threads:
  std::unique_ptr<file_writer> writer;
  sha256 hash;
  status outcome;
  bool cached = false;
};

program_store::program_store(caf::event_based_actor& self, const task_manager_options& options,
                             io_executor& io, std::function<caf::actor()> dispatcher)
    : self_(self), options_(options), io_(io), dispatcher_(std::move(dispatcher)) {}

program_store::~program_store() = default;

void program_store::ensure(const job_id& job, std::shared_ptr<const graph::job_graph> graph,
                           callback done) {
  auto& e = jobs_[job];
  if (e.loaded) return done(e.loaded);
  e.waiting.push_back(std::move(done));
  if (e.waiting.size() > 1) return;
  e.graph = std::move(graph);
  if (!options_.programs->needs_artifact(*e.graph)) return load(job, {});
  fetch(e.graph->artifact, [this, job](const result<std::string>& library) {
    if (!library) return loaded(job, tl::unexpected(library.error()));
    load(job, *library);
  });
}

void program_store::release(const job_id& job) {
  if (jobs_.erase(job) != 0) options_.programs->release(job);
}

void program_store::fetch(const std::string& sha256, stored done) {
  if (!is_artifact_name(sha256))
    return done(fail(errc::invalid_library, "the job names no job library by its SHA-256"));
  auto& d = downloads_[sha256];
  const bool is_new = d == nullptr;
  if (is_new) d = std::make_shared<download>(sha256);
  d->waiting.push_back(std::move(done));
  if (!is_new) return;
  d->path = options_.blob_directory + "/" + sha256 + ".so";
  d->part_path = d->path + "." + to_string(options_.resource) + ".part";
  look_in_cache(std::shared_ptr(d));
}

void program_store::look_in_cache(const std::shared_ptr<download>& d) {
  io_.submit(
      [d, files = options_.files, directory = options_.blob_directory] {
        if (const auto there = sha256_of_file(*files, d->path);
            there && to_string(*there) == d->progress.sha256()) {
          d->cached = true;
          return;
        }
        d->outcome = files->create_directories(directory).and_then([&]() -> status {
          auto writer = files->open_writer(d->part_path, write_mode::truncate);
          if (!writer) return tl::unexpected(writer.error());
          d->writer = std::move(*writer);
          return {};
        });
      },
      [this, d] {
        if (d->cached) return end(d, d->path);
        if (!d->outcome) return end(d, tl::unexpected(d->outcome.error()));
        request_chunk(d);
      });
}

void program_store::request_chunk(const std::shared_ptr<download>& d) {
  const auto dispatcher = dispatcher_();
  if (!dispatcher)
    return end(d, fail(errc::master_lost, "the master was lost before job library " +
                                              d->progress.sha256() + " was here"));
  self_.request(dispatcher, chunk_timeout, d->progress.next_request())
      .then([this, d](const wire::artifact_chunk& chunk) { write_chunk(d, chunk); },
            [this, d](const caf::error& e) {
              auto why = from_caf(e);
              end(d, fail(why.code, "cannot fetch job library " + d->progress.sha256() +
                                        " from the master: " + why.message));
            });
}

void program_store::write_chunk(const std::shared_ptr<download>& d,
                                const wire::artifact_chunk& chunk) {
  if (auto fits = d->progress.accept(chunk); !fits) return end(d, tl::unexpected(fits.error()));
  io_.submit(
      [d, bytes = chunk.bytes] {
        d->hash.update(bytes);
        d->outcome = d->writer->append(bytes);
      },
      [this, d] {
        if (!d->outcome) return end(d, tl::unexpected(d->outcome.error()));
        if (d->progress.is_complete()) return finish(d);
        request_chunk(d);
      });
}

void program_store::finish(const std::shared_ptr<download>& d) {
  io_.submit(
      [d, files = options_.files] {
        d->outcome = d->writer->close();
        const auto hash = to_string(d->hash.finish());
        if (d->outcome && hash != d->progress.sha256())
          d->outcome = fail(errc::invalid_library, "job library " + d->progress.sha256() +
                                                       " arrived with another content (" + hash +
                                                       "): submit the job again");
        if (d->outcome)
          d->outcome =
              files->rename(d->part_path, d->path).map([] { pass(kill_point::program_renamed); });
      },
      [this, d] {
        if (!d->outcome) return end(d, tl::unexpected(d->outcome.error()));
        log_event(
            log_level::info, "fetched a job library",
            {{"sha256", d->progress.sha256()}, {"bytes", std::to_string(d->progress.size())}});
        end(d, d->path);
      });
}

void program_store::end(const std::shared_ptr<download>& d, const result<std::string>& how) {
  downloads_.erase(d->progress.sha256());
  if (!how) {
    // Best effort: a part that stays is truncated by the next download.
    io_.submit(
        [d, files = options_.files] {
          d->writer.reset();
          (void)files->remove(d->part_path);
        },
        [] {});
  }
  const auto waiting = std::exchange(d->waiting, {});
  for (const auto& done : waiting) done(how);
}

void program_store::load(const job_id& job, const std::string& library) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return;  // released meanwhile
  auto outcome = std::make_shared<std::optional<result<program>>>();
  io_.submit(
      [outcome, job, library, graph = found->second.graph, programs = options_.programs] {
        outcome->emplace(programs->load(job, *graph, library));
      },
      [this, outcome, job] {
        if (!jobs_.contains(job)) return options_.programs->release(job);
        loaded(job, **outcome);
      });
}

void program_store::loaded(const job_id& job, const result<program>& outcome) {
  const auto found = jobs_.find(job);
  if (found == jobs_.end()) return;
  const auto waiting = std::exchange(found->second.waiting, {});
  if (outcome) found->second.loaded = *outcome;
  for (const auto& done : waiting) done(outcome);
}

}  // namespace millrace
