#include "ipsec/payload.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace cgw::ipsec {
namespace {

constexpr std::uint8_t kFlagInitiator = 0x08, kFlagResponse = 0x20;
constexpr std::uint8_t kCritical = 0x80;
constexpr std::uint8_t kProtocolIke = 1, kProtocolEsp = 3;
// More SPIs in one DELETE than anybody has.
constexpr std::size_t kMaxDeleted = 64;

struct NotifyName {
  NotifyType type;
  std::string_view name;
};
constexpr std::array kNotifyNames{
    NotifyName{NotifyType::UnsupportedCriticalPayload, "UNSUPPORTED_CRITICAL_PAYLOAD"},
    NotifyName{NotifyType::InvalidIkeSpi, "INVALID_IKE_SPI"},
    NotifyName{NotifyType::InvalidMajorVersion, "INVALID_MAJOR_VERSION"},
    NotifyName{NotifyType::InvalidSyntax, "INVALID_SYNTAX"},
    NotifyName{NotifyType::InvalidMessageId, "INVALID_MESSAGE_ID"},
    NotifyName{NotifyType::InvalidSpi, "INVALID_SPI"},
    NotifyName{NotifyType::NoProposalChosen, "NO_PROPOSAL_CHOSEN"},
    NotifyName{NotifyType::InvalidKePayload, "INVALID_KE_PAYLOAD"},
    NotifyName{NotifyType::AuthenticationFailed, "AUTHENTICATION_FAILED"},
    NotifyName{NotifyType::SinglePairRequired, "SINGLE_PAIR_REQUIRED"},
    NotifyName{NotifyType::NoAdditionalSas, "NO_ADDITIONAL_SAS"},
    NotifyName{NotifyType::InternalAddressFailure, "INTERNAL_ADDRESS_FAILURE"},
    NotifyName{NotifyType::FailedCpRequired, "FAILED_CP_REQUIRED"},
    NotifyName{NotifyType::TsUnacceptable, "TS_UNACCEPTABLE"},
    NotifyName{NotifyType::InvalidSelectors, "INVALID_SELECTORS"},
    NotifyName{NotifyType::TemporaryFailure, "TEMPORARY_FAILURE"},
    NotifyName{NotifyType::ChildSaNotFound, "CHILD_SA_NOT_FOUND"},
    NotifyName{NotifyType::StateNotFound, "STATE_NOT_FOUND"},
    NotifyName{NotifyType::InitialContact, "INITIAL_CONTACT"},
    NotifyName{NotifyType::SetWindowSize, "SET_WINDOW_SIZE"},
    NotifyName{NotifyType::AdditionalTsPossible, "ADDITIONAL_TS_POSSIBLE"},
    NotifyName{NotifyType::IpcompSupported, "IPCOMP_SUPPORTED"},
    NotifyName{NotifyType::NatDetectionSourceIp, "NAT_DETECTION_SOURCE_IP"},
    NotifyName{NotifyType::NatDetectionDestinationIp, "NAT_DETECTION_DESTINATION_IP"},
    NotifyName{NotifyType::Cookie, "COOKIE"},
    NotifyName{NotifyType::UseTransportMode, "USE_TRANSPORT_MODE"},
    NotifyName{NotifyType::RekeySa, "REKEY_SA"},
    NotifyName{NotifyType::EspTfcPaddingNotSupported, "ESP_TFC_PADDING_NOT_SUPPORTED"},
    NotifyName{NotifyType::Redirect, "REDIRECT"},
    NotifyName{NotifyType::ChildlessSupported, "CHILDLESS_IKEV2_SUPPORTED"},
    NotifyName{NotifyType::FragmentationSupported, "IKEV2_FRAGMENTATION_SUPPORTED"},
    NotifyName{NotifyType::SignatureHashAlgorithms, "SIGNATURE_HASH_ALGORITHMS"},
    NotifyName{NotifyType::IntermediateExchangeSupported, "INTERMEDIATE_EXCHANGE_SUPPORTED"},
    NotifyName{NotifyType::AdditionalKeyExchange, "ADDITIONAL_KEY_EXCHANGE"},
};

Payload ke_payload(DhGroup group, Bytes value) {
  Payload p{PayloadType::Ke, false, {}};
  Writer w(p.body);
  w.u16(static_cast<std::uint16_t>(group));
  w.u16(0);
  w.bytes(value);
  return p;
}

bool known(PayloadType t) {
  const auto v = static_cast<std::uint8_t>(t);
  return (v >= 33 && v <= 48) || t == PayloadType::Skf;
}

}  // namespace

