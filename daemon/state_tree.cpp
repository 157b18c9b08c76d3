#include "daemon/state_tree.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "config/config.hpp"
#include "daemon/bgp_tree.hpp"
#include "daemon/version.hpp"

namespace cgw {
namespace json = boost::json;
namespace {

TimePoint now() {
  return std::chrono::steady_clock::now();
}

std::int64_t msec(Duration d) {
  return std::chrono::duration_cast<Millis>(d).count();
}
std::int64_t since(TimePoint at) {
  return msec(now() - at);
}
json::value since(std::optional<TimePoint> at) {
  return at ? json::value(since(*at)) : json::value(nullptr);
}
json::value until(std::optional<TimePoint> at) {
  return at ? json::value(msec(*at - now())) : json::value(nullptr);
}

std::string text(const std::optional<IpAddress>& a) {
  return a ? a->to_string() : std::string();
}

// FRR's words: hh:mm:ss, then 1d02h03m, then 01w2d03h.
std::string frr_uptime(Duration d) {
  const auto s = std::chrono::duration_cast<Seconds>(d).count();
  constexpr std::int64_t kDay = 86400, kWeek = 7 * kDay;
  if (s < kDay) return fmt::format("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  if (s < kWeek) return fmt::format("{}d{:02}h{:02}m", s / kDay, s / 3600 % 24, s / 60 % 60);
  return fmt::format("{:02}w{}d{:02}h", s / kWeek, s % kWeek / kDay, s / 3600 % 24);
}

std::string_view name(config::Target t) {
  switch (t) {
    case config::Target::Vgw: return "vgw";
    case config::Target::Tgw: return "tgw";
    case config::Target::Other: return "other";
  }
  return "?";
}

json::object ike_tree(const Tunnel& t) {
  const auto* s = t.ike();
  if (s == nullptr) return {{"state", "Idle"}, {"lastError", ""}};
  return {{"state", to_string(s->state)},
          {"spiInitiator", fmt::format("{:016x}", s->spi_i)},
          {"spiResponder", fmt::format("{:016x}", s->spi_r)},
          {"initiator", s->initiator},
          {"suite", s->ike_suite ? ipsec::to_string(*s->ike_suite) : ""},
          {"establishedMsec", since(s->ike_established)},
          {"rekeyInMsec", until(s->ike_rekey_at)},
          {"natLocal", s->nat_local},
          {"natRemote", s->nat_remote},
          {"lastError", s->last_error},
          {"attempts", s->attempts},
          {"rekeys", s->ike_rekeys}};
}

json::object certificate_tree(const std::string& subject, ipsec::WallTime not_after) {
  const auto left = std::chrono::floor<std::chrono::days>(not_after - wall_clock());
  return {{"subject", subject}, {"notAfter", ipsec::to_string(not_after)}, {"daysLeft", left.count()}};
}

json::object authentication_tree(const Tunnel& t) {
  const auto& setup = t.setup();
  json::value ours = nullptr, theirs = nullptr;
  if (setup.credentials) {
    const auto& own = setup.credentials->chain.front();
    ours = certificate_tree(own.subject(), own.not_after());
  }
  const auto* s = t.ike();
  if (s != nullptr && s->peer_certificate_expires)
    theirs = certificate_tree(s->peer_certificate, *s->peer_certificate_expires);
  return {{"method", setup.credentials ? "certificate" : "pre-shared key"},
          {"peer", s != nullptr ? s->authentication : ""},
          {"remoteIdentity", remote_identity(setup.config).to_string()},
          {"certificate", std::move(ours)},
          {"peerCertificate", std::move(theirs)}};
}

json::object child_tree(const Tunnel& t) {
  const auto* s = t.ike();
  if (s == nullptr || !s->child) return {{"installed", false}};
  const ipsec::ChildSa& c = *s->child;
  return {{"installed", true},
          {"spiIn", fmt::format("{:08x}", c.spi_in.value())},
          {"spiOut", fmt::format("{:08x}", c.spi_out.value())},
          {"suite", ipsec::to_string(c.suite)},
          {"installedMsec", since(s->child_installed)},
          {"rekeyInMsec", until(s->child_rekey_at)},
          {"udpEncap", c.udp_encap},
          {"rekeys", s->child_rekeys}};
}

json::object probe_tree(const Tunnel& t) {
  const auto& p = t.prober();
  return {{"enabled", t.setup().config.probe},
          {"rttMsec", p.srtt_ms() ? json::value(*p.srtt_ms()) : json::value(nullptr)},
          {"lossPercent", p.loss() * 100},
          {"missedInARow", p.missed_in_a_row()},
          {"everAnswered", p.ever_answered()}};
}

json::object bgp_tree(const Gateway& g, const Tunnel& t) {
  const auto* s = t.bgp();
  if (s == nullptr) return {{"configured", false}, {"state", ""}, {"prefixesReceived", 0}, {"prefixesSent", 0}};
  const auto counts = g.bgp().counts(*t.setup().neighbor, Family::V4);
  return {{"configured", true},
          {"state", bgp::to_string(s->state)},
          {"prefixesReceived", counts.received},
          {"prefixesAccepted", counts.accepted},
          {"prefixesFiltered", counts.filtered},
          {"prefixesSent", counts.sent},
          {"prefixesHeldBack", counts.held_back},
          {"lastReset", s->last_reset}};
}

json::object tunnel_tree(const Gateway& g, const Tunnel& t) {
  const auto& c = t.setup().config;
  json::object drops;
  for (const auto& [reason, n] : t.counters().drops)
    drops[reason] = n;
  return {{"tunnel", c.number},
          {"interface", c.interface},
          {"outsideAddress", c.vpn_gateway_any && !t.outside() ? "any" : text(t.outside())},
          {"localAddress", text(t.local_address())},
          {"insideAddress", c.customer_gateway_inside ? c.customer_gateway_inside->to_string() : ""},
          {"peerInsideAddress", text(c.vpn_gateway_inside)},
          {"verdict", to_string(t.judgement().verdict)},
          {"reason", t.judgement().reason},
          {"sinceMsec", t.judgement().since == TimePoint{} ? 0 : since(t.judgement().since)},
          {"active", g.active(t.setup().exit)},
          {"authentication", authentication_tree(t)},
          {"ike", ike_tree(t)},
          {"child", child_tree(t)},
          {"probe", probe_tree(t)},
          {"bgp", bgp_tree(g, t)},
          {"mtu", t.mtu()},
          {"mss", t.mtu() == 0 ? 0 : ipsec::tunnel_mss(t.mtu(), false)},
          {"packetsIn", t.counters().packets_in},
          {"packetsOut", t.counters().packets_out},
          {"octetsIn", t.counters().octets_in},
          {"octetsOut", t.counters().octets_out},
          {"drops", std::move(drops)}};
}

json::object connection_tree(const Gateway& g, const config::Connection& c) {
  json::array tunnels;
  json::value active_tunnel = nullptr;
  std::string reason = "no tunnel carries traffic";
  for (const auto& t : g.tunnels()) {
    if (t->setup().connection != c.id) continue;
    if (g.active(t->setup().exit) && active_tunnel.is_null()) {
      active_tunnel = t->setup().config.number;
      reason = t->judgement().reason;
    }
    tunnels.push_back(tunnel_tree(g, *t));
  }
  return {{"id", c.id},
          {"customerGateway", c.customer_gateway},
          {"gateway", c.gateway},
          {"target", name(c.target)},
          {"routing", c.routing == config::Routing::Dynamic ? "dynamic" : "static"},
          {"activeTunnel", active_tunnel},
          {"reason", reason},
          {"tunnels", std::move(tunnels)}};
}

// State words of FRR's summary.
json::object peer_tree(const Gateway& g, const Tunnel& t, const config::Neighbor& n) {
  const bgp::SessionStatus& s = *t.bgp();
  const auto counts = g.bgp().counts(*t.setup().neighbor, Family::V4);
  json::object peer{{"remoteAs", n.remote_as},
                    {"localAs", g.config().bgp->asn},
                    {"version", 4},
                    {"msgRcvd", s.messages_received},
                    {"msgSent", s.messages_sent},
                    {"tableVersion", 0},
                    {"outq", 0},
                    {"inq", 0},
                    {"peerUptime", s.established ? frr_uptime(now() - *s.established) : "never"},
                    {"peerUptimeMsec", s.established ? since(*s.established) : 0},
                    {"pfxRcd", counts.accepted},
                    {"pfxSnt", counts.sent},
                    {"state", bgp::to_string(s.state)},
                    {"peerState", "OK"},
                    {"connectionsEstablished", s.established_count},
                    {"connectionsDropped", s.dropped_count}};
  if (s.established) {
    const auto wall = std::chrono::system_clock::now() - (now() - *s.established);
    peer["peerUptimeEstablishedEpoch"] =
        std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(wall));
  }
  peer["desc"] = n.description.empty() ? t.name() : n.description;
  peer["idType"] = "ipv4";
  return peer;
}

json::object idle_peer_tree(const Gateway& g, const config::Neighbor& n) {
  json::object peer{{"remoteAs", n.remote_as},
                    {"localAs", g.config().bgp->asn},
                    {"version", 4},
                    {"msgRcvd", 0},
                    {"msgSent", 0},
                    {"tableVersion", 0},
                    {"outq", 0},
                    {"inq", 0},
                    {"peerUptime", "never"},
                    {"peerUptimeMsec", 0},
                    {"pfxRcd", 0},
                    {"pfxSnt", 0},
                    {"state", n.shutdown ? "Idle (Admin)" : "Idle"},
                    {"peerState", n.shutdown ? "Admin" : "OK"},
                    {"connectionsEstablished", 0},
                    {"connectionsDropped", 0}};
  if (!n.description.empty()) peer["desc"] = n.description;
  peer["idType"] = "ipv4";
  return peer;
}

const Tunnel* tunnel_with_neighbor(const Gateway& g, const IpAddress& address) {
  for (const auto& t : g.tunnels()) {
    if (t->bgp() != nullptr && t->setup().config.vpn_gateway_inside == address) return t.get();
  }
  return nullptr;
}

// One entry of a prefix, in FRR's shape.
json::object route_entry(const Gateway& g, const rib::RouteView& v, const rib::Candidate& c) {
  const Tunnel* t = g.tunnel_of(c.path.exit);
  const bool installed = c.active;
  json::object hop{{"ip", c.path.next_hop.to_string()},
                   {"afi", "ipv4"},
                   {"interfaceName", t != nullptr ? t->setup().config.interface : ""},
                   {"active", c.active},
                   {"weight", 1}};
  if (installed) hop["fib"] = true;
  json::object out{{"prefix", v.prefix.to_string()},
                   {"prefixLen", v.prefix.length},
                   {"protocol", rib::to_string(c.path.protocol)},
                   {"vrfName", "default"},
                   {"distance", c.path.distance},
                   {"metric", c.path.med},
                   {"table", 254},
                   {"uptime", frr_uptime(now() - c.path.learned)},
                   {"tunnel", t != nullptr ? t->name() : ""},
                   {"nexthops", json::array{std::move(hop)}}};
  if (installed) {
    out["selected"] = true;
    out["destSelected"] = true;
    out["installed"] = true;
    if (const auto id = g.fib().nexthop_id(v.group)) out["nexthopGroupId"] = *id;
  } else if (c.lost_by != rib::Rule::Same) {
    out["lostBy"] = rib::to_string(c.lost_by);
  }
  return out;
}

json::object blackhole_entry(const rib::RouteView& v) {
  json::object hop{{"unreachable", true}, {"blackhole", true}, {"active", true}, {"fib", true}};
  return {{"prefix", v.prefix.to_string()},
          {"prefixLen", v.prefix.length},
          {"protocol", "static"},
          {"vrfName", "default"},
          {"selected", true},
          {"destSelected", true},
          {"distance", 255},
          {"metric", 0},
          {"installed", true},
          {"blackhole", true},
          {"uptime", "never"},
          {"nexthops", json::array{std::move(hop)}}};
}

json::object connected_entry(const Tunnel& t) {
  const Prefix p = t.setup().config.customer_gateway_inside->subnet();
  json::object hop{
      {"fib", true}, {"directlyConnected", true}, {"interfaceName", t.setup().config.interface}, {"active", true}};
  return {{"prefix", p.to_string()},
          {"prefixLen", p.length},
          {"protocol", "connected"},
          {"vrfName", "default"},
          {"selected", true},
          {"destSelected", true},
          {"distance", 0},
          {"metric", 0},
          {"installed", true},
          {"uptime", frr_uptime(now() - t.judgement().since)},
          {"nexthops", json::array{std::move(hop)}}};
}

BgpView bgp_view(const Gateway& g) {
  const auto id = config::bgp_identifier(g.config());
  return {.speaker = g.bgp(),
          .router_id = bgp::RouterId{id ? id->v4_value() : 0},
          .asn = bgp::Asn{g.config().bgp->asn},
          .hostname = g.config().hostname,
          .now = now(),
          .wall = std::chrono::system_clock::now()};
}

}  // namespace

json::value show_vpn(const Gateway& g) {
  json::array connections;
  for (const auto& c : g.config().connections)
    connections.push_back(connection_tree(g, c));
  json::object ignored;
  for (const auto& [reason, n] : g.ike_drops())
    ignored[reason] = n;
  json::value last = nullptr;
  if (g.last_change()) last = json::object{{"agoMsec", since(g.last_change()->at)}, {"text", g.last_change()->text}};
  json::object plane{{"name", g.plane_name()}, {"reason", g.plane_reason()}};
  if (g.plane_threads()) plane["threads"] = *g.plane_threads();
  return json::object{{"hostname", g.config().hostname},
                      {"dataPlane", std::move(plane)},
                      {"ikeIgnored", std::move(ignored)},
                      {"connections", std::move(connections)},
                      {"lastChange", std::move(last)}};
}

json::value show_bgp_summary(const Gateway& g) {
  if (!g.config().bgp) return json::object{};
  const config::Bgp& b = *g.config().bgp;
  json::object peers;
  const std::string router_id = text(config::bgp_identifier(g.config()));
  std::size_t failed = 0;
  for (const auto& [address, n] : b.neighbors) {
    const Tunnel* t = tunnel_with_neighbor(g, address);
    if (t == nullptr || t->bgp()->state != bgp::State::Established) ++failed;
    peers[address.to_string()] = t != nullptr ? peer_tree(g, *t, n) : idle_peer_tree(g, n);
  }
  const std::size_t total = peers.size();
  json::object family{{"routerId", router_id},
                      {"as", b.asn},
                      {"vrfId", 0},
                      {"vrfName", "default"},
                      {"tableVersion", 0},
                      {"ribCount", g.bgp().ribs().table(Family::V4).prefixes().size()},
                      {"ribMemory", g.bgp().ribs().table(Family::V4).octets() + g.bgp().ribs().pool().octets()},
                      {"peerCount", total},
                      {"peerMemory", total * sizeof(bgp::NeighborConfig)},
                      {"peers", std::move(peers)},
                      {"failedPeers", failed},
                      {"displayedPeers", total},
                      {"totalPeers", total},
                      {"dynamicPeers", 0},
                      {"bestPath", json::object{{"multiPathRelax", "false"}}}};
  return json::object{{"ipv4Unicast", std::move(family)}};
}

json::value show_ip_route(const Gateway& g) {
  json::object out;
  for (const auto& t : g.tunnels()) {
    if (!t->interface()) continue;
    const json::object entry = connected_entry(*t);
    out[entry.at("prefix").as_string()] = json::array{entry};
  }
  for (const auto& v : g.rib().view()) {
    json::array entries;
    for (const auto& c : v.candidates)
      entries.push_back(route_entry(g, v, c));
    if (v.blackhole) entries.push_back(blackhole_entry(v));
    out[v.prefix.to_string()] = std::move(entries);
  }
  return out;
}

json::value show_running_config(const Gateway& g) {
  return json::object{{"text", config::render(g.config())}};
}

json::value show_version(const Gateway& g) {
  return json::object{{"name", "cgwd"}, {"version", kVersion}, {"hostname", g.config().hostname}};
}

Result<json::value, std::string> show(const Gateway& g, std::string_view request) {
  if (request == "show vpn") return show_vpn(g);
  if (request == "show bgp summary") return show_bgp_summary(g);
  if (request == "show ip route") return show_ip_route(g);
  if (request == "show running-config") return show_running_config(g);
  if (request == "show version") return show_version(g);
  if (request.starts_with("show bgp "))
    return g.config().bgp ? show_bgp_routes(bgp_view(g), request) : fail(std::string("% BGP instance not found"));
  return fail("% Unknown command: " + printable(request));
}

}  // namespace cgw
