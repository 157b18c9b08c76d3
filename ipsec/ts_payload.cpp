#include "ipsec/ts_payload.hpp"

#include <algorithm>
#include <array>

namespace cgw::ipsec {
namespace {

constexpr std::uint8_t kIpv4Range = 7, kIpv6Range = 8;
constexpr std::size_t kFixed = 8;

}  // namespace

AddressRange any_address(Family inside) {
  if (inside == Family::V4) return {IpAddress::v4(0), IpAddress::v4(0xffffffff)};
  std::array<std::uint8_t, 16> last{};
  last.fill(0xff);
  return {IpAddress::v6({}), IpAddress::v6(last)};
}

Payload make_ts(PayloadType type, const AddressRange& range) {
  Payload out{type, false, {}};
  Writer w(out.body);
  const auto size = range.from.bytes().size();
  w.u8(1);
  w.u8(0);
  w.u16(0);
  w.u8(range.from.is_v4() ? kIpv4Range : kIpv6Range);
  w.u8(0);  // any protocol
  w.u16(static_cast<std::uint16_t>(kFixed + 2 * size));
  w.u16(0);
  w.u16(0xffff);
  w.bytes(range.from.bytes());
  w.bytes(range.to.bytes());
  return out;
}

Result<std::vector<AddressRange>, NotifyType> parse_ts(Bytes body) {
  std::vector<AddressRange> out;
  Reader r(body);
  const unsigned count = r.u8();
  r.u8();
  r.u16();
  for (unsigned i = 0; i < count; ++i) {
    const auto type = r.u8();
    const auto protocol = r.u8();
    const std::size_t length = r.u16();
    if (!r.ok() || length < kFixed) return fail(NotifyType::InvalidSyntax);
    Reader s = r.sub(length - 4);
    const auto from_port = s.u16();
    const auto to_port = s.u16();
    if (type != kIpv4Range && type != kIpv6Range) continue;
    const std::size_t size = type == kIpv4Range ? 4 : 16;
    const auto from = IpAddress::from_bytes(s.bytes(size));
    const auto to = IpAddress::from_bytes(s.bytes(size));
    if (!s.done() || !from || !to || *to < *from) return fail(NotifyType::InvalidSyntax);
    if (protocol == 0 && from_port == 0 && to_port == 0xffff) out.push_back({*from, *to});
  }
  if (!r.done()) return fail(NotifyType::InvalidSyntax);
  return out;
}

std::optional<AddressRange> narrow(const std::vector<AddressRange>& theirs, const AddressRange& ours) {
  for (const auto& t : theirs) {
    if (t.from.family() != ours.from.family()) continue;
    const AddressRange cut{std::max(t.from, ours.from), std::min(t.to, ours.to)};
    if (cut.from <= cut.to) return cut;
  }
  return std::nullopt;
}

}  // namespace cgw::ipsec
