#include "kernel/userspace_threads.hpp"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace cgw::kernel::userspace {

void Threads::start(const char* name, std::function<void(const std::stop_token&)> loop) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  threads_.emplace_back(std::move(loop));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(threads_.back().native_handle(), name);
}

Threads::~Threads() {
  for (auto& t : threads_)
    t.request_stop();
  threads_.clear();
}

}  // namespace cgw::kernel::userspace