std::string_view to_string(Exchange e) {
  switch (e) {
    case Exchange::IkeSaInit: return "IKE_SA_INIT";
    case Exchange::IkeAuth: return "IKE_AUTH";
    case Exchange::CreateChildSa: return "CREATE_CHILD_SA";
    case Exchange::Informational: return "INFORMATIONAL";
    case Exchange::IkeIntermediate: return "IKE_INTERMEDIATE";
    case Exchange::IkeFollowupKe: return "IKE_FOLLOWUP_KE";
  }
  return "unknown exchange";
}

std::string to_string(NotifyType t) {
  const auto it = std::ranges::find(kNotifyNames, t, &NotifyName::type);
  if (it != kNotifyNames.end()) return std::string(it->name);
  return fmt::format("notify {}", static_cast<std::uint16_t>(t));
}

//    |                       IKE SA Initiator's SPI (8)              |
//    |                       IKE SA Responder's SPI (8)              |
//    |  Next Payload | MjVer | MnVer | Exchange Type |     Flags     |
//    |                          Message ID                           |
//    |                            Length                             |
std::optional<Header> parse_header(Bytes message) {
  Reader r(message);
  Header h;
  h.spi_i = r.u64();
  h.spi_r = r.u64();
  h.first = PayloadType{r.u8()};
  const auto version = r.u8();
  h.major = version >> 4;
  h.minor = version & 15;
  h.exchange = Exchange{r.u8()};
  const auto flags = r.u8();
  h.initiator = (flags & kFlagInitiator) != 0;
  h.response = (flags & kFlagResponse) != 0;
  h.message_id = r.u32();
  h.length = r.u32();
  if (!r.ok()) return std::nullopt;
  return h;
}

void write_header(const Header& h, Buffer& out) {
  Writer w(out);
  w.u32(static_cast<std::uint32_t>(h.spi_i >> 32));
  w.u32(static_cast<std::uint32_t>(h.spi_i));
  w.u32(static_cast<std::uint32_t>(h.spi_r >> 32));
  w.u32(static_cast<std::uint32_t>(h.spi_r));
  w.u8(static_cast<std::uint8_t>(h.first));
  w.u8(static_cast<std::uint8_t>(h.major << 4 | h.minor));
  w.u8(static_cast<std::uint8_t>(h.exchange));
  w.u8(static_cast<std::uint8_t>((h.initiator ? kFlagInitiator : 0) | (h.response ? kFlagResponse : 0)));
  w.u32(h.message_id);
  w.u32(h.length);
}

Result<Chain, NotifyType> parse_chain(PayloadType first, Bytes octets) {
  Chain out;
  Reader r(octets);
  for (PayloadType type = first; type != PayloadType::None;) {
    const auto next = PayloadType{r.u8()};
    const auto flags = r.u8();
    const std::size_t length = r.u16();
    if (!r.ok() || length < kPayloadHeader || out.payloads.size() == kMaxPayloads)
      return fail(NotifyType::InvalidSyntax);
    const Bytes body = r.bytes(length - kPayloadHeader);
    if (!r.ok()) return fail(NotifyType::InvalidSyntax);
    out.payloads.push_back({type, (flags & kCritical) != 0, {body.begin(), body.end()}});
    if (type == PayloadType::Sk || type == PayloadType::Skf) {
      out.inner_first = next;
      break;
    }
    type = next;
  }
  // RFC 7296 3.14: the encrypted payload "is always the last payload in the message".
  if (!r.done()) return fail(NotifyType::InvalidSyntax);
  return out;
}

