#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "kernel/error.hpp"
#include "kernel/xfrm_socket.hpp"

namespace cgw::kernel {

// More in one send gains nothing measurable, and every answer must fit the receive buffer.
inline constexpr std::size_t kBatchSize = 256;

struct Refusal {
  std::size_t index;  // of the message in the batch
  int errnum;
  std::string detail;
};

// A routing socket for batches and large dumps: dumps are filtered by the kernel where it can, and the
// answers to a whole batch fit its buffer.
KernelResult<RequestSocket> open_batch_socket();

// Sends up to kBatchSize messages in one system call. The kernel works through all of them, whatever it
// refuses; only the last one asks for an acknowledgement, and refusals are told apart by sequence number.
KernelResult<std::vector<Refusal>> send_batch(RequestSocket& socket, std::span<const Message> messages);

// Repeats a dump that the kernel marks as interrupted by a change (NLM_F_DUMP_INTR). restart() runs before
// every attempt and forgets what the last one brought.
KernelResult<void> consistent_dump(RequestSocket& socket, Message (*build)(int), int argument, const std::string& what,
                                   const std::function<void()>& restart, const RequestSocket::OnReply& on_reply);

}  // namespace cgw::kernel
