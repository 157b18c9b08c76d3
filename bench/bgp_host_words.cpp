#include "bench/bgp_host_words.hpp"

#include <charconv>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cgw::bench {
namespace {

using namespace cgw::bgp;

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == by) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

Result<std::uint32_t, std::string> number(const std::string& text) {
  std::uint32_t v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc{} || end != text.data() + text.size()) return fail("'" + text + "' is no number");
  return v;
}

Result<Role, std::string> role(const std::string& text) {
  for (const auto r : {Role::Provider, Role::RouteServer, Role::RouteServerClient, Role::Customer, Role::Peer})
    if (to_string(r) == text) return r;
  return fail("'" + text + "' is no role");
}

void flag(NeighborConfig& c, const std::string& word, bool& known) {
  Capabilities& k = c.session.capabilities;
  known = true;
  if (word == "dial") {
    c.session.passive = false;
  } else if (word == "add-path") {
    k.add_path = {AddPath::Both, AddPath::Both};
  } else if (word == "extended") {
    k.extended_messages = true;
  } else if (word == "enhanced") {
    k.enhanced_route_refresh = true;
  } else if (word == "restarted") {
    k.graceful_restart->restarted = true;  // behind restart=
  } else if (word == "strict-role") {
    c.session.strict_role = true;
  } else if (word == "client") {
    c.routes.reflector_client = true;
  } else {
    known = false;
  }
}

Result<void, std::string> value(HostNeighbor& n, const std::string& key, const std::string& text) {
  NeighborConfig& c = n.config;
  if (key == "md5") {
    n.md5 = text;
  } else if (key == "fqdn") {
    c.session.capabilities.hostname = text;
  } else if (key == "role") {
    CGW_TRY(const Role r, role(text));
    c.session.capabilities.role = r;
    c.routes.import.role = r;
    c.routes.export_rules.v4.role = c.routes.export_rules.v6.role = r;
  } else {
    CGW_TRY(const std::uint32_t v, number(text));
    if (key == "hold") {
      c.session.hold_time = Seconds{v};
      c.session.keepalive_time = Seconds{v / 3};
    } else if (key == "restart") {
      c.session.capabilities.graceful_restart = GracefulRestart{
          .restarted = false, .notification = true, .restart_time = Seconds{v}, .forwarding = {true, true}};
    } else if (key == "maximum") {
      c.limit = {{.maximum = v, .pause = Seconds{3}}, {.maximum = v, .pause = Seconds{3}}};
    } else if (key == "maximum-out") {
      c.routes.maximum_prefix_out = {v, v};
    } else {
      return fail("unknown word '" + key + "'");
    }
  }
  return {};
}

NeighborConfig plain(const HostSelf& self, const IpAddress& address, Asn asn) {
  NeighborConfig c;
  c.session.local_as = self.asn;
  c.session.remote_as = asn;
  c.session.router_id = RouterId{self.address.v4_value()};
  c.session.local_address = address.is_v4() ? self.address : self.v6.value_or(self.address);
  c.session.remote_address = address;
  c.session.hold_time = Seconds{240};
  c.session.keepalive_time = Seconds{60};
  c.session.passive = true;
  c.session.connect_retry = Seconds{1};
  c.session.capabilities.families.v6 = self.v6.has_value();
  c.routes.address = address;
  c.routes.import.remote_as = asn;
  c.routes.import.kind = asn == self.asn ? SourceKind::Ibgp : SourceKind::Ebgp;
  for (const Family f : kFamilies) {
    ExportRules& e = c.routes.export_rules[f];
    e.kind = c.routes.import.kind;
    e.local_as = self.asn;
    if (f == Family::V4) e.next_hop = self.address;
    if (f == Family::V6 && self.v6) e.next_hop = *self.v6;
  }
  c.limit = {{.maximum = 0xffffffff}, {.maximum = 0xffffffff}};
  return c;
}

std::string agreed(const Negotiated& n) {
  const auto role_name = n.remote_role ? to_string(*n.remote_role) : "";
  return fmt::format(
      R"({{"v4":{},"v6":{},"fourOctetAs":{},"refresh":{},"enhanced":{},"extended":{},"addPathReceive":{},"addPathSend":{},)"
      R"("restart":{},"role":"{}","hold":{},"hostname":"{}"}})",
      n.families.v4, n.families.v6, n.four_octet_as, n.route_refresh, n.enhanced_route_refresh, n.extended_messages,
      n.add_path_receive.v4, n.add_path_send.v4, n.graceful_restart ? n.graceful_restart->restart_time.count() : 0,
      role_name, n.hold_time.count(), n.hostname);
}

