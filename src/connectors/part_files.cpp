#include "millrace/connectors/part_files.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "millrace/core/kill_point.hpp"

namespace millrace {

result<std::uint64_t> part_files::run(const std::vector<part_command>& commands) {
  std::lock_guard lock(mutex_);
  if (is_abandoned_) return places_->next_number();
  if (!std::exchange(has_started_, true)) outcome_ = places_->start();
  for (auto command = commands.begin(); outcome_ && command != commands.end(); ++command)
    outcome_ = run(*command);
  if (!outcome_) return tl::unexpected(outcome_.error());
  return places_->next_number();
}

void part_files::abandon(const std::vector<std::shared_ptr<part_file>>& removed) noexcept {
  std::lock_guard lock(mutex_);
  is_abandoned_ = true;
  for (const auto& part : removed) {
    part->out.reset();
    if (!part->name.working.empty()) static_cast<void>(files_.remove(part->name.working));
  }
}

status part_files::run(const part_command& command) {
  switch (command.what) {
    using enum part_command::action;
    case open:
      return this->open(*command.part);
    case resume:
      if (auto ok = this->open(*command.part); !ok) return ok;
      return copy(command.text, command.bytes, *command.part).map([] {
        pass(kill_point::part_copied);
      });
    case append:
      return command.part->out->append(std::as_bytes(std::span(command.text)));
    case sync:
      return this->sync(*command.part).map([] { pass(kill_point::part_synced); });
    case close: {
      if (auto ok = this->sync(*command.part); !ok) return ok;
      auto ok = command.part->out->close();
      command.part->out.reset();
      pass(kill_point::part_closed);
      return ok;
    }
    case remove: {
      auto ok = files_.remove(command.text);
      return !ok && ok.error().code == errc::not_found ? status() : ok;
    }
  }
  return {};
}

status part_files::open(part_file& part) {
  auto opened = places_->open(part.bucket);
  if (!opened) return tl::unexpected(opened.error());
  part.name = std::move(opened->name);
  part.out = std::move(opened->out);
  pass(kill_point::part_opened);
  return {};
}

/// The old file is left alone: an attempt that is lost but does not know may still append to it,
/// and would do so behind our back if we went on in the same file.
status part_files::copy(const std::string& from, std::uint64_t bytes, part_file& to) {
  auto in = files_.open_reader(from);
  if (!in) {
    if (in.error().code != errc::not_found) return tl::unexpected(in.error());
    return fail(errc::not_found, "the unfinished file '" + from +
                                     "', which the checkpoint goes on with, is gone: it was "
                                     "finished since, or deleted; restore the latest checkpoint");
  }
  constexpr std::uint64_t piece_bytes = 1u << 20;
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min(bytes, piece_bytes)));
  for (std::uint64_t done = 0; done < bytes;) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), bytes - done));
    auto got = (*in)->read_at(done, std::span(piece.data(), wanted));
    if (!got) return tl::unexpected(got.error());
    if (*got != wanted)
      return fail(errc::invalid_data,
                  "the unfinished file '" + from + "' has " + std::to_string(done + *got) +
                      " bytes, but the checkpoint says that " + std::to_string(bytes) +
                      " were written: check the disk it lies on");
    if (auto ok = to.out->append(std::span(piece.data(), wanted)); !ok) return ok;
    done += wanted;
  }
  return {};
}

status part_files::sync(part_file& part) {
  if (auto ok = part.out->sync(); !ok) return ok;
  if (std::exchange(part.is_listed, true)) return {};
  return files_.sync_directory(directory_of(part.name.working));
}

}  // namespace millrace
