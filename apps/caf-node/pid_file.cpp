#include "pid_file.hpp"

#include <cstdio>
#include <fstream>

#include <unistd.h>

namespace millrace::node {

result<pid_file> pid_file::write(std::string path) {
  if (!path.empty()) {
    std::ofstream file(path);
    file << getpid() << '\n';
    if (!file.flush()) return fail(errc::io, "cannot write the pid file '" + path + "'");
  }
  return pid_file(std::move(path));
}

pid_file::~pid_file() {
  if (!path_.empty()) std::remove(path_.c_str());
}

}  // namespace millrace::node
