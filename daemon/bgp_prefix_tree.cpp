// One prefix in detail. Keys and their order are FRR 8.4's.
#include <ctime>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/communities.hpp"
#include "daemon/bgp_tree_parts.hpp"

namespace cgw {
namespace json = boost::json;
using namespace bgp_tree;
namespace {

using Type = bgp::AsPathSegment::Type;

std::string_view segment_word(Type t) {
  switch (t) {
    case Type::Set: return "as-set";
    case Type::Sequence: return "as-sequence";
    case Type::ConfedSequence: return "as-confed-sequence";
    case Type::ConfedSet: return "as-confed-set";
  }
  return "";
}

json::object as_path_tree(const bgp::PathAttributes& a) {
  json::array segments;
  for (const auto& s : a.as_path) {
    json::array asns;
    for (const auto asn : s.asns)
      asns.push_back(json::value(asn.value()));
    segments.push_back(json::object{{"type", segment_word(s.type)}, {"list", std::move(asns)}});
  }
  const std::string words = a.as_path_text();
  return {
      {"string", words.empty() ? "Local" : words}, {"segments", std::move(segments)}, {"length", a.as_path_length()}};
}

// FRR's JSON writes the well-known ones without hyphens: noExport, localAs.
std::string camel(const std::string& word) {
  std::string out;
  bool up = false;
  for (const char c : word) {
    if (c == '-') {
      up = true;
    } else {
      const bool upper = c >= 'A' && c <= 'Z';
      out += up && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : (upper && !up ? c : c);
      up = false;
    }
  }
  return out == "localAS" ? "localAs" : out;
}

template <class T>
json::object communities_tree(const std::vector<T>& communities, auto&& text_of, bool listed) {
  std::vector<std::string> words;
  json::array list;
  for (const T& c : communities) {
    words.push_back(text_of(c));
    list.push_back(json::value(camel(words.back())));
  }
  json::object out{{"string", fmt::format("{}", fmt::join(words, " "))}};
  if (listed) out["list"] = std::move(list);
  return out;
}

void put_communities(const bgp::PathAttributes& a, json::object& out) {
  if (!a.communities.empty()) out["community"] = communities_tree(a.communities, community_text, true);
  if (!a.extended_communities.empty())
    out["extendedCommunity"] = communities_tree(a.extended_communities, extended_community_text, false);
  if (!a.large_communities.empty())
    out["largeCommunity"] = communities_tree(a.large_communities, large_community_text, true);
}

// As ctime(3), which FRR uses: "Mon Nov 23 23:10:00 2026\n", in local time.
json::object update_tree(const BgpView& v, const bgp::Path& p) {
  const Seconds age{v.speaker.ribs().clock(v.now) - p.since};
  const std::time_t at = std::chrono::system_clock::to_time_t(v.wall - age);
  std::tm parts{};
  ::localtime_r(&at, &parts);
  char words[64];
  const auto size = std::strftime(words, sizeof words, "%a %b %e %H:%M:%S %Y\n", &parts);
  return {{"epoch", at}, {"string", std::string_view(words, size)}};
}

json::array hops_tree(const BgpView& v, const bgp::Path& p, const bgp::PathAttributes& a) {
  const bgp::NextHop& known = v.speaker.ribs().pool().next_hop(p.accepted);
  const bool own = p.neighbor == 0;
  json::object hop{{"ip", own ? (a.next_hop.is_v4() ? "0.0.0.0" : "::") : a.next_hop.to_string()}};
  if (own && !v.hostname.empty()) hop["hostname"] = v.hostname;
  hop["afi"] = a.next_hop.is_v4() ? "ipv4" : "ipv6";
  if (!a.next_hop.is_v4()) hop["scope"] = "global";
  if (own || known.reachable) hop["metric"] = own ? 0U : known.metric;
  hop["accessible"] = own || known.reachable;
  hop["used"] = true;
  json::array out{std::move(hop)};
  if (a.link_local_next_hop) {
    out.push_back(json::object{{"ip", a.link_local_next_hop->to_string()},
                               {"afi", "ipv6"},
                               {"scope", "link-local"},
                               {"accessible", true},
                               {"used", true}});
  }
  return out;
}

json::object peer_tree(const BgpView& v, const bgp::Path& p) {
  const bgp::PathSource& source = v.speaker.ribs().sources()[p.neighbor].path;
  const std::string id = IpAddress::v4(source.router_id).to_string();
  if (p.neighbor == 0) return {{"peerId", "0.0.0.0"}, {"routerId", id}};
  json::object out{{"peerId", source.address.to_string()}, {"routerId", id}};
  const auto& agreed = v.speaker.status(bgp::NeighborId{p.neighbor}).negotiated;
  if (agreed && !agreed->hostname.empty()) out["hostname"] = agreed->hostname;
  out["type"] = peer_type(source.kind);
  return out;
}

json::object path_tree(const BgpView& v, const bgp::Table& table, bgp::PrefixId id, const bgp::Path& p) {
  const bgp::Ribs& ribs = v.speaker.ribs();
  const auto& keys = ribs.pool().keys(p.accepted);
  const auto a = ribs.pool().attributes(p.accepted);
  json::object out{{"aspath", as_path_tree(a)}};
  if (a.aggregator) {
    out["aggregatorAs"] = a.aggregator->first.value();
    out["aggregatorId"] = a.aggregator->second.to_string();
  }
  out["origin"] = origin_word(keys.origin);
  if (a.med) out["metric"] = *a.med;
  if (a.local_pref) out["locPrf"] = *a.local_pref;
  if (keys.local.weight != 0) out["weight"] = keys.local.weight;
  if (keys.local.tag != 0) out["tag"] = keys.local.tag;
  if (!table.standing(p.neighbor).fresh(p.epoch)) out["stale"] = true;
  out["valid"] = table.eligible(p);
  out["version"] = 0;
  if (p.neighbor == 0) {
    out["sourced"] = true;
    out["local"] = true;
  }
  if (a.atomic_aggregate) out["atomicAggregate"] = true;
  if (multipath(ribs, table, id, p)) out["multipath"] = true;
  if (p.best) out["bestpath"] = json::object{{"overall", true}, {"selectionReason", selection_reason(ribs, table, id)}};
  put_communities(a, out);
  if (a.originator_id) {
    out["originatorId"] = IpAddress::v4(a.originator_id->value()).to_string();
    json::array clusters;
    for (const auto c : a.cluster_list)
      clusters.push_back(json::value(IpAddress::v4(c).to_string()));
    out["clusterList"] = json::object{{"list", std::move(clusters)}};
  }
  out["lastUpdate"] = update_tree(v, p);
  out["nexthops"] = hops_tree(v, p, a);
  out["peer"] = peer_tree(v, p);
  return out;
}

json::object told_tree(const BgpView& v, Family f, bgp::PrefixId id) {
  const bgp::Ribs& ribs = v.speaker.ribs();
  json::object out;
  for (std::uint16_t n = 1; n < ribs.sources().size(); ++n) {
    const bgp::Advertiser* a = ribs.advertiser(bgp::NeighborId{n}, f);
    if (a != nullptr && a->told(id)) out[ribs.sources()[n].path.address.to_string()] = json::object();
  }
  return out;
}

json::value detail(const BgpView& v, Family f, bgp::PrefixId id) {
  const bgp::Table& table = v.speaker.ribs().table(f);
  json::array paths;
  for (const auto* p = table.first(id); p != nullptr; p = table.next(p))
    if (is_shown(table, *p)) paths.push_back(path_tree(v, table, id, *p));
  if (paths.empty()) return json::object{};
  json::object out{{"prefix", table.prefixes().prefix(id).to_string()}, {"version", 0}};
  if (auto told = told_tree(v, f, id); !told.empty()) out["advertisedTo"] = std::move(told);
  out["paths"] = std::move(paths);
  return out;
}

}  // namespace

json::value bgp_prefix_tree(const BgpView& v, const Prefix& prefix) {
  const Family f = prefix.address.family();
  const auto id = v.speaker.ribs().table(f).prefixes().find(prefix);
  return id ? detail(v, f, *id) : json::object{};
}

json::value bgp_prefix_tree(const BgpView& v, const IpAddress& address) {
  const Family f = address.family();
  for (int length = address.is_v4() ? 32 : 128; length >= 0; --length) {
    const auto id = v.speaker.ribs().table(f).prefixes().find(Prefix::of(address, static_cast<std::uint8_t>(length)));
    if (!id) continue;
    if (auto found = detail(v, f, *id); !found.as_object().empty()) return found;
  }
  return json::object{};
}

}  // namespace cgw
