#pragma once
#include <optional>
#include <vector>

#include "ipsec/peer.hpp"
#include "ipsec/protected_message.hpp"
#include "ipsec/sa_payload.hpp"
#include "ipsec/ts_payload.hpp"
#include "tests/support/sim_entropy.hpp"

namespace cgw::test {

// The other end of an IkePeer, made by hand: it has the shared key and so every key of the exchange, and can say what
// no honest peer says, correctly encrypted and authenticated. It owns the clock and the peer.
class IkeRival {
 public:
  enum class Role : bool { Responder, Initiator };  // the rival's

  explicit IkeRival(Role role, const char* ike_suite = "aes256gcm16-prfsha384-ecp384");

  // The exchanges as an honest peer does them.
  void begin();  // the peer is started
  void init();   // IKE_SA_INIT: afterwards there are keys
  void auth();   // IKE_AUTH: the peer is established
  void establish() { begin(), init(), auth(); }

  // Everything the peer did is in `actions`; a call adds to it.
  void step(const ipsec::Event& e);
  void deliver(ipsec::Buffer message);
  // Lets time pass, deadline by deadline. False: the peer's deadline does not move on, it would spin.
  bool pass(Duration d);

  // What only the rival's keys can make. `id`: of a request the next one, of a response that of the peer's request.
  ipsec::Buffer sealed(ipsec::Exchange e, bool response, std::uint32_t id, ipsec::PayloadType first, Bytes chain,
                       std::optional<std::pair<std::uint16_t, std::uint16_t>> fragment = std::nullopt);
  ipsec::Buffer sealed(ipsec::Exchange e, bool response, std::uint32_t id, const ipsec::Payloads& payloads);
  void request(ipsec::Exchange e, const ipsec::Payloads& payloads);
  // A header of this IKE SA, and the octets behind it as they are.
  ipsec::Buffer plain(ipsec::Exchange e, bool response, std::uint32_t id, ipsec::PayloadType first, Bytes chain) const;

  // What the peer says, opened.
  struct Heard {
    ipsec::Header header;
    ipsec::Payloads payloads;
  };
  std::vector<Heard> heard() const;  // of all actions, in order
  std::optional<Heard> last() const;
  bool answered_with(ipsec::NotifyType t) const;  // the last thing it said

  ipsec::Payloads honest_auth() const;
  ipsec::Payloads honest_child_rekey() const;  // of the peer's Child SA
  ipsec::Payloads honest_ike_rekey() const;

  bool has_keys() const { return in_ != nullptr; }
  std::uint32_t next_id() const { return next_id_; }
  std::uint32_t peers_id() const;  // of the peer's last request
  std::uint64_t spi_i() const { return spi_i_; }
  std::uint64_t spi_r() const { return spi_r_; }
  ipsec::IkePeer& peer() { return peer_; }
  const ipsec::PeerConfig& config() const { return config_; }

  TimePoint now = TimePoint{} + Seconds{1000};
  ipsec::Actions actions;
  std::size_t largest_step = 0;  // actions of one step

 private:
  ipsec::Header header(ipsec::Exchange e, bool response, std::uint32_t id) const;
  ipsec::Payloads init_payloads() const;
  void take_init(const ipsec::Buffer& message);
  ipsec::Buffer auth_value(bool of_initiator, const ipsec::Identity& id) const;
  const ipsec::Buffer* last_datagram() const;

  Role role_;
  ipsec::IkeSuite suite_;
  SimEntropy entropy_{7};
  ipsec::PeerConfig config_;
  ipsec::IkePeer peer_;
  std::unique_ptr<ipsec::KeyExchange> ke_;
  ipsec::Buffer ni_, nr_, init_request_, init_response_;
  std::uint64_t spi_i_ = 0, spi_r_ = 0;
  ipsec::IkeKeys keys_;
  std::unique_ptr<ipsec::SkCipher> in_, out_;  // the rival's
  std::uint64_t iv_ = 0;
  std::uint32_t next_id_ = 0;
};

}  // namespace cgw::test
