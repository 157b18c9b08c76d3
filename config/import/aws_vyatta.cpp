// AWS's sample for Vyatta, as VyOS takes it: `set` lines. VyOS 1.4's spelling (peers by name, keys apart) is known too.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/note.hpp"
#include "config/import/aws_facts.hpp"
#include "config/import/aws_samples.hpp"

namespace cgw::config {
namespace {

using Values = std::vector<std::string>;

// What '*' of a pattern stands for; none when the words are others.
std::optional<Values> match(std::string_view pattern, const Values& line) {
  Values out;
  std::size_t i = 0;
  for (const auto p : words(pattern)) {
    if (i == line.size()) return std::nullopt;
    if (p == "*") {
      out.push_back(line[i]);
    } else if (p != line[i]) {
      return std::nullopt;
    }
    ++i;
  }
  if (i != line.size()) return std::nullopt;
  return out;
}

struct Peer {
  std::string name;
  Spot at;
  Field outside, local, key, vti;
  std::string ike_group, esp_group;
};
struct Neighbor {
  Field address, asn, hold;
};
struct Group {
  Field lifetime, dpd;
  std::string encryption, hash, dh, version = "ikev1";  // VyOS's default
};

class Reader {
 public:
  Reader(const Source& source, ConnectionFacts& out, Complaints& wrong) : source_(source), out_(out), wrong_(wrong) {}

  void run() {
    out_.name = "the file";
    out_.tunnel_name = "'set vpn ipsec site-to-site peer'";
    out_.at = source_.spot(0);
    const auto lines = lines_of(source_.text());
    bool last_is_setting = false;
    for (const auto& line : lines)
      last_is_setting = take(line);
    const bool any_bgp = !neighbors_.empty();
    out_.marked_static = !any_bgp && !next_hops_.empty();
    for (const Peer& p : peers_)
      tunnel(p, any_bgp);
    static_cast<void>(whole(source_, lines, out_, out_.tunnels.size() > 1 && !last_is_setting, wrong_));
  }

 private:
  bool take(const Line& line) {
    if (take_id(source_, line, out_)) return false;
    const auto w = words(line.text);
    if (w.size() < 3 || w[0] != "set") return false;
    Values path;
    for (std::size_t i = 1; i < w.size(); ++i)
      path.push_back(unquoted(w[i]));
    const auto at = source_.spot(static_cast<std::size_t>(w.back().data() - source_.text().data()));
    if (!(of_peer(path, at) || of_group(path, at) || of_bgp(path, at) || of_routes(path, at))) unknown(path);
    return !w.back().ends_with('\'');  // a quoted value is seen to end
  }

  bool of_peer(const Values& path, const Spot& at) {
    if (const auto v = match("interfaces vti * address *", path))
      return keep(vtis_, (*v)[0], {(*v)[1], "'vti address'", at});
    if (const auto v = match("vpn ipsec authentication psk * secret *", path))
      return keep(keys_, (*v)[0], {(*v)[1], "'secret'", at});
    if (const auto v = match("vpn ipsec authentication psk * id *", path))
      return keep(key_ids_, (*v)[1], {(*v)[0], "'id'", at});
    if (path.size() < 6 || path[0] != "vpn" || path[2] != "site-to-site" || path[3] != "peer") return false;
    Peer* p = peer(path[4], at);
    if (p == nullptr) return true;
    const Values rest(path.begin() + 5, path.end());
    const std::string& value = rest.back();
    if (match("local-address *", rest)) p->local = {value, "'local-address'", at};
    if (match("remote-address *", rest)) p->outside = {value, "'remote-address'", at};
    if (match("authentication pre-shared-secret *", rest)) p->key = {value, "'pre-shared-secret'", at};
    if (match("vti bind *", rest)) p->vti = {value, "'vti bind'", at};
    if (match("ike-group *", rest)) p->ike_group = value;
    if (match("vti esp-group *", rest)) p->esp_group = value;
    return true;
  }

  bool of_group(const Values& path, const Spot& at) {
    if (path.size() < 5 || path[0] != "vpn" || (path[2] != "ike-group" && path[2] != "esp-group")) return false;
    if (groups_.size() > kMaxTunnels) return true;
    Group& g = groups_[path[2] + " " + path[3]];
    const Values rest(path.begin() + 4, path.end());
    const std::string& value = rest.back();
    if (match("lifetime *", rest)) g.lifetime = {value, fmt::format("'{} lifetime'", path[2]), at};
    if (match("dead-peer-detection interval *", rest)) g.dpd = {value, "'dead-peer-detection interval'", at};
    if (match("key-exchange *", rest)) g.version = value;
    if (match("proposal * encryption *", rest)) g.encryption = value;
    if (match("proposal * hash *", rest)) g.hash = value;
    if (match("proposal * dh-group *", rest)) g.dh = value;
    return true;
  }

  // With our AS in the path, or as `system-as` and `local-as`.
  bool of_bgp(const Values& path, const Spot& at) {
    if (path.size() < 4 || path[0] != "protocols" || path[1] != "bgp") return false;
    if (path[2] == "system-as" || path[2] == "local-as")
      return asn_ = {path[3], fmt::format("'{}'", path[2]), at}, true;
    Values rest(path.begin() + 2, path.end());
    if (rest[0] != "neighbor" && rest.size() > 1) {
      asn_ = {rest[0], "'protocols bgp'", at};
      rest.erase(rest.begin());
    }
    if (match("network *", rest)) {
      out_.warnings.push_back(fmt::format(
          "'network {}' was not taken over: what AWS shall learn is named by 'local-network'", printable(rest[1], 40)));
      return true;
    }
    if (rest.size() < 3 || rest[0] != "neighbor" || (neighbors_.size() > kMaxTunnels && !neighbors_.contains(rest[1])))
      return rest[0] == "neighbor" || rest[0] == "parameters" || rest[0] == "address-family";
    Neighbor& n = neighbors_[rest[1]];
    n.address = {rest[1], "'neighbor'", at};
    if (match("neighbor * remote-as *", rest)) n.asn = {rest[3], "'remote-as'", at};
    if (match("neighbor * timers holdtime *", rest)) n.hold = {rest[4], "'timers holdtime'", at};
    return true;
  }

