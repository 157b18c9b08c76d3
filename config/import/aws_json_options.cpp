// TunnelOptions of `aws ec2 describe-vpn-connections`, as they are answered or as they were asked for.
#include "config/import/aws_json_options.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/note.hpp"

namespace cgw::config {
namespace {

struct List {
  std::string_view name;  // without the plural's s, which a request has not
  std::vector<Field> TunnelOptions::*to;
};
constexpr List kLists[] = {{"phase1encryptionalgorithm", &TunnelOptions::ike_encryption},
                           {"phase2encryptionalgorithm", &TunnelOptions::esp_encryption},
                           {"phase1integrityalgorithm", &TunnelOptions::ike_integrity},
                           {"phase2integrityalgorithm", &TunnelOptions::esp_integrity},
                           {"phase1dhgroupnumber", &TunnelOptions::ike_groups},
                           {"phase2dhgroupnumber", &TunnelOptions::esp_groups},
                           {"ikeversion", &TunnelOptions::ike_versions}};
struct Single {
  std::string_view name;
  Field TunnelOptions::*to;
};
constexpr Single kSingles[] = {{"dpdtimeoutseconds", &TunnelOptions::dpd_timeout},
                               {"dpdtimeoutaction", &TunnelOptions::dpd_action},
                               {"startupaction", &TunnelOptions::startup_action},
                               {"replaywindowsize", &TunnelOptions::replay_window}};
constexpr std::string_view kElsewhere[] = {"outsideipaddress", "tunnelinsidecidr", "presharedkey",
                                           "phase1lifetimeseconds", "phase2lifetimeseconds"};

class Entry {
 public:
  Entry(const Source& source, const JsonNode& node, Complaints& wrong) : source_(source), node_(node), wrong_(wrong) {}

  // The tunnel it is about; null, with a complaint or a warning, when there is none.
  TunnelFacts* tunnel(ConnectionFacts& c) {
    const Field outside = field("outsideipaddress"), inside = field("tunnelinsidecidr"), key = field("presharedkey");
    if (outside.said()) {
      TunnelFacts* t = by_outside(c, outside.text);
      if (t == nullptr) {
        wrong_.at(outside.at,
                  fmt::format("TunnelOptions: no tunnel has the outside address {}: download the file again",
                              printable(outside.text, 60)));
      }
      return t;
    }
    // What was asked for has no outside address; AWS gives that.
    for (TunnelFacts& t : c.tunnels) {
      if (inside.said() && inside.text == subnet_of(t)) return &t;
      if (key.said() && key.text == t.key.text) return &t;
    }
    constexpr const char* kNobodys =
        "an entry of TunnelOptions names no outside address, nor a key or an inside CIDR of a tunnel: it was left out";
    if (!node_.members.empty() && std::ranges::find(c.warnings, kNobodys) == c.warnings.end())
      c.warnings.push_back(kNobodys);
    return nullptr;
  }

  void fill(TunnelFacts& t) {
    agree(t);
    if (const Field f = field("phase1lifetimeseconds"); f.said()) t.ike_lifetime = f;
    if (const Field f = field("phase2lifetimeseconds"); f.said()) t.esp_lifetime = f;
    TunnelOptions o;
    bool any = false;
    for (const List& l : kLists)
      any = list(l, o) || any;
    for (const Single& s : kSingles) {
      o.*s.to = field(s.name);
      any = any || (o.*s.to).said();
    }
    if (any) t.options = std::move(o);
  }

  void left(std::vector<std::string>& out) const {
    std::vector<std::string_view> known(std::begin(kElsewhere), std::end(kElsewhere));
    std::vector<std::string> plural;
    for (const List& l : kLists) {
      known.push_back(l.name);
      plural.push_back(fmt::format("{}s", l.name));
    }
    for (const Single& s : kSingles)
      known.push_back(s.name);
    known.insert(known.end(), plural.begin(), plural.end());
    unknown_members(node_, known, out);
  }

