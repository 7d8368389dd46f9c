#include "millrace/actors/artifact_store.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "millrace/core/file_digest.hpp"
#include "millrace/core/kill_point.hpp"
#include "millrace/core/logging.hpp"
#include "millrace/core/sha256.hpp"

namespace millrace {

struct artifact_store::upload {
  struct pending {
    wire::artifact_chunk chunk;
    status_callback done;
  };

  std::string sha256;
  std::string part;  ///< The file's name until it is complete; no other upload's.
  std::uint64_t size = 0;
  std::uint64_t stored = 0;
  std::uint64_t last_use = 0;
  std::deque<pending> queue;
  bool is_writing = false;
  // Only for the work under way.
  std::unique_ptr<file_writer> file;
  millrace::sha256 hasher;
};

namespace {

/// Names become paths, so nothing but a hash may pass.
status check_name(const std::string& sha256) {
  const auto digest = parse_sha256(sha256);
  if (digest && to_string(*digest) == sha256) return {};
  return fail(errc::invalid_argument, "an artifact is named by 64 lower-case hex digits, not '" +
                                          sha256.substr(0, 80) + "'");
}

std::string label_of(const std::string& sha256) {
  return "artifact " + sha256.substr(0, 12) + "…";
}

/// The size of an artifact that was stored before, if there is one. A damaged file is none: it will
/// be uploaded again and replaced.
result<std::optional<std::uint64_t>> size_of_whole(file_system& files, const std::string& path,
                                                   const std::string& sha256) {
  const auto info = files.stat(path);
  const auto digest =
      info ? sha256_of_file(files, path) : result<sha256_digest>(tl::unexpected(info.error()));
  if (!digest) {
    if (digest.error().code == errc::not_found) return std::nullopt;
    return tl::unexpected(digest.error());
  }
  if (to_string(*digest) == sha256) return info->size;
  log_event(log_level::warn, "a stored job library is damaged",
            {{"file", path}, {"sha256", to_string(*digest)}});
  return std::nullopt;
}

template <class T>
result<T> failure_of(const status& s) {
  return tl::unexpected(s.error());
}

}  // namespace

artifact_store::artifact_store(std::string directory, std::shared_ptr<file_system> files,
                               io_executor& io)
    : directory_(std::move(directory)), files_(std::move(files)), io_(io) {}

artifact_store::~artifact_store() = default;

void artifact_store::find(const std::string& sha256, status_callback done) {
  if (const auto valid = check_name(sha256); !valid)
    return done(failure_of<wire::artifact_status>(valid));
  if (const auto known = stored_.find(sha256); known != stored_.end())
    return done(wire::artifact_status{known->second, true});
  auto size = std::make_shared<result<std::optional<std::uint64_t>>>();
  io_.submit(
      [files = files_, path = path_of(sha256), sha256, size] {
        *size = size_of_whole(*files, path, sha256);
      },
      [this, sha256, size, done = std::move(done)] {
        if (!*size) return done(tl::unexpected(size->error()));
        if (**size) {
          stored_[sha256] = ***size;
          return done(wire::artifact_status{***size, true});
        }
        const auto found = uploads_.find(sha256);
        done(wire::artifact_status{found == uploads_.end() ? 0 : found->second->stored, false});
      });
}

void artifact_store::offer(const wire::artifact_offer& offer, status_callback done) {
  if (offer.size == 0 || offer.size > artifact_bytes_max)
    return done(fail(errc::invalid_argument,
                     label_of(offer.sha256) + " has " + std::to_string(offer.size) +
                         " bytes: 1 to " + std::to_string(artifact_bytes_max) + " are possible"));
  find(offer.sha256, [this, offer,
                      done = std::move(done)](const result<wire::artifact_status>& there) {
    if (!there || there->complete) return done(there);
    const auto u = begin_upload(offer);
    if (u->size != offer.size)
      return done(fail(errc::invalid_argument, label_of(offer.sha256) + " is being uploaded with " +
                                                   std::to_string(u->size) + " bytes, not " +
                                                   std::to_string(offer.size)));
    done(wire::artifact_status{u->stored, false});
  });
}

artifact_store::upload_ptr artifact_store::begin_upload(const wire::artifact_offer& offer) {
  auto& u = uploads_[offer.sha256];
  if (u == nullptr) {
    u = std::make_shared<upload>();
    u->sha256 = offer.sha256;
    u->part = path_of(offer.sha256) + "." + std::to_string(++uses_) + ".part";
    u->size = offer.size;
  }
  u->last_use = ++uses_;
  const auto begun = u;
  if (uploads_.size() > uploads_max) {
    const auto oldest =
        std::min_element(uploads_.begin(), uploads_.end(), [](const auto& a, const auto& b) {
          return std::pair(a.second->is_writing, a.second->last_use) <
                 std::pair(b.second->is_writing, b.second->last_use);
        });
    uploads_.erase(oldest);
  }
  return begun;
}

void artifact_store::append(wire::artifact_chunk chunk, status_callback done) {
  const auto found = uploads_.find(chunk.sha256);
  if (found == uploads_.end()) {
    if (const auto known = stored_.find(chunk.sha256); known != stored_.end())
      return done(wire::artifact_status{known->second, true});
    return done(fail(errc::protocol, label_of(chunk.sha256) + " was not offered"));
  }
  const auto u = found->second;
  const auto size = chunk.bytes.size();
  if (size == 0 || size > wire::artifact_chunk_bytes_max || chunk.offset > u->size ||
      size > u->size - chunk.offset)
    return done(fail(errc::protocol, label_of(chunk.sha256) + ": a chunk of " +
                                         std::to_string(size) + " bytes at " +
                                         std::to_string(chunk.offset) + " does not fit into its " +
                                         std::to_string(u->size) + " bytes"));
  u->last_use = ++uses_;
  u->queue.push_back({std::move(chunk), std::move(done)});
  if (!u->is_writing) write_next(u);
}

void artifact_store::write_next(const upload_ptr& u) {
  while (!u->queue.empty()) {
    auto next = std::move(u->queue.front());
    u->queue.pop_front();
    if (next.chunk.offset < u->stored) {
      next.done(wire::artifact_status{u->stored, false});
      continue;
    }
    if (next.chunk.offset > u->stored) {
      next.done(fail(errc::protocol, label_of(u->sha256) + ": a chunk at " +
                                         std::to_string(next.chunk.offset) + " came where " +
                                         std::to_string(u->stored) + " bytes are stored"));
      continue;
    }
    u->is_writing = true;
    const bool is_last = u->stored + next.chunk.bytes.size() == u->size;
    auto outcome = std::make_shared<status>();
    auto bytes = std::make_shared<std::vector<std::byte>>(std::move(next.chunk.bytes));
    const auto write = [files = files_, directory = directory_, path = path_of(u->sha256), u, bytes,
                        is_last]() -> status {
      if (u->file == nullptr) {
        if (auto made = files->create_directories(directory); !made) return made;
        auto opened = files->open_writer(u->part, write_mode::truncate);
        if (!opened) return failure_of<void>(tl::unexpected(opened.error()));
        u->file = std::move(*opened);
      }
      u->hasher.update(*bytes);
      if (auto appended = u->file->append(*bytes); !appended || !is_last) return appended;
      if (auto synced = u->file->sync(); !synced) return synced;
      if (auto closed = u->file->close(); !closed) return closed;
      const auto digest = to_string(u->hasher.finish());
      if (digest == u->sha256) {
        pass(kill_point::artifact_written);
        return files->rename(u->part, path)
            .map([] { pass(kill_point::artifact_renamed); })
            .and_then([&] { return files->sync_directory(directory); });
      }
      (void)files->remove(u->part);
      return fail(errc::invalid_data, label_of(u->sha256) +
                                          ": the bytes that arrived have the hash " +
                                          digest.substr(0, 12) +
                                          "…; the file changed while it was uploaded, try again");
    };
    io_.submit([outcome, write] { *outcome = write(); },
               [this, u, outcome, size = bytes->size(), done = std::move(next.done)] {
                 if (*outcome) u->stored += size;
                 written(u, *outcome, done);
               });
    return;
  }
}

void artifact_store::written(const upload_ptr& u, const status& outcome,
                             const status_callback& done) {
  u->is_writing = false;
  if (outcome && u->stored < u->size) {
    done(wire::artifact_status{u->stored, false});
    return write_next(u);
  }
  // It is over, so or so. Another upload may have begun if this one was dropped.
  if (const auto found = uploads_.find(u->sha256); found != uploads_.end() && found->second == u)
    uploads_.erase(found);
  u->file.reset();
  auto answer = outcome ? result<wire::artifact_status>({u->stored, true})
                        : failure_of<wire::artifact_status>(outcome);
  if (outcome) stored_[u->sha256] = u->size;
  done(answer);
  for (auto& waiting : std::exchange(u->queue, {})) waiting.done(answer);
}

void artifact_store::keep_only(std::set<std::string> hashes, std::function<void()> done) {
  io_.submit(
      [files = files_, directory = directory_, hashes = std::move(hashes)] {
        const auto entries = files->list(directory);
        if (!entries) return;
        for (const auto& entry : *entries)
          if (!entry.is_directory && !hashes.contains(entry.path.substr(directory.size() + 1)))
            (void)files->remove(entry.path);  // best effort: it is in nobody's way
      },
      std::move(done));
}

void artifact_store::read(const wire::artifact_request& request, chunk_callback done) {
  auto chunk = std::make_shared<result<wire::artifact_chunk>>();
  if (const auto valid = check_name(request.sha256); !valid) {
    *chunk = tl::unexpected(valid.error());
    return done(*chunk);
  }
  const auto read = [files = files_, path = path_of(request.sha256),
                     request]() -> result<wire::artifact_chunk> {
    auto file = files->open_reader(path);
    if (!file) return tl::unexpected(file.error());
    wire::artifact_chunk found{request.sha256, request.offset, (*file)->size(), {}};
    if (request.offset > found.size)
      return fail(errc::invalid_argument,
                  label_of(request.sha256) + " has only " + std::to_string(found.size) + " bytes");
    found.bytes.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(wire::artifact_chunk_bytes_max, found.size - request.offset)));
    auto got = (*file)->read_at(request.offset, found.bytes);
    if (!got) return tl::unexpected(got.error());
    found.bytes.resize(*got);
    return found;
  };
  io_.submit([chunk, read] { *chunk = read(); }, [chunk, done = std::move(done)] { done(*chunk); });
}

}  // namespace millrace