  bool of_routes(const Values& path, const Spot& at) {
    const auto v = match("protocols static route * next-hop *", path);
    if (!v) return path.size() > 1 && path[0] == "protocols" && path[1] == "static";
    if (next_hops_.size() <= kMaxTunnels) next_hops_.push_back({(*v)[1], "'next-hop'", at});
    const auto p = Prefix::parse((*v)[0]);
    if (p && p->address.is_v4() && std::ranges::find(out_.behind_aws, *p) == out_.behind_aws.end())
      out_.behind_aws.push_back(*p);
    return true;
  }

  void unknown(const Values& path) {
    if (path[0] == "interfaces" && path[1] == "vti") return;  // description, mtu: cgwd's own matter
    if (path[0] == "vpn" && path.size() > 2 && (path[2] == "ipsec-interfaces" || path[2] == "interface")) return;
    const std::string shown = fmt::format("'set {} {}'", printable(path[0], 40), printable(path[1], 40));
    if (out_.left.size() < 20 && std::ranges::find(out_.left, shown) == out_.left.end()) out_.left.push_back(shown);
  }

  static bool keep(std::map<std::string, Field>& map, const std::string& name, Field f) {
    if (map.size() <= kMaxTunnels) map[name] = std::move(f);
    return true;
  }

  Peer* peer(const std::string& name, const Spot& at) {
    const auto it = std::ranges::find(peers_, name, &Peer::name);
    if (it != peers_.end()) return &*it;
    if (peers_.size() > kMaxTunnels) return nullptr;
    return &peers_.emplace_back(Peer{.name = name,
                                     .at = at,
                                     .outside = {name, "'peer'", at},
                                     .local = {},
                                     .key = {},
                                     .vti = {},
                                     .ike_group = {},
                                     .esp_group = {}});
  }

  void tunnel(const Peer& p, bool any_bgp) {
    TunnelFacts& t = out_.tunnels.emplace_back();
    t.name = fmt::format("'peer {}'", printable(p.name, 60));
    const auto or_missing = [&](const Field& f, const char* name) { return f.said() ? f : Field{{}, name, p.at}; };
    t.their_outside = p.outside;
    t.their_outside_at = p.outside.at;
    t.our_outside = or_missing(p.local, "'local-address'");
    t.key = or_missing(p.key, "'pre-shared-secret'");
    if (const auto id = key_ids_.find(p.outside.text); !t.key.said() && id != key_ids_.end()) {
      if (const auto key = keys_.find(id->second.text); key != keys_.end()) t.key = key->second;
    }
    const Group& ike = groups_["ike-group " + p.ike_group];
    t.ike_lifetime = or_missing(ike.lifetime, "'ike-group lifetime'");
    t.esp_lifetime = or_missing(groups_["esp-group " + p.esp_group].lifetime, "'esp-group lifetime'");
    t.dpd_interval = ike.dpd;
    t.ike_version = ike.version;
    if (!ike.encryption.empty()) t.floor = floor_of(ike.encryption, ike.hash, ike.dh);
    inside(p, t);
    if (any_bgp) bgp(p, t);
  }

  // Our address is the vti's; AWS's the neighbor or next hop in its subnet.
  void inside(const Peer& p, TunnelFacts& t) {
    const auto vti = vtis_.find(p.vti.text);
    t.our_inside = vti != vtis_.end() ? vti->second : Field{{}, "'vti address'", p.at};
    t.our_inside_at = t.our_inside.at;
    const auto address = InterfaceAddress::parse(t.our_inside.text);
    t.inside_length = {{}, "the length of 'vti address'", p.at};
    split_length(t.our_inside, &t);
    t.their_inside = {{}, "AWS's inside address ('neighbor' or 'next-hop')", p.at};
    t.their_inside_at = p.at;
    if (!address) return;
    std::vector<Field> candidates = next_hops_;
    for (const auto& [name, n] : neighbors_)
      candidates.push_back(n.address);
    for (const Field& f : candidates) {
      const auto a = IpAddress::parse(f.text);
      if (!a || !address->subnet().contains(*a)) continue;
      t.their_inside = f;
      t.their_inside_at = f.at;
      return;
    }
  }

  void bgp(const Peer& p, TunnelFacts& t) {
    t.bgp = t.our_bgp = true;
    t.our_asn = asn_.said() ? asn_ : Field{{}, "our AS ('protocols bgp')", p.at};
    const auto n = neighbors_.find(t.their_inside.text);
    const bool known = n != neighbors_.end();
    t.their_asn = known && n->second.asn.said() ? n->second.asn : Field{{}, "'neighbor remote-as'", p.at};
    t.hold_time = known && n->second.hold.said() ? n->second.hold : Field{{}, "'neighbor timers holdtime'", p.at};
  }

  const Source& source_;
  ConnectionFacts& out_;
  Complaints& wrong_;
  std::vector<Peer> peers_;
  std::map<std::string, Group> groups_;
  std::map<std::string, Field> vtis_, keys_, key_ids_;
  std::map<std::string, Neighbor> neighbors_;
  std::vector<Field> next_hops_;
  Field asn_;
};

}  // namespace

void read_vyatta_sample(const Source& source, ConnectionFacts& out, Complaints& wrong) {
  Reader(source, out, wrong).run();
}

}  // namespace cgw::config
