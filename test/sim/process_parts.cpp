#include "sim/process_parts.hpp"

#include <algorithm>

#include "millrace/core/sha256.hpp"
#include "millrace/stream/job_program.hpp"

namespace millrace::sim {

// -- I/O ------------------------------------------------------------------------------------------

void sim_io::run(std::function<void()> job) {
  const auto takes = duration(random_.between(0, latency_.count()));
  jobs_.emplace_back(host_.now() + takes, std::move(job));
}

std::size_t sim_io::due_count() const {
  return static_cast<std::size_t>(std::count_if(
      jobs_.begin(), jobs_.end(), [&](const auto& job) { return job.first <= host_.now(); }));
}

void sim_io::run_due(std::size_t which) {
  for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
    if (it->first > host_.now() || which-- != 0) continue;
    const auto job = std::move(it->second);
    jobs_.erase(it);
    return job();
  }
}

std::optional<time_point> sim_io::next_due() const {
  std::optional<time_point> next;
  for (const auto& [due, job] : jobs_)
    if (!next || due < *next) next = due;
  return next;
}

// -- files ----------------------------------------------------------------------------------------

namespace {

/// Whether the next call, or the one that was just done, is one that fails, or is said to have
/// failed. Draws nothing unless that may be.
bool is_unsure(const storage_faults& faults, random_source& random) {
  return faults.unsure_percent != 0 && random.chance(faults.unsure_percent);
}

class faulty_reader final : public file_reader {
 public:
  faulty_reader(std::unique_ptr<file_reader> reader, std::string path,
                std::shared_ptr<storage_faults> faults, random_source random)
      : reader_(std::move(reader)),
        path_(std::move(path)),
        faults_(std::move(faults)),
        random_(random) {}

  result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    if (faults_->dead || random_.chance(faults_->fail_percent))
      return fail(errc::io, "can't read '" + path_ + "': Input/output error");
    return reader_->read_at(offset, into);
  }
  std::uint64_t size() const noexcept override { return reader_->size(); }

 private:
  std::unique_ptr<file_reader> reader_;
  std::string path_;
  std::shared_ptr<storage_faults> faults_;
  random_source random_;
};

class faulty_writer final : public file_writer {
 public:
  faulty_writer(std::unique_ptr<file_writer> writer, std::string path,
                std::shared_ptr<storage_faults> faults, random_source random)
      : writer_(std::move(writer)),
        path_(std::move(path)),
        faults_(std::move(faults)),
        random_(random) {}

  status append(std::span<const std::byte> bytes) override {
    if (auto ok = check(); !ok) return ok;
    if (!random_.chance(faults_->torn_percent)) return writer_->append(bytes);
    const auto part = bytes.first(static_cast<std::size_t>(random_.below(bytes.size() + 1)));
    if (auto ok = writer_->append(part); !ok) return ok;
    return fail(errc::io, "can't write to '" + path_ + "': No space left on device");
  }
  status sync() override {
    return change([this] { return writer_->sync(); });
  }
  status close() override {
    return change([this] { return writer_->close(); });
  }

 private:
  status check() {
    if (!faults_->dead && !random_.chance(faults_->fail_percent)) return {};
    return fail(errc::io, "can't write to '" + path_ + "': Input/output error");
  }
  template <class Make>
  status change(Make&& make) {
    const auto failed = fail(errc::io, "can't write to '" + path_ + "': Input/output error");
    if (auto ok = check(); !ok) return ok;
    if (is_unsure(*faults_, random_)) return failed;
    auto done = make();
    return done && is_unsure(*faults_, random_) ? failed : done;
  }

  std::unique_ptr<file_writer> writer_;
  std::string path_;
  std::shared_ptr<storage_faults> faults_;
  random_source random_;
};

}  // namespace

status sim_files::check(const std::string& path) {
  if (!faults_->dead && !random_.chance(faults_->fail_percent)) return {};
  return fail(errc::io, "can't access '" + path + "': Input/output error");
}

template <class Make>
status sim_files::change(const std::string& path, Make&& make) {
  const auto failed = fail(errc::io, "can't access '" + path + "': Input/output error");
  if (auto ok = check(path); !ok) return ok;
  if (is_unsure(*faults_, random_)) return failed;
  auto done = make();
  return done && is_unsure(*faults_, random_) ? failed : done;
}

result<file_info> sim_files::stat(const std::string& path) {
  if (auto ok = check(path); !ok) return tl::unexpected(ok.error());
  return files_->stat(path);
}

result<std::vector<file_info>> sim_files::list(const std::string& directory) {
  if (auto ok = check(directory); !ok) return tl::unexpected(ok.error());
  return files_->list(directory);
}

result<std::unique_ptr<file_reader>> sim_files::open_reader(const std::string& path) {
  if (auto ok = check(path); !ok) return tl::unexpected(ok.error());
  auto opened = files_->open_reader(path);
  if (!opened) return opened;
  return std::make_unique<faulty_reader>(std::move(*opened), path, faults_, random_.fork());
}

result<std::unique_ptr<file_writer>> sim_files::open_writer(const std::string& path,
                                                            write_mode mode) {
  if (auto ok = check(path); !ok) return tl::unexpected(ok.error());
  auto opened = files_->open_writer(path, mode);
  if (!opened) return opened;
  return std::make_unique<faulty_writer>(std::move(*opened), path, faults_, random_.fork());
}

status sim_files::create_directories(const std::string& path) {
  return change(path, [&] { return files_->create_directories(path); });
}

status sim_files::rename(const std::string& from, const std::string& to) {
  return change(from, [&] { return files_->rename(from, to); });
}

status sim_files::remove(const std::string& path) {
  return change(path, [&] { return files_->remove(path); });
}

status sim_files::sync_directory(const std::string& path) {
  return change(path, [&] { return files_->sync_directory(path); });
}

// -- programs -------------------------------------------------------------------------------------

void program_shelf::add(graph::job_graph& graph, std::shared_ptr<const job_program> program) {
  const auto mark = "simulated-program=" + std::to_string(programs_.size());
  programs_.emplace(mark, std::move(program));
  graph.arguments.push_back(mark);
}

std::shared_ptr<const job_program> program_shelf::find(const graph::job_graph& graph) const {
  if (graph.arguments.empty()) return nullptr;
  const auto found = programs_.find(graph.arguments.back());
  return found == programs_.end() ? nullptr : found->second;
}

result<std::shared_ptr<const job_program>> sim_programs::load(const job_id& job,
                                                              const graph::job_graph& graph,
                                                              const std::string& library) {
  auto program = shelf_->find(graph);
  if (!program) return fail(errc::invalid_library, "no such program");
  if (!graph.artifact.empty()) {
    // A library whose bytes are not what was submitted would be another program.
    auto bytes = read_file(*files_, library, 1 << 20);
    if (!bytes) return fail(errc::invalid_library, bytes.error().message);
    sha256 hash;
    hash.update(std::as_bytes(std::span(*bytes)));
    if (to_string(hash.finish()) != graph.artifact)
      return fail(errc::invalid_library, "'" + library + "' is damaged");
  }
  if (auto same = check_same_program(*program, graph); !same) return tl::unexpected(same.error());
  loaded_.insert(job);
  return program;
}

}  // namespace millrace::sim