 private:
  // The same things are in the XML.
  void agree(TunnelFacts& t) {
    const Field inside = field("tunnelinsidecidr"), key = field("presharedkey");
    const auto there = subnet_of(t);
    if (inside.said() && !there.empty() && inside.text != there) {
      wrong_.at(inside.at,
                fmt::format("TunnelInsideCidr is {} here, {} in CustomerGatewayConfiguration: download the file again",
                            printable(inside.text, 40), there));
    }
    if (key.said() && t.key.said() && key.text != t.key.text) {
      wrong_.at(key.at, "PreSharedKey is another one than in CustomerGatewayConfiguration: download the file again");
    }
    if (key.said() && !t.key.said()) t.key = key;
  }

  static std::string subnet_of(const TunnelFacts& t) {
    const auto a = InterfaceAddress::parse(fmt::format("{}/{}", t.our_inside.text, t.inside_length.text));
    return a ? a->subnet().to_string() : std::string();
  }

  Field field(std::string_view name) const {
    const JsonNode* m = member(node_, name);
    if (m == nullptr) return {{}, std::string(name), source_.spot(node_.offset)};
    return {text_of(node_, name), name_of(*m), source_.spot(m->offset)};
  }
  std::string name_of(const JsonNode& value) const {
    for (const auto& [name, node] : node_.members) {
      if (&node == &value) return name;
    }
    return {};
  }

  // [{"Value": x}], or plainly [x].
  bool list(const List& l, TunnelOptions& o) const {
    const JsonNode* m = member(node_, fmt::format("{}s", l.name));
    if (m == nullptr) m = member(node_, l.name);
    if (m == nullptr) return false;
    for (const auto& item : m->items) {
      const JsonNode* value = item.kind == JsonNode::Kind::Object ? member(item, "value") : &item;
      if (value == nullptr || value->text.empty()) continue;
      (o.*l.to).push_back({value->text, name_of(*m), source_.spot(value->offset)});
    }
    return !(o.*l.to).empty();
  }

  const Source& source_;
  const JsonNode& node_;
  Complaints& wrong_;
};

void tell_actions(const TunnelFacts& t, ConnectionFacts& c) {
  if (!t.options) return;
  const auto& o = *t.options;
  if (o.startup_action.text != "start" && o.dpd_action.text != "restart") return;
  std::string text =
      fmt::format("tunnel to {}: AWS initiates too ({}{}{}); cgwd does so for ever and answers as well",
                  printable(t.their_outside.text, 60), o.startup_action.text == "start" ? "StartupAction start" : "",
                  o.startup_action.text == "start" && o.dpd_action.text == "restart" ? ", " : "",
                  o.dpd_action.text == "restart" ? "DPDTimeoutAction restart" : "");
  c.notes.push_back(std::move(text));
}

}  // namespace

const JsonNode* member(const JsonNode& object, std::string_view name) {
  for (const auto& [key, node] : object.members) {
    if (key.size() == name.size() && lower(key) == name) return &node;
  }
  return nullptr;
}

std::string text_of(const JsonNode& object, std::string_view name) {
  const JsonNode* m = member(object, name);
  return m == nullptr ? std::string() : trim(m->text);
}

void unknown_members(const JsonNode& object, std::span<const std::string_view> known, std::vector<std::string>& out) {
  for (const auto& [key, node] : object.members) {
    if (std::ranges::find(known, lower(key)) != known.end() || node.kind == JsonNode::Kind::Null) continue;
    const std::string name = printable(key, 60);
    if (out.size() < 20 && std::ranges::find(out, name) == out.end()) out.push_back(name);
  }
}

TunnelFacts* by_outside(ConnectionFacts& c, std::string_view address) {
  const auto wanted = IpAddress::parse(address);
  for (TunnelFacts& t : c.tunnels) {
    if (const auto a = IpAddress::parse(t.their_outside.text); wanted && a && *a == *wanted) return &t;
  }
  return nullptr;
}

void read_tunnel_options(const Source& source, const JsonNode& list, ConnectionFacts& c, Complaints& wrong) {
  std::set<const TunnelFacts*> filled;
  for (const auto& node : list.items) {
    Entry entry(source, node, wrong);
    TunnelFacts* t = entry.tunnel(c);
    if (t == nullptr) continue;
    if (!filled.insert(t).second) {
      wrong.at(source.spot(node.offset),
               "TunnelOptions: a second entry for one outside address: download the file again");
      continue;
    }
    entry.fill(*t);
    entry.left(c.left);
    tell_actions(*t, c);
  }
}

}  // namespace cgw::config
