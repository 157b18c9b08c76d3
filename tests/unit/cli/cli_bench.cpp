#include "tests/unit/cli/cli_bench.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace cgw::test {
namespace {

// One of the standard streams, written to a file for a while.
class Caught {
 public:
  explicit Caught(FILE* stream) : stream_(stream), file_(std::tmpfile()) {
    std::fflush(stream);
    saved_ = dup(fileno(stream));
    dup2(fileno(file_), fileno(stream));
  }
  std::string end() {
    std::fflush(stream_);
    dup2(saved_, fileno(stream_));
    close(saved_);
    std::rewind(file_);
    std::string text;
    char buffer[4096];
    std::size_t n = 0;
    while ((n = std::fread(buffer, 1, sizeof buffer, file_)) > 0)
      text.append(buffer, n);
    std::fclose(file_);
    return text;
  }

 private:
  FILE* stream_;
  FILE* file_;
  int saved_;
};

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "cgwsh-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = std::filesystem::canonical(name);
}
TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void put(const std::string& file, const std::string& text, unsigned mode) {
  std::ofstream(file, std::ios::binary) << text;
  chmod(file.c_str(), mode);
}
unsigned mode_of(const std::string& file) {
  struct stat st {};
  return stat(file.c_str(), &st) == 0 ? st.st_mode & 07777U : 0;
}

Printed printed(const std::function<int()>& f) {
  Caught out(stdout), err(stderr);
  const int status = f();
  std::string text = out.end();
  return {status, std::move(text), err.end()};
}

TinDaemon::TinDaemon(const std::string& folder, Answer answer) : answer_(std::move(answer)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder + "/cgwd.sock";
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
  unlink(path.c_str());
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 8) != 0 ||
      pipe(wake_) != 0)
    throw std::runtime_error("no socket at " + path);
  thread_ = std::thread([this] { serve(); });
}

TinDaemon::~TinDaemon() {
  close(wake_[1]);
  thread_.join();
  for (const int fd : {listener_, wake_[0]})
    close(fd);
  for (const int fd : unanswered_)
    close(fd);
}

std::vector<std::string> TinDaemon::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void TinDaemon::serve() {
  while (true) {
    pollfd fds[2] = {{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[1].revents != 0) return;
    const int fd = accept(listener_, nullptr, nullptr);
    std::string request;
    char c = 0;
    while (read(fd, &c, 1) == 1 && c != '\n')
      request += c;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const std::string reply = answer_(request);
    if (reply.empty()) {
      unanswered_.push_back(fd);
      continue;
    }
    static_cast<void>(!write(fd, reply.data(), reply.size()));
    close(fd);
  }
}

}  // namespace cgw::test
