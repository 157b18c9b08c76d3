#pragma once
#include <cstdio>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

// What the shell's tests stand on: a folder of their own, what a piece of code prints, and a daemon of tin.
namespace cgw::test {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::string content(const std::string& file);
void put(const std::string& file, const std::string& text, unsigned mode = 0644);
unsigned mode_of(const std::string& file);

struct Printed {
  int status;
  std::string out, err;
};
// Runs f with stdout and stderr caught.
Printed printed(const std::function<int()>& f);

// Answers requests at FOLDER/cgwd.sock until it is destroyed.
class TinDaemon {
 public:
  // The octets for a request line; none: it never answers.
  using Answer = std::function<std::string(const std::string& request)>;
  TinDaemon(const std::string& folder, Answer answer);
  ~TinDaemon();
  std::vector<std::string> requests() const;

 private:
  void serve();

  Answer answer_;
  int listener_ = -1, wake_[2] = {-1, -1};
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<int> unanswered_;
  std::thread thread_;
};

}  // namespace cgw::test