PayloadType write_chain(const Payloads& payloads, Buffer& out) {
  Writer w(out);
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const auto next = i + 1 < payloads.size() ? payloads[i + 1].type : PayloadType::None;
    w.u8(static_cast<std::uint8_t>(next));
    w.u8(payloads[i].critical ? kCritical : 0);
    w.u16(static_cast<std::uint16_t>(payloads[i].body.size() + kPayloadHeader));
    w.bytes(payloads[i].body);
  }
  return payloads.empty() ? PayloadType::None : payloads.front().type;
}

const Payload* find(const Payloads& payloads, PayloadType type) {
  const auto it = std::ranges::find(payloads, type, &Payload::type);
  return it == payloads.end() ? nullptr : &*it;
}

std::optional<std::uint8_t> unknown_critical(const Payloads& payloads) {
  for (const auto& p : payloads) {
    if (p.critical && !known(p.type)) return static_cast<std::uint8_t>(p.type);
  }
  return std::nullopt;
}

std::optional<Notify> parse_notify(Bytes body) {
  Reader r(body);
  Notify n;
  n.protocol = r.u8();
  const std::size_t spi_size = r.u8();
  n.type = NotifyType{r.u16()};
  const Bytes spi = r.bytes(spi_size);
  if (!r.ok()) return std::nullopt;
  n.spi.assign(spi.begin(), spi.end());
  const Bytes data = r.rest();
  n.data.assign(data.begin(), data.end());
  return n;
}

std::vector<Notify> notifies(const Payloads& payloads) {
  std::vector<Notify> out;
  for (const auto& p : payloads) {
    if (p.type != PayloadType::Notify) continue;
    if (auto n = parse_notify(p.body)) out.push_back(std::move(*n));
  }
  return out;
}

std::optional<Notify> find_notify(const Payloads& payloads, NotifyType type) {
  for (auto& n : notifies(payloads)) {
    if (n.type == type) return std::move(n);
  }
  return std::nullopt;
}

Payload make_notify(NotifyType type, Bytes data, std::uint8_t protocol, Bytes spi) {
  Payload p{PayloadType::Notify, false, {}};
  Writer w(p.body);
  w.u8(protocol);
  w.u8(static_cast<std::uint8_t>(spi.size()));
  w.u16(static_cast<std::uint16_t>(type));
  w.bytes(spi);
  w.bytes(data);
  return p;
}

std::optional<KeyExchangePayload> parse_ke(Bytes body) {
  Reader r(body);
  const auto group = DhGroup{r.u16()};
  r.u16();
  if (!r.ok()) return std::nullopt;
  return KeyExchangePayload{group, r.rest()};
}

Payload make_ke(const KeyExchange& ke) {
  return ke_payload(ke.group(), ke.public_value());
}
Payload make_ke(const KeyExchangeAnswer& answer) {
  return ke_payload(answer.group, answer.public_value);
}

std::optional<Delete> parse_delete(Bytes body) {
  Reader r(body);
  Delete d;
  const auto protocol = r.u8();
  const auto spi_size = r.u8();
  const std::size_t count = r.u16();
  if (!r.ok()) return std::nullopt;
  if (protocol == kProtocolIke) {
    d.ike = true;
    return spi_size == 0 && count == 0 ? std::optional(d) : std::nullopt;
  }
  if (protocol != kProtocolEsp || spi_size != 4 || count > kMaxDeleted) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i)
    d.spis.push_back(r.u32());
  return r.done() ? std::optional(d) : std::nullopt;
}

Payload make_delete_ike() {
  return {PayloadType::Delete, false, {kProtocolIke, 0, 0, 0}};
}

Payload make_delete_esp(std::uint32_t spi) {
  Payload p{PayloadType::Delete, false, {kProtocolEsp, 4, 0, 1}};
  Writer(p.body).u32(spi);
  return p;
}

}  // namespace cgw::ipsec
