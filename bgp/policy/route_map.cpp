#include "bgp/policy/route_map.hpp"

#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/communities.hpp"

namespace cgw::bgp::policy {
namespace {

std::string_view ip(Family f) {
  return f == Family::V4 ? "ip" : "ipv6";
}

std::string words(const Number& n) {
  switch (n.how) {
    case Number::How::Set: return fmt::format("{}", n.value);
    case Number::How::Add: return fmt::format("+{}", n.value);
    case Number::How::Subtract: return fmt::format("-{}", n.value);
  }
  return "?";
}

std::string words(const std::vector<Asn>& asns) {
  std::string out;
  for (const Asn a : asns)
    out += fmt::format(" {}", a.value());
  return out;
}

template <class T>
std::string words(const std::vector<T>& communities, bool additive, std::string (*text)(T)) {
  if (communities.empty() && !additive) return " none";
  std::string out;
  for (const auto& c : communities)
    out += " " + text(c);
  return out + (additive ? " additive" : "");
}

std::string large_text(LargeCommunity c) {
  return large_community_text(c);
}

struct MatchWords {
  std::string operator()(const MatchPrefixList& m) const {
    return fmt::format("{} address prefix-list {}", ip(m.family), m.name);
  }
  std::string operator()(const MatchNextHopList& m) const {
    return fmt::format("{} next-hop prefix-list {}", ip(m.family), m.name);
  }
  std::string operator()(const MatchNextHop& m) const {
    return fmt::format("{} next-hop address {}", ip(m.address.family()), m.address.to_string());
  }
  std::string operator()(const MatchAsPath& m) const { return "as-path " + m.name; }
  std::string operator()(const MatchCommunity& m) const {
    return "community " + m.name + (m.exact ? " exact-match" : "");
  }
  std::string operator()(const MatchLargeCommunity& m) const {
    return "large-community " + m.name + (m.exact ? " exact-match" : "");
  }
  std::string operator()(const MatchExtendedCommunity& m) const { return "extcommunity " + m.name; }
  std::string operator()(const MatchMetric& m) const { return fmt::format("metric {}", m.value); }
  std::string operator()(const MatchLocalPreference& m) const { return fmt::format("local-preference {}", m.value); }
  std::string operator()(const MatchTag& m) const { return fmt::format("tag {}", m.value); }
  std::string operator()(const MatchOrigin& m) const { return fmt::format("origin {}", to_string(m.origin)); }
  std::string operator()(const MatchInterface& m) const { return "interface " + m.name; }
  std::string operator()(const MatchTunnel& m) const { return fmt::format("tunnel {} {}", m.connection, m.number); }
  std::string operator()(const MatchProtocol& m) const {
    return fmt::format("source-protocol {}", to_string(m.protocol));
  }
  std::string operator()(const MatchPeer& m) const { return "peer " + (m.address ? m.address->to_string() : "local"); }
};

struct SetWords {
  std::string operator()(const SetLocalPreference& s) const { return "local-preference " + words(s.number); }
  std::string operator()(const SetMetric& s) const { return "metric " + words(s.number); }
  std::string operator()(const SetWeight& s) const { return fmt::format("weight {}", s.value); }
  std::string operator()(const SetTag& s) const { return fmt::format("tag {}", s.value); }
  std::string operator()(const SetOrigin& s) const { return fmt::format("origin {}", to_string(s.origin)); }
  std::string operator()(const PrependAsPath& s) const { return "as-path prepend" + words(s.asns); }
  std::string operator()(const PrependLastAs& s) const { return fmt::format("as-path prepend last-as {}", s.times); }
  std::string operator()(const ExcludeAsPath& s) const { return "as-path exclude" + words(s.asns); }
  std::string operator()(const SetCommunity& s) const {
    return "community" + words(s.communities, s.additive, community_text);
  }
  std::string operator()(const SetLargeCommunity& s) const {
    return "large-community" + words(s.communities, s.additive, large_text);
  }
  std::string operator()(const SetExtendedCommunity& s) const {
    return "extcommunity" + words(s.communities, false, extended_community_line);
  }
  std::string operator()(const DeleteCommunities& s) const { return fmt::format("comm-list {} delete", s.list); }
  std::string operator()(const DeleteLargeCommunities& s) const {
    return fmt::format("large-comm-list {} delete", s.list);
  }
  std::string operator()(const SetNextHop& s) const {
    return fmt::format("{} next-hop {}{}", ip(s.address.family()), s.address.is_v4() ? "" : "global ",
                       s.address.to_string());
  }
  std::string operator()(const SetNextHopToPeer& s) const {
    return fmt::format("{} next-hop peer-address", ip(s.family));
  }
  std::string operator()(const KeepNextHop&) const { return "ip next-hop unchanged"; }
};

}  // namespace

std::string_view to_string(Protocol p) {
  switch (p) {
    case Protocol::Bgp: return "bgp";
    case Protocol::Connected: return "connected";
    case Protocol::Static: return "static";
    case Protocol::Kernel: return "kernel";
  }
  return "?";
}

std::string_view to_string(Origin o) {
  switch (o) {
    case Origin::Igp: return "igp";
    case Origin::Egp: return "egp";
    case Origin::Incomplete: return "incomplete";
  }
  return "?";
}

std::uint32_t Number::of(std::uint32_t present) const {
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
  switch (how) {
    case How::Set: return value;
    case How::Add: return value > kMost - present ? kMost : present + value;
    case How::Subtract: return value > present ? 0 : present - value;
  }
  return present;
}

std::string to_string(const Match& m) {
  return std::visit(MatchWords{}, m);
}
std::string to_string(const Set& s) {
  return std::visit(SetWords{}, s);
}

}  // namespace cgw::bgp::policy
