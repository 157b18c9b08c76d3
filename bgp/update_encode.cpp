#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "bgp/attributes.hpp"
#include "bgp/framing.hpp"
#include "bgp/nlri.hpp"
#include "bgp/update.hpp"

namespace cgw::bgp {
namespace {

using namespace attribute;
using Octets = std::vector<std::uint8_t>;
using Type = AsPathSegment::Type;

// Why neighbors of this context cannot be told; empty when they can.
std::string refusal(const PathAttributes& a, Family family, const UpdateContext& context) {
  const bool set = std::ranges::any_of(
      a.as_path, [](const AsPathSegment& s) { return s.type == Type::Set || s.type == Type::ConfedSet; });
  if (set && !context.accept_as_sets) return "its AS_PATH holds an AS_SET, which RFC 9774 forbids to send";
  if (family == Family::V6 && a.next_hop.is_v4()) return "an IPv6 route has an IPv4 next hop";
  if (family == Family::V4 && !a.next_hop.is_v4() && !context.extended_next_hop)
    return "its next hop is an IPv6 address, which the neighbor does not take for IPv4 routes (RFC 8950)";
  return {};
}

// As many of the first routes as fit into `room`, taken off.
void take_routes(Writer& w, std::span<const Nlri>& routes, PathIds ids, std::size_t room) {
  while (!routes.empty()) {
    const std::size_t octets = nlri_octets(routes.front(), ids);
    if (octets > room) return;
    room -= octets;
    write_nlri(w, routes.front(), ids);
    routes = routes.subspan(1);
  }
}

constexpr std::size_t kFixed = kHeaderOctets + 4;  // the two length fields
constexpr std::size_t kMpFixed = 4 + 3;            // attribute header, family
constexpr std::size_t kPathIdOctets = 4;

std::size_t longest_route(Family family, bool path_ids) {
  return 1U + (family == Family::V4 ? 4U : 16U) + (path_ids ? kPathIdOctets : 0U);
}

}  // namespace

Result<Announcement, std::string> Announcement::of(const PathAttributes& a, Family family,
                                                   const UpdateContext& context) {
  if (auto why = refusal(a, family, context); !why.empty()) return fail(std::move(why));
  return make(a, family, context, context.ebgp ? Audience::External : Audience::Internal);
}

Result<Announcement, std::string> Announcement::record(const PathAttributes& a, Family family, bool path_ids) {
  UpdateContext context;
  context.add_path_send = {path_ids, path_ids};
  context.max_message = kMaxExtendedMessage;
  return make(a, family, context, Audience::Record);
}

Result<Announcement, std::string> Announcement::make(const PathAttributes& a, Family family,
                                                     const UpdateContext& context, Audience audience) {
  Announcement out;
  out.family_ = family;
  out.multiprotocol_ = family == Family::V6 || !a.next_hop.is_v4();
  out.path_ids_ = context.add_path_send[family];
  out.max_message_ = context.max_message;
  out.attributes_ = write_attributes(a, {audience, context.four_octet_as, !out.multiprotocol_});
  if (out.multiprotocol_) out.next_hop_ = write_mp_next_hop(a, family);
  const std::size_t multiprotocol = out.multiprotocol_ ? kMpFixed + out.next_hop_.size() + 1 : 0;
  const std::size_t least = kFixed + out.attributes_.size() + multiprotocol + longest_route(family, out.path_ids_);
  if (least > context.max_message) {
    return fail(fmt::format("its attributes take {} octets, which leaves no room in a message of {}",
                            out.attributes_.size(), context.max_message));
  }
  return out;
}

std::vector<std::uint8_t> Announcement::next(std::span<const Nlri>& routes) const {
  assert(!routes.empty());
  const auto ids = path_ids_ ? PathIds::Present : PathIds::Absent;
  Octets body;
  Writer w(body);
  w.u16(0);
  if (!multiprotocol_) {
    w.u16(static_cast<std::uint16_t>(attributes_.size()));
    w.bytes(attributes_);
    take_routes(w, routes, ids, max_message_ - kFixed - attributes_.size());
    return frame(MessageType::Update, body);
  }
  Octets reach;
  Writer m(reach);
  m.u16(afi_of(family_));
  m.u8(kSafiUnicast);
  m.bytes(next_hop_);
  m.u8(0);
  take_routes(m, routes, ids, max_message_ - kFixed - kMpFixed - next_hop_.size() - 1 - attributes_.size());
  {
    const auto length = w.len16();
    write_attribute(w, kOptional, kMpReach, reach);
    w.bytes(attributes_);
  }
  return frame(MessageType::Update, body);
}

Messages encode_withdraw(std::span<const Nlri> routes, Family family, const UpdateContext& context) {
  Messages out;
  const auto ids = context.add_path_send[family] ? PathIds::Present : PathIds::Absent;
  while (!routes.empty()) {
    Octets body;
    Writer w(body);
    if (family == Family::V4) {
      {
        const auto length = w.len16();
        take_routes(w, routes, ids, context.max_message - kFixed);
      }
      w.u16(0);
    } else {
      Octets unreach{0, 2, kSafiUnicast};
      Writer u(unreach);
      take_routes(u, routes, ids, context.max_message - kFixed - kMpFixed);
      w.u16(0);
      const auto length = w.len16();
      write_attribute(w, kOptional, kMpUnreach, unreach);
    }
    out.push_back(frame(MessageType::Update, body));
  }
  return out;
}

Result<Messages, std::string> encode_announce(std::span<const Nlri> routes, Family family, const PathAttributes& a,
                                              const UpdateContext& context) {
  CGW_TRY(const Announcement announcement, Announcement::of(a, family, context));
  Messages out;
  while (!routes.empty())
    out.push_back(announcement.next(routes));
  return out;
}

std::vector<std::uint8_t> encode_end_of_rib(Family family) {
  Octets body(4, 0);
  if (family == Family::V6) body = {0, 0, 0, 6, kOptional, kMpUnreach, 3, 0, 2, kSafiUnicast};
  return frame(MessageType::Update, body);
}

}  // namespace cgw::bgp
