#include "millrace/connectors/socket_source.hpp"

#include <algorithm>
#include <utility>

#include "millrace/connectors/line_splitter.hpp"
#include "millrace/source/dealt_splits.hpp"

namespace millrace {

namespace {

/// One attempt's connection, on its way between the task and the I/O threads.
struct connection {
  std::unique_ptr<text_socket> socket;
  bool is_connected = false;
  std::string received;
  result<text_socket::outcome> outcome = text_socket::outcome::pending;

  void run() { outcome = is_connected ? socket->receive(received) : socket->connect(); }
};

/// All that the peer sends; what was received is gone, so there is nothing to go back to.
struct socket_split {
  std::string id() const { return "socket"; }
  bool is_there = true;  // a record needs a field
};

class socket_reader final : public source_reader<std::string, socket_split> {
 public:
  socket_reader(reader_context& context, std::function<std::unique_ptr<text_socket>()> make_socket,
                socket_source_options options)
      : context_(context), make_socket_(std::move(make_socket)), options_(options) {}

  void add_splits(std::vector<socket_split>) override {
    has_split_ = true;
    connect();
  }
  void no_more_splits() override { no_more_ = true; }

  poll_status poll(source_output<std::string>& out) override {
    if (!has_split_) return no_more_ ? poll_status::finished : poll_status::idle;
    out.begin_split(socket_split{}.id());
    if (std::exchange(ends_line_, false)) {
      lines_.finish([&](const char* begin, const char* end) { out.emplace(begin, end); });
      out.flush();
    }
    if (text_.empty()) {
      if (has_ended_) return poll_status::finished;
      if (connection_ == nullptr && context_.task().time().now() >= retry_at_) connect();
      return poll_status::idle;
    }
    lines_.split(text_, out.room(),
                 [&](const char* begin, const char* end) { out.rows().emplace_back(begin, end); });
    out.flush();
    if (text_.empty()) run();  // the next bytes may overwrite these
    return poll_status::more;
  }

  std::vector<socket_split> snapshot(checkpoint_id) override {
    if (!has_split_ || has_ended_) return {};
    return {socket_split{}};
  }
  void close() noexcept override { connection_.reset(); }

 private:
  void connect() {
    connection_ = std::make_shared<connection>();
    connection_->socket = make_socket_();
    run();
  }

  void run() {
    context_.task().io().submit([c = connection_] { c->run(); }, [this] { on_done(); });
  }

  void on_done() {
    const auto& outcome = connection_->outcome;
    if (!outcome) return retry(outcome.error());
    switch (*outcome) {
      case text_socket::outcome::pending:
        return run();
      case text_socket::outcome::ended:
        return on_end();
      case text_socket::outcome::done:
        break;
    }
    if (std::exchange(connection_->is_connected, true)) {
      text_ = connection_->received;
    } else {
      retries_ = 0;
      run();
    }
  }

  void on_end() {
    ends_line_ = true;
    connection_.reset();
    if (options_.reconnects_at_end)
      wait_before_retry();
    else
      has_ended_ = true;
  }

  void retry(error cause) {
    connection_.reset();
    ends_line_ = true;
    if (options_.retries_max >= 0 && retries_ >= options_.retries_max) {
      if (retries_ > 0)
        cause.message += " (gave up after " + std::to_string(retries_) + " retries)";
      throw failure(std::move(cause));
    }
    wait_before_retry();
  }

  void wait_before_retry() {
    auto pause = options_.backoff_initial;
    for (int i = 0; i < retries_ && pause < options_.backoff_max; ++i) pause *= 2;
    ++retries_;
    retry_at_ = context_.task().time().now() + std::min(pause, options_.backoff_max);
    context_.wake_at(retry_at_);
  }

  reader_context& context_;
  std::function<std::unique_ptr<text_socket>()> make_socket_;
  socket_source_options options_;
  std::shared_ptr<connection> connection_;  // null between attempts and at the end
  std::chrono::steady_clock::time_point retry_at_{};
  int retries_ = 0;
  bool has_split_ = false;
  bool no_more_ = false;
  bool has_ended_ = false;
  bool ends_line_ = false;  // what came without an end of line before the connection ended counts
  std::string_view text_;   // what is left of the connection's bytes
  line_splitter lines_;
};

class socket_source final : public source<std::string, socket_split> {
 public:
  socket_source(std::function<std::unique_ptr<text_socket>()> make_socket,
                socket_source_options options)
      : make_socket_(std::move(make_socket)), options_(options) {}

  boundedness ends() const noexcept override { return boundedness::unbounded; }
  bool is_parallel() const noexcept override { return false; }
  std::unique_ptr<source_reader<std::string, socket_split>> create_reader(
      reader_context& context) const override {
    return std::make_unique<socket_reader>(context, make_socket_, options_);
  }
  using enumerator = split_enumerator<socket_split, std::vector<socket_split>>;
  std::unique_ptr<enumerator> create_enumerator(enumerator_context& context) const override {
    return restore_enumerator(context, {socket_split{}});
  }
  std::unique_ptr<enumerator> restore_enumerator(enumerator_context& context,
                                                 std::vector<socket_split> state) const override {
    return std::make_unique<dealt_splits<socket_split>>(context, std::move(state));
  }

 private:
  std::function<std::unique_ptr<text_socket>()> make_socket_;
  socket_source_options options_;
};

}  // namespace

std::shared_ptr<const source_base<std::string>> make_text_socket(
    std::function<std::unique_ptr<text_socket>()> make_socket, socket_source_options options) {
  return std::make_shared<socket_source>(std::move(make_socket), options);
}

std::shared_ptr<const source_base<std::string>> make_text_socket(std::string host,
                                                                 std::uint16_t port,
                                                                 socket_source_options options) {
  return make_text_socket([host = std::move(host), port] { return make_tcp_socket(host, port); },
                          options);
}

}  // namespace millrace
