// What AWS says -> a configuration: connections, their tunnels, addresses.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/note.hpp"
#include "config/import/aws_map.hpp"
#include "config/import/aws_rules.hpp"

namespace cgw::config {
namespace {

// With the numbers of an earlier import, so that the order in a file, which AWS changes, means nothing.
std::vector<unsigned> numbers_of(const ConnectionFacts& facts, const Config* existing) {
  std::map<IpAddress, unsigned> known;
  for (const auto& c : existing != nullptr ? existing->connections : std::vector<Connection>{}) {
    if (c.id != facts.id.text) continue;
    for (const auto& [number, t] : c.tunnels) {
      if (t.vpn_gateway_outside) known.emplace(*t.vpn_gateway_outside, number);
    }
  }
  std::vector<unsigned> out(facts.tunnels.size());
  std::set<unsigned> taken;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto address = IpAddress::parse(facts.tunnels[i].their_outside.text);
    const auto old = address ? known.find(*address) : known.end();
    if (old != known.end() && taken.insert(old->second).second) out[i] = old->second;
  }
  unsigned next = 1;
  for (unsigned& number : out) {
    if (number != 0) continue;
    while (!taken.insert(next).second)
      ++next;
    number = next;
  }
  return out;
}

class Mapper {
 public:
  Mapper(const Facts& facts, const ImportOptions& options, Complaints& wrong)
      : facts_(facts),
        m_{.options = options, .wrong = wrong, .several = facts.connections.size() > 1} {}

  std::optional<Imported> run() {
    m_.out.notes = facts_.notes;
    for (const auto& c : facts_.connections)
      connection(c);
    if (!m_.wrong.none()) return std::nullopt;
    for (std::size_t i = 0; i < facts_.connections.size(); ++i)
      map_routing(m_, facts_.connections[i], m_.out.config.connections[i]);
    return std::move(m_.out);
  }

 private:
  bool ids(const ConnectionFacts& from) {
    const std::string id = from.id.text;
    if (id.empty())
      m_.wrong.at(from.at, fmt::format("{} has no id: the file is not complete; download it again", from.name));
    if (!is_id(id) || !is_id(from.customer_gateway.text) || !is_id(from.gateway.text)) {
      m_.wrong.at(from.at,
                  fmt::format("an id in {} holds something else than letters, digits and '-': {}", from.name, kAgain));
    }
    if (!is_id(id)) return false;  // no text may have it
    const auto& wanted = m_.options.connection;
    if (!id.empty() && !wanted.empty() && id != wanted) {
      m_.wrong.at(from.at, fmt::format("this is {}; {} is asked for", printable(id, 40), printable(wanted, 40)));
      return false;
    }
    if (ids_.insert(id).second) return true;
    m_.wrong.at(from.at, fmt::format("{} is there twice: {}", printable(id, 40), kAgain));
    return false;
  }

  void connection(const ConnectionFacts& from) {
    if (!ids(from)) return;
    Connection c;
    c.id = from.id.text;
    c.customer_gateway = from.customer_gateway.text;
    c.gateway = from.gateway.text;
    c.target = from.target.value_or(c.gateway.starts_with("vgw-") ? Target::Vgw : Target::Tgw);
    const auto count = from.tunnels.size();
    if (count > kMaxTunnels) {
      return m_.wrong.at(from.at,
                         fmt::format("more than {} tunnels: AWS's connections have 2; {}", kMaxTunnels, kAgain));
    }
    if (count == 0) {
      return m_.wrong.at(from.at, fmt::format("there is no {}: the connection is still being made, or the file is not "
                                              "complete; download it again when its state is 'available'",
                                              from.tunnel_name));
    }
    if (count != 2) m_.warn(c, fmt::format("{} tunnels; AWS's connections have 2", count));
    const bool any_bgp = std::ranges::any_of(from.tunnels, &TunnelFacts::bgp);
    c.routing = from.marked_static || !any_bgp ? Routing::Static : Routing::Dynamic;
    const auto numbers = numbers_of(from, m_.options.existing);
    for (std::size_t i = 0; i < count; ++i)
      tunnel(from, from.tunnels[i], c, numbers[i], i == 0);
    if (c.routing == Routing::Dynamic) {
      for (std::size_t i = 0; i < count; ++i)
        map_bgp(m_, from.tunnels[i], c, c.tunnels[numbers[i]]);
    }
    m_.out.config.connections.push_back(std::move(c));
  }

