// AWS's sample for strongSwan: sections of ipsec.conf, lines of ipsec.secrets and commands, in instructions to a
// reader.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/note.hpp"
#include "config/import/aws_facts.hpp"
#include "config/import/aws_samples.hpp"

namespace cgw::config {
namespace {

struct Row {
  std::string_view key;
  Field TunnelFacts::*to;
};
constexpr Row kRows[] = {{"leftid", &TunnelFacts::our_outside},
                         {"right", &TunnelFacts::their_outside},
                         {"ikelifetime", &TunnelFacts::ike_lifetime},
                         {"lifetime", &TunnelFacts::esp_lifetime},
                         {"dpddelay", &TunnelFacts::dpd_interval}};
// cgwd's own way, or of no use to it.
constexpr std::string_view kNotNeeded[] = {"auto",       "left",         "type",       "leftauth",    "rightauth",
                                           "authby",     "ike",          "esp",        "keyexchange", "keyingtries",
                                           "leftsubnet", "rightsubnet",  "dpdtimeout", "dpdaction",   "mark",
                                           "leftupdown", "leftfirewall", "rightid"};

class Reader {
 public:
  Reader(const Source& source, ConnectionFacts& out, Complaints& wrong) : source_(source), out_(out), wrong_(wrong) {}

  void run() {
    out_.name = "the file";
    out_.tunnel_name = "'conn Tunnel1'";
    out_.at = source_.spot(0);
    out_.tells_routing = false;
    const auto lines = lines_of(source_.text());
    for (const auto& line : lines) {
      taken_ = false;
      take(line);
    }
    if (!whole(source_, lines, out_, !taken_ && out_.tunnels.size() > 1, wrong_)) return;
    for (TunnelFacts& t : out_.tunnels)
      finish(t);
  }

 private:
  void take(const Line& line) {
    if (take_id(source_, line, out_)) return;
    const auto w = words(line.text);
    if (w.empty()) return;
    if (w.size() == 2 && w[0] == "conn") return begin(line, w[1]);
    if (line.text.find("-ll ") != std::string_view::npos && line.text.find("-lr ") != std::string_view::npos)
      return updown(line, w);
    if (secret(line)) return;
    command(line, w);
    setting(line);
  }

  void begin(const Line& line, std::string_view name) {
    current_ = nullptr;
    if (name == "%default" || out_.tunnels.size() > kMaxTunnels) return;
    names_.emplace_back(name);
    out_.tunnels.push_back({.name = fmt::format("'conn {}'", printable(name, 40))});
    at_.push_back(source_.spot(line.offset));
    current_ = &out_.tunnels.back();
    taken_ = true;
  }

  Field field(const Line& line, std::string_view value, std::string name) const {
    const auto at = static_cast<std::size_t>(value.data() - source_.text().data());
    return {std::string(value), std::move(name), source_.spot(at < source_.text().size() ? at : line.offset)};
  }

  // "	right=203.0.113.10" in the section that is open; a comment is none.
  void setting(const Line& line) {
    const auto equals = line.text.find('=');
    if (current_ == nullptr || equals == std::string_view::npos) return;
    const auto w = words(line.text.substr(0, equals)), v = words(line.text.substr(equals + 1));
    if (w.size() != 1 || w[0].starts_with('#') || v.empty()) return;
    const std::string key(w[0]);
    taken_ = true;
    for (const Row& row : kRows) {
      if (row.key != key) continue;
      Field f = field(line, v[0], fmt::format("'{}'", key));
      if (row.to != &TunnelFacts::our_outside && row.to != &TunnelFacts::their_outside) f.text = in_seconds(f.text);
      if (row.to == &TunnelFacts::their_outside) current_->their_outside_at = f.at;
      current_->*row.to = std::move(f);
      return;
    }
    if (key == "keyexchange") current_->ike_version = std::string(v[0]);
    if (key == "ike") floor(v[0]);
    if (std::ranges::find(kNotNeeded, key) != std::end(kNotNeeded) || out_.left.size() >= 20) return;
    if (const auto shown = printable(key, 40); std::ranges::find(out_.left, shown) == out_.left.end())
      out_.left.push_back(shown);
  }

  void floor(std::string_view suite) {
    const auto first = suite.find('-'), last = suite.rfind('-');
    if (first == std::string_view::npos || first == last) return;
    current_->floor =
        floor_of(suite.substr(0, first), suite.substr(first + 1, last - first - 1), suite.substr(last + 1));
  }

