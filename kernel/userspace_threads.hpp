#pragma once
#include <functional>
#include <stop_token>
#include <thread>
#include <vector>

namespace cgw::kernel::userspace {

// Threads that handle packets. They take no signals: those are the control thread's.
class Threads {
 public:
  Threads() = default;
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  // Asks all of them to stop, then waits for them: one may hold what another waits for.
  ~Threads();

  void start(const char* name, std::function<void(const std::stop_token&)> loop);

 private:
  std::vector<std::jthread> threads_;
};

}  // namespace cgw::kernel::userspace
