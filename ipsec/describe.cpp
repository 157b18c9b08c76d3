#include "ipsec/describe.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/note.hpp"
#include "ipsec/sa_payload.hpp"

namespace cgw::ipsec {
namespace {

constexpr std::size_t kShown = 32;  // octets or transforms of one kind

std::string_view chars(Bytes b) {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}

struct Name {
  std::uint16_t value;
  std::string_view text;
};

template <std::size_t N>
std::string named(const std::array<Name, N>& names, std::uint16_t value) {
  const auto it = std::ranges::find(names, value, &Name::value);
  return it != names.end() ? std::string(it->text) : fmt::format("{}", value);
}

// IANA, "IKEv2 Parameters".
constexpr std::array kPayloads{
    Name{33, "SA"},   Name{34, "KE"}, Name{35, "IDi"}, Name{36, "IDr"}, Name{37, "CERT"}, Name{38, "CERTREQ"},
    Name{39, "AUTH"}, Name{40, "No"}, Name{41, "N"},   Name{42, "D"},   Name{43, "V"},    Name{44, "TSi"},
    Name{45, "TSr"},  Name{46, "SK"}, Name{47, "CP"},  Name{48, "EAP"}, Name{53, "SKF"},
};
constexpr std::array kEncr{
    Name{3, "3DES"},       Name{11, "NULL"},       Name{12, "AES_CBC"},    Name{13, "AES_CTR"},
    Name{18, "AES_GCM_8"}, Name{19, "AES_GCM_12"}, Name{20, "AES_GCM_16"}, Name{28, "CHACHA20_POLY1305"}};
constexpr std::array kPrf{Name{1, "HMAC_MD5"},      Name{2, "HMAC_SHA1"},     Name{4, "AES128_XCBC"},
                          Name{5, "HMAC_SHA2_256"}, Name{6, "HMAC_SHA2_384"}, Name{7, "HMAC_SHA2_512"}};
constexpr std::array kInteg{Name{0, "NONE"},
                            Name{1, "HMAC_MD5_96"},
                            Name{2, "HMAC_SHA1_96"},
                            Name{5, "AES_XCBC_96"},
                            Name{12, "HMAC_SHA2_256_128"},
                            Name{13, "HMAC_SHA2_384_192"},
                            Name{14, "HMAC_SHA2_512_256"}};
constexpr std::array kGroups{
    Name{0, "NONE"},       Name{2, "MODP_1024"},   Name{5, "MODP_1536"},  Name{14, "MODP_2048"}, Name{15, "MODP_3072"},
    Name{16, "MODP_4096"}, Name{17, "MODP_6144"},  Name{18, "MODP_8192"}, Name{19, "ECP_256"},   Name{20, "ECP_384"},
    Name{21, "ECP_521"},   Name{31, "CURVE25519"}, Name{36, "ML_KEM_768"}};
constexpr std::array kEsn{Name{0, "NO"}, Name{1, "YES"}};
constexpr std::array kProtocols{Name{1, "IKE"}, Name{2, "AH"}, Name{3, "ESP"}};
constexpr std::array kIds{Name{1, "IPV4_ADDR"},   Name{2, "FQDN"},         Name{3, "RFC822_ADDR"}, Name{5, "IPV6_ADDR"},
                          Name{9, "DER_ASN1_DN"}, Name{10, "DER_ASN1_GN"}, Name{11, "KEY_ID"}};
constexpr std::array kAuth{Name{1, "RSA signature"},     Name{2, "shared key"}, Name{9, "ECDSA-256"},
                           Name{10, "ECDSA-384"},        Name{11, "ECDSA-512"}, Name{13, "NULL"},
                           Name{14, "digital signature"}};

// ADDKE1 to ADDKE7 (RFC 9370); 0: none of them.
int additional_number(TransformType t) {
  const bool is = t >= TransformType::AddKe1 && t <= TransformType::AddKe7;
  return is ? static_cast<int>(t) - static_cast<int>(TransformType::AddKe1) + 1 : 0;
}

std::string transform_text(const Transform& t) {
  std::string name;
  switch (t.type) {
    case TransformType::Encr: name = named(kEncr, t.id); break;
    case TransformType::Prf: name = named(kPrf, t.id); break;
    case TransformType::Integ: name = named(kInteg, t.id); break;
    case TransformType::Dh: name = named(kGroups, t.id); break;
    case TransformType::Esn: name = named(kEsn, t.id); break;
    default: name = additional_number(t.type) != 0 ? named(kGroups, t.id) : fmt::format("{}", t.id);
  }
  return t.key_bits != 0 ? fmt::format("{}-{}", name, t.key_bits) : name;
}

TransformType next(TransformType t) {
  return TransformType{static_cast<std::uint8_t>(static_cast<std::uint8_t>(t) + 1)};
}

std::string transform_kind(TransformType t) {
  switch (t) {
    case TransformType::Encr: return "ENCR";
    case TransformType::Prf: return "PRF";
    case TransformType::Integ: return "INTEG";
    case TransformType::Dh: return "DH";
    case TransformType::Esn: return "ESN";
    default: return fmt::format("ADDKE{}", additional_number(t));
  }
}

void describe_sa(Bytes body, std::vector<std::string>& out) {
  const auto proposals = parse_sa(body);
  if (!proposals) return out.push_back(fmt::format("SA: malformed, {} octets", body.size()));
  for (const auto& p : *proposals) {
    std::string line = fmt::format("SA: {} {}", p.number, named(kProtocols, static_cast<std::uint16_t>(p.protocol)));
    if (!p.spi.empty()) line += fmt::format(" {}", hex(chars(p.spi)));
    for (auto type = TransformType::Encr; type <= TransformType::AddKe7; type = next(type)) {
      std::vector<std::string> texts;
      std::size_t more = 0;
      for (const auto& t : p.transforms) {
        if (t.type == type) texts.size() < kShown ? texts.push_back(transform_text(t)) : void(++more);
      }
      if (texts.empty()) continue;
      line += fmt::format(", {} {}", transform_kind(type), fmt::join(texts, " "));
      if (more > 0) line += fmt::format(" and {} more", more);
    }
    out.push_back(std::move(line));
  }
}

std::string describe_id(std::string_view name, Bytes body) {
  if (body.size() < 4) return fmt::format("{}: malformed, {} octets", name, body.size());
  const Bytes data = body.subspan(4);
  const auto address = IpAddress::from_bytes(data);
  const bool is_address = body[0] == 1 || body[0] == 5;
  return fmt::format("{}: {} {}", name, named(kIds, body[0]),
                     is_address && address ? address->to_string() : printable(chars(data)));
}

std::string describe_notify(Bytes body) {
  const auto n = parse_notify(body);
  if (!n) return fmt::format("N: malformed, {} octets", body.size());
  std::string out = "N(" + to_string(n->type) + ")";
  if (!n->spi.empty()) out += fmt::format(" {} {}", named(kProtocols, n->protocol), hex(chars(n->spi)));
  if (n->type == NotifyType::InvalidKePayload && n->data.size() == 2)
    return out + " group " + named(kGroups, static_cast<std::uint16_t>(n->data[0] << 8 | n->data[1]));
  if (!n->data.empty()) out += fmt::format(", {} octets", n->data.size());
  return out;
}

std::string describe_delete(Bytes body) {
  const auto d = parse_delete(body);
  if (!d) return fmt::format("D: malformed, {} octets", body.size());
  if (d->ike) return "D: the IKE SA";
  std::string out = "D: ESP";
  for (const auto spi : d->spis)
    out += fmt::format(" {:08x}", spi);
  return out;
}

std::string describe_ts(std::string_view name, Bytes body) {
  Reader r(body);
  const unsigned count = r.u8();
  r.u8();
  r.u16();
  std::string out = fmt::format("{}:", name);
  for (unsigned i = 0; i < count; ++i) {
    const auto type = r.u8();
    const auto protocol = r.u8();
    const std::size_t length = r.u16();
    if (!r.ok() || length < 8) return out + " malformed";
    Reader s = r.sub(length - 4);
    const auto from_port = s.u16(), to_port = s.u16();
    const std::size_t size = type == 7 ? 4 : 16;
    const auto from = IpAddress::from_bytes(s.bytes(size)), to = IpAddress::from_bytes(s.bytes(size));
    if (i == kShown) return out + fmt::format(" and {} more", count - i);
    if (!s.done() || !from || !to) {
      out += fmt::format(" type {}", type);
      continue;
    }
    out += fmt::format(" {}-{}", from->to_string(), to->to_string());
    if (protocol != 0) out += fmt::format(" protocol {}", protocol);
    if (from_port != 0 || to_port != 0xffff) out += fmt::format(" ports {}-{}", from_port, to_port);
  }
  return out;
}

void describe_payload(const Payload& p, std::vector<std::string>& out) {
  const std::string name = named(kPayloads, static_cast<std::uint16_t>(p.type));
  const Bytes body = p.body;
  switch (p.type) {
    case PayloadType::Sa: return describe_sa(body, out);
    case PayloadType::IdI:
    case PayloadType::IdR: return out.push_back(describe_id(name, body));
    case PayloadType::Notify: return out.push_back(describe_notify(body));
    case PayloadType::Delete: return out.push_back(describe_delete(body));
    case PayloadType::TsI:
    case PayloadType::TsR: return out.push_back(describe_ts(name, body));
    case PayloadType::Vendor: return out.push_back(fmt::format("V: {}", printable(chars(body), kShown)));
    case PayloadType::Ke: {
      const auto ke = parse_ke(body);
      return out.push_back(
          ke ? fmt::format("KE: {}, {} octets", named(kGroups, static_cast<std::uint16_t>(ke->group)), ke->value.size())
             : std::string("KE: malformed"));
    }
    case PayloadType::Auth:
      return out.push_back(body.size() < 4
                               ? std::string("AUTH: malformed")
                               : fmt::format("AUTH: {}, {} octets", named(kAuth, body[0]), body.size() - 4));
    case PayloadType::None:
    case PayloadType::Cert:
    case PayloadType::CertReq:
    case PayloadType::Nonce:
    case PayloadType::Sk:
    case PayloadType::Config:
    case PayloadType::Eap:
    case PayloadType::Skf: break;
  }
  const bool known = std::ranges::find(kPayloads, static_cast<std::uint16_t>(p.type), &Name::value) != kPayloads.end();
  out.push_back(
      fmt::format("{}{}: {} octets{}", known ? "" : "payload ", name, body.size(), p.critical ? ", critical" : ""));
}

// Wireshark's own words for the algorithms (packet-isakmp.c).
std::string wireshark_encr(const IkeSuite& s) {
  return s.encr == Encr::AesGcm16 ? fmt::format("AES-GCM-{} with 16 octet ICV [RFC5282]", s.key_bits)
                                  : fmt::format("AES-CBC-{} [RFC3602]", s.key_bits);
}

std::string_view wireshark_integ(Integ i) {
  switch (i) {
    case Integ::None: return "NONE [RFC4306]";
    case Integ::HmacSha1_96: return "HMAC_SHA1_96 [RFC2404]";
    case Integ::HmacSha256_128: return "HMAC_SHA2_256_128 [RFC4868]";
    case Integ::HmacSha384_192: return "HMAC_SHA2_384_192 [RFC4868]";
    case Integ::HmacSha512_256: return "HMAC_SHA2_512_256 [RFC4868]";
  }
  return "?";
}

}  // namespace

std::vector<std::string> describe(const Header& h, const Payloads& payloads) {
  std::vector<std::string> out{fmt::format("{} {} {}, {:016x}_i {:016x}_r", to_string(h.exchange),
                                           h.response ? "response" : "request", h.message_id, h.spi_i, h.spi_r)};
  for (const auto& p : payloads)
    describe_payload(p, out);
  if (payloads.empty()) out.emplace_back("no payload");
  return out;
}

SecretBytes decryption_table_row(std::uint64_t spi_i, std::uint64_t spi_r, const IkeSuite& suite, const IkeKeys& keys) {
  Buffer row;
  row.reserve(1024);
  const auto put = [&](std::string_view text) { row.insert(row.end(), text.begin(), text.end()); };
  const auto put_hex = [&](Bytes octets) {
    for (const auto o : octets)
      put(fmt::format("{:02x}", o));
    put(",");
  };
  put(fmt::format("{:016x},{:016x},", spi_i, spi_r));
  put_hex(keys.ei.view());
  put_hex(keys.er.view());
  put(fmt::format("\"{}\",", wireshark_encr(suite)));
  put_hex(keys.ai.view());
  put_hex(keys.ar.view());
  put(fmt::format("\"{}\"\n", wireshark_integ(suite.integ)));
  SecretBytes out{Bytes(row)};
  std::ranges::fill(row, std::uint8_t{0});
  return out;
}

}  // namespace cgw::ipsec
