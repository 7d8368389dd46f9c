#include "millrace/connectors/socket_source.hpp"

#include <algorithm>
#include <utility>

#include "millrace/connectors/line_splitter.hpp"
#include "millrace/operators/typed_factory.hpp"

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

class socket_source final : public producing<std::string, source_operator> {
 public:
  socket_source(std::function<std::unique_ptr<text_socket>()> make_socket,
                socket_source_options options)
      : make_socket_(std::move(make_socket)), options_(options) {}

  void open(operator_context& context) override {
    context_ = &context;
    connect();
  }

  poll_status poll() override {
    if (text_.empty()) {
      if (has_ended_) return poll_status::finished;
      if (connection_ == nullptr && context_->time().now() >= retry_at_) connect();
      return poll_status::idle;
    }
    lines_.split(text_, out_.room(), [this](const char* begin, const char* end) {
      out_.rows().emplace_back(begin, end);
    });
    out_.flush();
    if (text_.empty()) run();  // the next bytes may overwrite these
    return poll_status::more;
  }

  void close() noexcept override { connection_.reset(); }

 private:
  void connect() {
    connection_ = std::make_shared<connection>();
    connection_->socket = make_socket_();
    run();
  }

  void run() {
    context_->io().submit([c = connection_] { c->run(); }, [this] { on_done(); });
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
    end_line();
    connection_.reset();
    if (options_.reconnects_at_end)
      wait_before_retry();
    else
      has_ended_ = true;
  }

  void retry(error cause) {
    connection_.reset();
    end_line();
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
    retry_at_ = context_->time().now() + std::min(pause, options_.backoff_max);
    context_->wake_at(retry_at_);
  }

  /// What came without an end of line before the connection ended.
  void end_line() {
    lines_.finish([this](const char* begin, const char* end) { out_.emplace(begin, end); });
    out_.flush();
  }

  std::function<std::unique_ptr<text_socket>()> make_socket_;
  socket_source_options options_;
  operator_context* context_ = nullptr;
  std::shared_ptr<connection> connection_;  // null between attempts and at the end
  std::chrono::steady_clock::time_point retry_at_{};
  int retries_ = 0;
  bool has_ended_ = false;
  std::string_view text_;  // what is left of the connection's bytes
  line_splitter lines_;
};

}  // namespace

std::shared_ptr<const operator_factory> make_socket_source(
    std::function<std::unique_ptr<text_socket>()> make_socket, socket_source_options options) {
  return make_factory<void, std::string>([make_socket = std::move(make_socket), options] {
    return std::make_unique<socket_source>(make_socket, options);
  });
}

std::shared_ptr<const operator_factory> make_socket_source(std::string host, std::uint16_t port,
                                                           socket_source_options options) {
  return make_socket_source([host = std::move(host), port] { return make_tcp_socket(host, port); },
                            options);
}

}  // namespace millrace