  void tunnel(const ConnectionFacts& facts, const TunnelFacts& from, Connection& c, unsigned n, bool first) {
    Tunnel t{.number = n};
    // As the configuration names them by itself, when there are several connections.
    t.interface =
        m_.several ? fmt::format("cgw{}t{}", m_.out.config.connections.size() + 1, n) : fmt::format("cgw{}", n);
    Values values(from.name, m_.wrong);
    // With a certificate AWS need not know where we are.
    if (from.key.said() || from.our_outside.said())
      t.customer_gateway_outside = values.address(from.our_outside, Values::Allowed::Both);
    t.vpn_gateway_outside = values.address(from.their_outside, Values::Allowed::Both);
    t.vpn_gateway_inside = values.address(from.their_inside);
    const auto inside = values.address(from.our_inside);
    const auto length = values.number(from.inside_length, 1, 31);
    if (inside && length) {
      t.customer_gateway_inside = InterfaceAddress{*inside, static_cast<std::uint8_t>(*length)};
      inside_addresses(from, c, t);
    }
    if (t.vpn_gateway_outside && !m_.outside.insert(*t.vpn_gateway_outside).second) {
      m_.wrong.at(from.their_outside_at,
                  fmt::format("{}: {} is also another tunnel's outside address; AWS gives each its own: {}",
                              m_.label(c, n), t.vpn_gateway_outside->to_string(), kAgain));
    }
    if (const auto life = values.number(from.ike_lifetime, 900, 86400)) t.ike_lifetime = Seconds{*life};
    if (const auto life = values.number(from.esp_lifetime, 60, 86400)) t.child_lifetime = Seconds{*life};
    if (from.dpd_interval.said()) {
      if (const auto v = values.number(from.dpd_interval, 1, 3600)) t.dpd_interval = Seconds{*v};
    }
    if (from.options) by_options(*from.options, values, t);
    map_key(m_, facts, from, c, t);
    map_algorithms(m_, from, c, t, first);
    c.tunnels[n] = std::move(t);
  }

  // AWS calls us dead after its timeout; we ask three times within it.
  void by_options(const TunnelOptions& options, Values& values, Tunnel& t) {
    if (options.dpd_timeout.said()) {
      if (const auto v = values.number(options.dpd_timeout, 30, 10800)) t.dpd_interval = Seconds{*v / 3};
    }
    if (options.replay_window.said()) {
      if (const auto v = values.number(options.replay_window, 64, 2048)) t.replay_window = *v;
    }
  }

  void inside_addresses(const TunnelFacts& from, const Connection& c, const Tunnel& t) {
    const Prefix subnet = t.customer_gateway_inside->subnet();
    const std::string label = m_.label(c, t.number);
    if (reserved_inside(subnet)) {
      m_.wrong.at(from.our_inside_at,
                  fmt::format("{}: {} is reserved by AWS and cannot be a tunnel's inside CIDR: choose another in AWS",
                              label, subnet.to_string()));
    }
    for (const auto& [other, of] : m_.inside) {
      if (!other.contains(subnet) && !subnet.contains(other)) continue;
      m_.wrong.at(from.our_inside_at, fmt::format("{}: inside CIDR {} overlaps that of {}: choose another in AWS",
                                                  label, subnet.to_string(), of));
    }
    m_.inside.emplace_back(subnet, label);
    if (!t.vpn_gateway_inside) return;
    const bool same = *t.vpn_gateway_inside == t.customer_gateway_inside->address;
    if (!same && subnet.contains(*t.vpn_gateway_inside)) return;
    m_.wrong.at(from.their_inside_at,
                fmt::format("{}: AWS's inside address {} is {} {}: {}", label, t.vpn_gateway_inside->to_string(),
                            same ? "also" : "not in", same ? "ours" : subnet.to_string(), kAgain));
  }

  const Facts& facts_;
  Mapping m_;
  std::set<std::string> ids_;
};

}  // namespace

std::string Mapping::label(const Connection& c, unsigned tunnel) const {
  return several ? fmt::format("{} tunnel {}", c.id, tunnel) : fmt::format("tunnel {}", tunnel);
}
std::string Mapping::prefixed(const Connection& c, std::string text) const {
  return several ? fmt::format("{}: {}", c.id, text) : text;
}

std::string Values::need(const Field& f) {
  if (!f.said()) {
    wrong_.at(f.at, fmt::format("{} is missing or empty in {}: {}", f.name, within_, kAgain));
  }
  return f.text;
}

std::optional<IpAddress> Values::address(const Field& f, Allowed allowed) {
  const std::string value = need(f);
  if (value.empty()) return std::nullopt;
  const auto a = IpAddress::parse(value);
  if (a && (a->is_v4() || allowed == Allowed::Both)) return *a;
  wrong_.at(f.at, a ? fmt::format("{}: {} is IPv6, which this version does not do: choose IPv4 for the inside in AWS",
                                  f.name, value)
                    : fmt::format("{}: '{}' is not an IP address: {}", f.name, printable(value, 60), kAgain));
  return std::nullopt;
}

std::optional<std::uint32_t> Values::number(const Field& f, std::uint32_t low, std::uint32_t high) {
  const std::string value = need(f);
  if (value.empty()) return std::nullopt;
  std::uint32_t v = 0;
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), v);
  if (ec == std::errc{} && end == value.data() + value.size() && v >= low && v <= high) return v;
  wrong_.at(f.at, fmt::format("{}: a number from {} to {} is expected: {}", f.name, low, high, kAgain));
  return std::nullopt;
}

std::optional<Imported> map_facts(const Facts& facts, const ImportOptions& options, Complaints& wrong) {
  return Mapper(facts, options, wrong).run();
}

}  // namespace cgw::config