std::string path_json(const Speaker& speaker, const Table& table, const Prefix& prefix, const Path& p) {
  const auto& a = speaker.ribs().pool().attributes(p.received);
  std::vector<std::string> large;
  for (const auto& [global, first, second] : a.large_communities)
    large.push_back(fmt::format("\"{}:{}:{}\"", global, first, second));
  std::vector<std::string> communities;
  for (const Community c : a.communities)
    communities.push_back(fmt::format("\"{}:{}\"", c >> 16, c & 0xffff));
  return fmt::format(
      R"({{"prefix":"{}","neighbor":{},"best":{},"asPath":"{}","nextHop":"{}","communities":[{}],"large":[{}],"pathId":{},"otc":{}}})",
      prefix.to_string(), p.neighbor, &p == table.first(*table.prefixes().find(prefix)) && p.best, a.as_path_text(),
      a.next_hop.to_string(), fmt::join(communities, ","), fmt::join(large, ","), p.path_id,
      a.only_to_customer ? a.only_to_customer->value() : 0);
}

}  // namespace

Result<HostNeighbor, std::string> host_neighbor(const HostSelf& self, const std::string& text) {
  const auto words = split(text, ',');
  const auto colon = words[0].rfind(':');
  if (colon == std::string::npos) return fail("'" + words[0] + "' is not ADDRESS:AS");
  CGW_TRY(const IpAddress address, IpAddress::parse(words[0].substr(0, colon)));
  CGW_TRY(const std::uint32_t asn, number(words[0].substr(colon + 1)));
  HostNeighbor n{plain(self, address, Asn{asn}), {}};
  for (std::size_t i = 1; i < words.size(); ++i) {
    bool known = false;
    flag(n.config, words[i], known);
    if (known) continue;
    const auto equals = words[i].find('=');
    if (equals == std::string::npos) return fail("unknown word '" + words[i] + "'");
    auto done = value(n, words[i].substr(0, equals), words[i].substr(equals + 1));
    if (!done) return fail(std::move(done).error());
  }
  return n;
}

Result<std::pair<Prefix, PathAttributes>, std::string> host_network(const HostSelf& self, const std::string& text) {
  const auto words = split(text, ',');
  CGW_TRY(const Prefix prefix, Prefix::parse(words[0]));
  PathAttributes a;
  a.next_hop = prefix.address.is_v4() ? self.address : self.v6.value_or(self.address);
  for (std::size_t i = 1; i < words.size(); ++i) {
    std::vector<std::uint32_t> v;
    const auto equals = words[i].find('=');
    for (const auto& part : split(words[i].substr(equals + 1), ':')) {
      CGW_TRY(const std::uint32_t one, number(part));
      v.push_back(one);
    }
    if (words[i].starts_with("large=") && v.size() == 3) {
      a.large_communities.push_back({v[0], v[1], v[2]});
    } else if (words[i].starts_with("community=") && v.size() == 2) {
      a.communities.push_back(v[0] << 16 | v[1]);
    } else {
      return fail("unknown word '" + words[i] + "'");
    }
  }
  return std::pair(prefix, a);
}

std::string host_status(const Speaker& speaker, NeighborId n) {
  const SessionStatus& s = speaker.status(n);
  const auto v4 = speaker.counts(n, Family::V4), v6 = speaker.counts(n, Family::V6);
  return fmt::format(
      R"({{"state":"{}","established":{},"reset":"{}","malformed":{},"received":[{},{}],"sent":[{},{}],"heldBack":{},)"
      R"("refreshesReceived":{},"updatesReceived":{},"agreed":{}}})",
      to_string(s.state), s.established_count, s.last_reset, s.malformed_updates, v4.received, v6.received, v4.sent,
      v6.sent, v4.held_back, s.received.route_refresh, s.received.update,
      s.negotiated ? agreed(*s.negotiated) : "null");
}

std::string host_routes(const Speaker& speaker) {
  std::vector<std::string> out;
  for (const Family f : kFamilies) {
    const Table& table = speaker.ribs().table(f);
    for (std::uint32_t i = 0; i < table.prefixes().limit(); ++i) {
      if (!table.prefixes().in_use(PrefixId{i})) continue;
      const Prefix prefix = table.prefixes().prefix(PrefixId{i});
      for (const Path* p = table.first(PrefixId{i}); p != nullptr; p = table.next(p))
        out.push_back(path_json(speaker, table, prefix, *p));
    }
  }
  return fmt::format("[{}]", fmt::join(out, ","));
}

}  // namespace cgw::bench
