// Visits to a web site: page views of a user that follow each other within half an hour, with how
// many there were and how long the visit took. Session windows
// (docs/examples/page_view_sessions.md).

#include <cstdio>
#include <iostream>

#include "millrace/millrace.hpp"

using namespace millrace;
using namespace std::chrono_literals;

struct page_view {
  std::string user;
  timestamp_ms at_ms;
  std::string page;
};

/// What is known of a visit, whatever the order in which its views came.
struct visit {
  std::int64_t views = 0;
  timestamp_ms first_ms = 0;
  timestamp_ms last_ms = 0;
  std::string first_page;
};

struct gather_visit {
  visit create_accumulator() const { return {}; }
  void add(visit& into, const page_view& v) const {
    merge(into, visit{1, v.at_ms, v.at_ms, v.page});
  }
  visit get_result(const visit& all) const { return all; }
  void merge(visit& into, const visit& from) const {
    if (into.views == 0 || from.first_ms < into.first_ms) {
      into.first_ms = from.first_ms;
      into.first_page = from.first_page;
    }
    if (into.views == 0 || from.last_ms > into.last_ms) into.last_ms = from.last_ms;
    into.views += from.views;
  }
};

/// "user,at_ms,page"
page_view parse(const std::string& line) {
  char user[64];
  char page[64];
  long long at = 0;
  if (std::sscanf(line.c_str(), "%63[^,],%lld,%63[^,]", user, &at, page) != 3)
    throw std::runtime_error("not a page view: '" + line + "'");
  return {user, at, page};
}

void build(stream_environment& env, const arguments& args) {
  args.check_known({"input", "help"});
  if (args.has("help")) {
    std::cout << "  --input PATH   lines user,at_ms,page, up to a minute out of order\n";
    return;
  }
  env.read_text_file(args.get("input"))
      .map(parse)
      .assign_timestamps_and_watermarks(
          watermark_strategy<page_view>::for_bounded_out_of_orderness(1min).with_timestamp_assigner(
              &page_view::at_ms))
      .key_by(&page_view::user)
      .window(event_time_session_windows::with_gap(30min))
      .aggregate(gather_visit(),
                 [](const std::string& user, const time_window&, const visit& v,
                    collector<std::string>& out) {
                   out.emit(user + " came to " + v.first_page + " at " +
                            std::to_string(v.first_ms) + " and saw " + std::to_string(v.views) +
                            " pages in " + std::to_string((v.last_ms - v.first_ms) / 1000) + " s");
                 })
      .name("visits")
      .uid("visits")
      .print();
}
