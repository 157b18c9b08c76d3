#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/ip.hpp"
#include "ipsec/auth_payload.hpp"
#include "ipsec/child_sa.hpp"
#include "ipsec/payload.hpp"
#include "ipsec/peer.hpp"
#include "ipsec/protected_message.hpp"

// The state of one IKE SA and its Child SAs; what happens to them is in the exchanges' files.
namespace cgw::ipsec {

// Another rekey of the same Child SA, started by the peer while ours is under way (RFC 7296 2.8.1).
struct RivalRekey {
  Spi spi_in;  // of the Child SA that it made
  Buffer lowest_nonce;
};

struct Child {
  ChildSa sa;
  TimePoint installed{}, rekey_at{}, hard_at{};
  bool replaced = false;               // a newer one sends; this one only receives
  std::optional<TimePoint> drop_at{};  // of a replaced one whose DELETE does not come
  bool deleted = false;  // both sides agree that it is gone; it receives what is still on the way until drop_at
};

enum class TaskKind : std::uint8_t { Init, Auth, Dpd, RekeyChild, RekeyIke, DeleteChild, DeleteIke };

struct Task {
  TaskKind kind = TaskKind::Dpd;
  Spi spi_in{};  // of the Child SA it is about
};

// The one request under way (window size 1, RFC 7296 2.3).
struct Request {
  Task task;
  std::uint32_t id = 0;
  std::vector<Buffer> datagrams;
  std::size_t sent = 0;  // times, less the first
  TimePoint next{};
  // CREATE_CHILD_SA:
  Spi new_spi{};
  std::uint64_t new_ike_spi = 0;
  Buffer nonce;
  std::unique_ptr<KeyExchange> ke;
  std::optional<RivalRekey> rival{};  // of the same Child SA, answered while this one was under way
};

struct IkeSa {
  enum class State : std::uint8_t { InitSent, AuthSent, HalfOpen, Established, Deleting };

  std::uint64_t spi_i = 0, spi_r = 0;
  bool initiator = false;  // we are the original initiator
  State state = State::InitSent;
  IkeSuite suite;
  IkeKeys keys;
  std::unique_ptr<SkCipher> in, out;
  std::uint64_t iv_counter = 0;
  Endpoint local, remote;
  bool nat_local = false, nat_remote = false, forced_encap = false;
  bool peer_fragments = false;

  // IKE_SA_INIT's words on authentication
  std::optional<Hashes> peer_hashes;  // SIGNATURE_HASH_ALGORITHMS
  CertRequest wanted;

  // IKE_SA_INIT, as AUTH signs it
  Buffer init_request, init_response, ni, nr, cookie;
  std::unique_ptr<KeyExchange> ke;
  bool gone = false;          // erased at the end of the step
  bool doomed = false;        // one of two side by side that is being deleted
  unsigned init_retries = 0;  // COOKIE and INVALID_KE_PAYLOAD answered
  Spi first_child_spi{};

  std::uint32_t next_request = 0, expected_request = 0;
  std::optional<Request> request;
  std::deque<Task> tasks;
  std::vector<Buffer> last_response;
  Reassembly requests, responses;

  TimePoint created{};
  std::optional<TimePoint> established, rekey_at, hard_at, drop_at;
  TimePoint last_heard{}, last_sent{};
  std::vector<Child> children;

  bool encapsulated() const { return nat_local || nat_remote || forced_encap; }
  // Of our own requests' and responses' header.
  Header header(Exchange e, bool response, std::uint32_t id) const {
    return {
        .spi_i = spi_i, .spi_r = spi_r, .exchange = e, .initiator = initiator, .response = response, .message_id = id};
  }
  Child* child_in(Spi spi) {
    for (auto& c : children) {
      if (c.sa.spi_in == spi && !c.deleted) return &c;
    }
    return nullptr;
  }
  Child* child_out(Spi spi) {
    for (auto& c : children) {
      if (c.sa.spi_out == spi && !c.deleted) return &c;
    }
    return nullptr;
  }
  // The one that sends; the newest where there are several.
  Child* current() {
    Child* best = nullptr;
    for (auto& c : children) {
      if (!c.replaced) best = &c;
    }
    return best;
  }
};

}  // namespace cgw::ipsec