  // The line for AWS's script, commented out as it comes, has both inside addresses.
  void updown(const Line& line, const std::vector<std::string_view>& w) {
    TunnelFacts* t = current_;
    for (std::size_t i = 0; i + 1 < w.size(); ++i) {
      if (w[i] == "-ln") t = named(w[i + 1]);
    }
    if (t == nullptr) return;
    taken_ = true;
    for (std::size_t i = 0; i + 1 < w.size(); ++i) {
      if (w[i] == "-ll") inside(line, *t, w[i + 1], &TunnelFacts::our_inside);
      if (w[i] == "-lr") inside(line, *t, w[i + 1], &TunnelFacts::their_inside);
      if (w[i] == "-r") behind(w[i + 1]);
    }
  }

  void inside(const Line& line, TunnelFacts& t, std::string_view value, Field TunnelFacts::*to) {
    const bool ours = to == &TunnelFacts::our_inside;
    Field f = field(line, value, ours ? "our inside address" : "AWS's inside address");
    (ours ? t.our_inside_at : t.their_inside_at) = f.at;
    split_length(f, ours ? &t : nullptr);
    t.*to = std::move(f);
  }

  void behind(std::string_view text) {
    if (text.ends_with('"')) text.remove_suffix(1);
    const auto p = Prefix::parse(text);
    if (p && p->address.is_v4() && std::ranges::find(out_.behind_aws, *p) == out_.behind_aws.end())
      out_.behind_aws.push_back(*p);
  }

  // OURS THEIRS : PSK "key"
  bool secret(const Line& line) {
    const auto at = line.text.find(": PSK");
    if (at == std::string_view::npos) return false;
    const auto ids = words(line.text.substr(0, at));
    const auto rest = line.text.find_first_not_of(" \t", at + 5);
    if (ids.size() != 2 || rest == std::string_view::npos) return false;
    taken_ = true;
    if (keys_.size() <= kMaxTunnels)
      keys_[std::string(ids[1])] = {unquoted(trim(line.text.substr(rest))), "the key of ipsec.secrets",
                                    source_.spot(line.offset + rest)};
    return true;
  }

  // "sudo ip addr add OURS/30 remote THEIRS/30 dev Tunnel1", "sudo ip route add CIDR dev Tunnel1 metric 100"
  void command(const Line& line, const std::vector<std::string_view>& w) {
    const auto ip = std::ranges::find(w, "ip");
    if (ip == w.end() || w.end() - ip < 6) return;
    const auto dev = std::ranges::find(w, "dev");
    TunnelFacts* t = dev == w.end() || dev + 1 == w.end() ? nullptr : named(*(dev + 1));
    if (t == nullptr || ip[2] != "add") return;
    taken_ = true;
    if (ip[1] == "route") behind(ip[3]);
    if (ip[1] != "addr" || ip[4] != "remote" || t->our_inside.said()) return;
    inside(line, *t, ip[3], &TunnelFacts::our_inside);
    inside(line, *t, ip[5], &TunnelFacts::their_inside);
  }

  TunnelFacts* named(std::string_view name) {
    const auto it = std::ranges::find(names_, name);
    return it == names_.end() ? nullptr : &out_.tunnels[static_cast<std::size_t>(it - names_.begin())];
  }

  void finish(TunnelFacts& t) {
    const Spot at = at_[static_cast<std::size_t>(&t - out_.tunnels.data())];
    if (const auto key = keys_.find(t.their_outside.text); key != keys_.end()) t.key = key->second;
    if (!t.key.said()) t.key = {{}, "its key (': PSK' of ipsec.secrets)", at};
    for (const Row& row : kRows) {
      if ((t.*row.to).name.empty()) t.*row.to = {{}, fmt::format("'{}'", row.key), at};
    }
    if (t.our_inside.name.empty()) t.our_inside = {{}, "our inside address ('-ll' of 'leftupdown')", at};
    if (t.their_inside.name.empty()) t.their_inside = {{}, "AWS's inside address ('-lr' of 'leftupdown')", at};
    if (t.inside_length.name.empty()) t.inside_length = {{}, "the length of our inside address", at};
  }

  const Source& source_;
  ConnectionFacts& out_;
  Complaints& wrong_;
  std::vector<std::string> names_;  // of the sections, as tunnels
  std::vector<Spot> at_;
  std::map<std::string, Field> keys_;  // by AWS's outside address
  TunnelFacts* current_ = nullptr;
  bool taken_ = false;  // something of the last line
};

}  // namespace

void read_strongswan_sample(const Source& source, ConnectionFacts& out, Complaints& wrong) {
  Reader(source, out, wrong).run();
}

}  // namespace cgw::config
