#pragma once
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

// Another exchange for the same SA, begun by the peer while ours is under way (RFC 7296 2.8.1, 2.8.2).
struct RivalRekey {
  Spi spi_in{};             // of the Child SA that it made
  std::uint64_t spi_r = 0;  // of the IKE SA that it made, chosen by us
  Buffer lowest_nonce;
};

struct Child {
  ChildSa sa;
  TimePoint installed{}, rekey_at{}, hard_at{};
  bool replaced = false;               // a newer one is there; this one is to be deleted
  std::optional<TimePoint> drop_at{};  // of a replaced one that the peer should delete
};

// A Child SA that both sides have given up: it receives what is still on the way.
struct Lingering {
  Spi spi_in, spi_out;
  TimePoint until{};
};

enum class TaskKind : std::uint8_t {
  Init,
  Intermediate,
  Auth,
  Dpd,
  CreateChild,
  RekeyChild,
  RekeyIke,
  DeleteChild,
  DeleteIke
};

struct Task {
  TaskKind kind = TaskKind::Dpd;
  Spi spi_in{};  // of the Child SA it is about
};

// Between the answer to a rekey of ours and the last IKE_FOLLOWUP_KE.
struct FollowupRequest {
  AdditionalKe groups{};
  Payloads answer;
  std::size_t done = 0;
  SecretBytes secrets{};  // one after the other
  std::unique_ptr<KeyExchange> ke{};
};

// What we have answered to the peer's CREATE_CHILD_SA, and what has followed; forgotten when the next does not come.
struct FollowupAnswer {
  Buffer nonce;
  Spi spi_in{};
  std::uint64_t ike_spi = 0;
  std::optional<KeyExchangeAnswer> ke{};  // none: a Child SA without PFS
  AdditionalKe groups{};
  Payloads request{};  // of CREATE_CHILD_SA
  std::size_t done = 0;
  SecretBytes secrets{};
  KeyExchangeAnswer last{};
  Buffer link{};  // the peer returns it
  TimePoint until{};
};

// The one request under way (window size 1, RFC 7296 2.3).
struct Request {
  Task task;
  std::uint32_t id = 0;
  std::vector<Buffer> datagrams;
  std::size_t sent = 0;   // times, less the first
  bool liveness = false;  // goes by the quicker retransmission
  TimePoint next{};
  // CREATE_CHILD_SA:
  Spi new_spi{};
  std::uint64_t new_ike_spi = 0;
  Buffer nonce;
  std::unique_ptr<KeyExchange> ke;
  std::unique_ptr<FollowupRequest> followup{};
  std::optional<RivalRekey> rival{};  // answered while this one was under way
};

struct IkeSa {
  // Closed: gone, but for repetitions of the peer's last request, which get their answer until drop_at.
  enum class State : std::uint8_t { InitSent, AuthSent, HalfOpen, Established, Deleting, Closed };

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
  // IKE_INTERMEDIATE
  std::uint32_t intermediates = 0;  // done
  Buffer int_auth_i, int_auth_r;
  std::unique_ptr<SkCipher> in_before;  // opens repetitions of the last one
  // IKE_FOLLOWUP_KE
  std::unique_ptr<FollowupAnswer> answering;
  bool gone = false;          // erased at the end of the step
  bool doomed = false;        // not for use: redundant, and to be deleted by one side
  bool undecided = false;     // made by a rekey of the peer's that collides with ours
  unsigned init_retries = 0;  // COOKIE and INVALID_KE_PAYLOAD answered
  Spi first_child_spi{};

  std::uint32_t next_request = 0, expected_request = 0;
  std::optional<Request> request;
  std::vector<Task> tasks;
  Exchange requested = Exchange::IkeSaInit;  // by the request that came last
  std::vector<Buffer> last_response;
  Reassembly requests, responses;

  TimePoint created{};
  std::optional<TimePoint> established, rekey_at, hard_at, drop_at;
  // CREATE_CHILD_SA
  std::optional<TimePoint> create_child_at;       // it has no Child SA; when to ask for one
  std::optional<DhGroup> child_group, ike_group;  // that INVALID_KE_PAYLOAD asked for
  std::optional<TimePoint> reauth_at;
  unsigned reauth_tries = 0;
  bool authenticated_by_us = false;     // we began its IKE_AUTH, or that of the one it was rekeyed from
  bool replaces = false;                // made to authenticate anew: the others go when it is up
  bool beside = false;                  // begun while it is in doubt whether the peer still has the other one
  unsigned refusals = 0;                // in a row
  unsigned forgotten = 0;               // STATE_NOT_FOUND in a row
  std::optional<TimePoint> busy_since;  // nothing but TEMPORARY_FAILURE since then
  TimePoint last_heard{}, last_sent{};
  std::optional<TimePoint> checked_at{};  // a doubt made us ask
  unsigned doubts = 0;                    // that did so since ESP was last seen
  std::vector<Child> children;

  // For use and not about to go.
  bool usable() const { return !gone && state == State::Established && !drop_at && !doomed && !undecided; }
  bool doing(TaskKind k) const { return request && request->task.kind == k; }
  bool doing(TaskKind k, Spi spi_in) const { return doing(k) && request->task.spi_in == spi_in; }
  bool encapsulated() const { return nat_local || nat_remote || forced_encap; }
  // Of our own requests' and responses' header.
  Header header(Exchange e, bool response, std::uint32_t id) const {
    return {
        .spi_i = spi_i, .spi_r = spi_r, .exchange = e, .initiator = initiator, .response = response, .message_id = id};
  }
  Child* child_in(Spi spi) {
    for (auto& c : children) {
      if (c.sa.spi_in == spi) return &c;
    }
    return nullptr;
  }
  Child* child_out(Spi spi) {
    for (auto& c : children) {
      if (c.sa.spi_out == spi) return &c;
    }
    return nullptr;
  }
  // The newest that is not replaced.
  Child* current() {
    Child* best = nullptr;
    for (auto& c : children) {
      if (!c.replaced) best = &c;
    }
    return best;
  }
};

// IntAuth (RFC 9242 3.3.2); empty without IKE_INTERMEDIATE.
Buffer intermediate_auth(const IkeSa& sa);

}  // namespace cgw::ipsec
