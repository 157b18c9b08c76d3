#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/wire.hpp"
#include "ipsec/crypto.hpp"

// IKEv2 messages as they are on the wire (RFC 7296 3): header, payload chain, notifies. What payloads mean is in
// sa_payload.hpp, ts_payload.hpp and the exchanges.
namespace cgw::ipsec {

enum class Exchange : std::uint8_t {
  IkeSaInit = 34,
  IkeAuth = 35,
  CreateChildSa = 36,
  Informational = 37,
  IkeIntermediate = 43,
  IkeFollowupKe = 44,
};
std::string_view to_string(Exchange e);

enum class PayloadType : std::uint8_t {
  None = 0,
  Sa = 33,
  Ke = 34,
  IdI = 35,
  IdR = 36,
  Cert = 37,
  CertReq = 38,
  Auth = 39,
  Nonce = 40,
  Notify = 41,
  Delete = 42,
  Vendor = 43,
  TsI = 44,
  TsR = 45,
  Sk = 46,
  Config = 47,
  Eap = 48,
  Skf = 53,
};

enum class NotifyType : std::uint16_t {
  UnsupportedCriticalPayload = 1,
  InvalidIkeSpi = 4,
  InvalidMajorVersion = 5,
  InvalidSyntax = 7,
  InvalidMessageId = 9,
  InvalidSpi = 11,
  NoProposalChosen = 14,
  InvalidKePayload = 17,
  AuthenticationFailed = 24,
  SinglePairRequired = 34,
  NoAdditionalSas = 35,
  InternalAddressFailure = 36,
  FailedCpRequired = 37,
  TsUnacceptable = 38,
  InvalidSelectors = 39,
  TemporaryFailure = 43,
  ChildSaNotFound = 44,
  StateNotFound = 47,
  InitialContact = 16384,
  SetWindowSize = 16385,
  AdditionalTsPossible = 16386,
  IpcompSupported = 16387,
  NatDetectionSourceIp = 16388,
  NatDetectionDestinationIp = 16389,
  Cookie = 16390,
  UseTransportMode = 16391,
  RekeySa = 16393,
  EspTfcPaddingNotSupported = 16394,
  AuthLifetime = 16403,
  Redirect = 16407,
  ChildlessSupported = 16418,
  FragmentationSupported = 16430,
  SignatureHashAlgorithms = 16431,
  IntermediateExchangeSupported = 16438,
  AdditionalKeyExchange = 16441,
};
// "NO_PROPOSAL_CHOSEN", or the number.
std::string to_string(NotifyType t);
constexpr bool is_error(NotifyType t) {
  return static_cast<std::uint16_t>(t) < 16384;
}

struct Header {
  std::uint64_t spi_i = 0, spi_r = 0;
  PayloadType first = PayloadType::None;
  std::uint8_t major = 2, minor = 0;
  Exchange exchange = Exchange::Informational;
  bool initiator = false;  // sent by the original initiator of the IKE SA
  bool response = false;
  std::uint32_t message_id = 0;
  std::uint32_t length = 0;
};
inline constexpr std::size_t kHeaderOctets = 28;

std::optional<Header> parse_header(Bytes message);  // nullopt: shorter than a header
// `length` is taken from the header.
void write_header(const Header& h, Buffer& out);

struct Payload {
  PayloadType type = PayloadType::None;
  bool critical = false;
  Buffer body;
};
using Payloads = std::vector<Payload>;

inline constexpr std::size_t kMaxPayloads = 64;
inline constexpr std::size_t kPayloadHeader = 4;

// The chain from `first` on. `protected_tail`: an SK or SKF payload ends the chain and keeps its own next-payload value
// in `inner_first`. Errors: too many payloads, a length below 4 or past the end.
struct Chain {
  Payloads payloads;
  PayloadType inner_first = PayloadType::None;
};
Result<Chain, NotifyType> parse_chain(PayloadType first, Bytes octets);
// Writes the chain and returns the type of its first payload.
PayloadType write_chain(const Payloads& payloads, Buffer& out);

const Payload* find(const Payloads& payloads, PayloadType type);
// The type of a critical payload we do not know, if there is one (RFC 7296 2.5).
std::optional<std::uint8_t> unknown_critical(const Payloads& payloads);

// RFC 7296 3.10
struct Notify {
  std::uint8_t protocol = 0;
  Buffer spi;
  NotifyType type{};
  Buffer data;
};
std::optional<Notify> parse_notify(Bytes body);
std::vector<Notify> notifies(const Payloads& payloads);
std::optional<Notify> find_notify(const Payloads& payloads, NotifyType type);
Payload make_notify(NotifyType type, Bytes data = {}, std::uint8_t protocol = 0, Bytes spi = {});

// RFC 7296 3.4
struct KeyExchangePayload {
  DhGroup group;
  Bytes value;
};
std::optional<KeyExchangePayload> parse_ke(Bytes body);
Payload make_ke(const KeyExchange& ke);
Payload make_ke(const KeyExchangeAnswer& answer);

// RFC 7296 3.11: ESP (4-octet SPIs) or IKE (none).
struct Delete {
  bool ike = false;
  std::vector<std::uint32_t> spis;
};
std::optional<Delete> parse_delete(Bytes body);
Payload make_delete_ike();
Payload make_delete_esp(std::uint32_t spi);

}  // namespace cgw::ipsec
