#include "bgp/open.hpp"

#include <fmt/format.h>

#include "bgp/framing.hpp"

namespace cgw::bgp {
namespace {

constexpr std::uint8_t kVersion = 4;
constexpr std::uint16_t kAsTrans = 23456;  // RFC 6793 9
constexpr std::uint8_t kParamCapabilities = 2;
constexpr std::uint8_t kExtendedLength = 255;  // RFC 9072

std::unexpected<OpenRefusal> open_error(std::uint8_t subcode, std::string why, std::vector<std::uint8_t> data = {}) {
  return fail(OpenRefusal{{.code = 2, .subcode = subcode, .data = std::move(data)}, std::move(why)});
}

std::unexpected<OpenRefusal> malformed(std::string_view where) {
  return open_error(0, fmt::format("its OPEN is malformed: {}", where));
}

// What the capabilities say; unknown ones are passed over (RFC 5492 3).
struct Parameters {
  Capabilities capabilities;
  Asn four_octet_as;
};

Result<Parameters, OpenRefusal> parse_parameters(Reader params, bool extended) {
  Parameters p;
  while (params.more()) {
    const auto type = params.u8();
    const std::size_t length = extended ? params.u16() : params.u8();
    Reader value = params.sub(length);
    if (value.ok() && type != kParamCapabilities)
      return open_error(4, fmt::format("its OPEN holds optional parameter {}, which nobody knows", type));
    while (value.more()) {
      const auto code = value.u8();
      const Bytes capability = value.bytes(value.u8());
      if (!value.ok()) break;
      if (!read_capability(code, capability, p.capabilities, p.four_octet_as))
        return malformed(fmt::format("capability {} has a wrong length", code));
    }
    if (!value.ok()) return malformed("a capability that runs over its parameter");
  }
  if (!params.ok()) return malformed("an optional parameter that runs over the end");
  return p;
}

}  // namespace

//   | Version (1) | My AS (2) | Hold Time (2) | BGP Identifier (4) | Opt Parm Len (1) | Optional Parameters |
Result<Open, OpenRefusal> parse_open(Bytes body) {
  Reader r(body);
  const auto version = r.u8();
  const auto asn = r.u16();
  const auto hold = r.u16();
  const auto id = r.u32();
  std::size_t length = r.u8();
  if (!r.ok()) return malformed("it is too short");
  // RFC 4271 6.2: "The Data field is a 2-octet unsigned integer, which indicates the largest, locally-supported version
  // number".
  if (version != kVersion)
    return open_error(1, fmt::format("it speaks BGP version {}, and only 4 is known", version), {0, kVersion});
  // RFC 9072 2: a first parameter type of 255 announces the extended form.
  const bool extended = length != 0 && body.size() > 10 && body[10] == kExtendedLength;
  if (extended) {
    r.u8();
    length = r.u16();
  }
  const Reader params = r.sub(length);
  if (!r.done()) return malformed("the optional parameters do not end with the message");
  // RFC 4271 6.2: "An implementation MUST reject Hold Time values of one or two seconds."
  if (hold == 1 || hold == 2) {
    return open_error(
        6, fmt::format("it proposes a hold time of {} s, which RFC 4271 forbids: let it be 0 or at least 3", hold));
  }
  if (id == 0) return open_error(3, "its BGP identifier is 0.0.0.0: give it a router id");

  CGW_TRY(const Parameters p, parse_parameters(params, extended));
  const Asn peer = p.capabilities.four_octet_as ? p.four_octet_as : Asn{asn};
  if (peer == Asn{}) return open_error(2, "it says that it is AS 0, which is nobody's (RFC 7607)");
  return Open{.asn = peer, .hold_time = Seconds{hold}, .router_id = RouterId{id}, .capabilities = p.capabilities};
}

//   | 255 (1) | 255 (1) | Length (2) | Type (1) | Length (2) | Capabilities |   if the other form has no room: RFC 9072
//   2
std::vector<std::uint8_t> encode_open(const Open& open) {
  std::vector<std::uint8_t> body;
  Writer w(body);
  w.u8(kVersion);
  w.u16(open.asn.value() > 0xffff ? kAsTrans : static_cast<std::uint16_t>(open.asn.value()));
  w.u16(static_cast<std::uint16_t>(open.hold_time.count()));
  w.u32(open.router_id.value());
  const auto capabilities = write_capabilities(open.capabilities, open.asn);
  constexpr std::size_t kParameterHeader = 2, kExtendedParameterHeader = 3;
  if (capabilities.empty()) {
    w.u8(0);
  } else if (capabilities.size() + kParameterHeader <= 255) {
    w.u8(static_cast<std::uint8_t>(capabilities.size() + kParameterHeader));
    w.u8(kParamCapabilities);
    w.u8(static_cast<std::uint8_t>(capabilities.size()));
  } else {
    w.u8(kExtendedLength);
    w.u8(kExtendedLength);
    w.u16(static_cast<std::uint16_t>(capabilities.size() + kExtendedParameterHeader));
    w.u8(kParamCapabilities);
    w.u16(static_cast<std::uint16_t>(capabilities.size()));
  }
  w.bytes(capabilities);
  return frame(MessageType::Open, body);
}

}  // namespace cgw::bgp
