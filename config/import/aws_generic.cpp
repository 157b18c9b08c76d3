// AWS's text for vendor "Generic": lines "- Key : Value" in numbered sections, twice.
#include <algorithm>

#include <fmt/format.h>

#include "base/note.hpp"
#include "config/import/aws_facts.hpp"
#include "config/import/aws_samples.hpp"

namespace cgw::config {
namespace {

enum class Section : std::uint8_t { None, Ike, Ipsec, Outside, Inside, Bgp, Static };

// Where a line's value goes; sections have keys of one name.
struct Row {
  Section section;
  std::string_view key;
  Field TunnelFacts::*to;
};
constexpr Row kRows[] = {
    {Section::Ike, "pre-shared key", &TunnelFacts::key},
    {Section::Ike, "lifetime", &TunnelFacts::ike_lifetime},
    {Section::Ipsec, "lifetime", &TunnelFacts::esp_lifetime},
    {Section::Ipsec, "dpd interval", &TunnelFacts::dpd_interval},
    {Section::Outside, "customer gateway", &TunnelFacts::our_outside},
    {Section::Outside, "virtual private gateway", &TunnelFacts::their_outside},
    {Section::Outside, "transit gateway", &TunnelFacts::their_outside},
    {Section::Inside, "customer gateway", &TunnelFacts::our_inside},
    {Section::Inside, "virtual private gateway", &TunnelFacts::their_inside},
    {Section::Inside, "transit gateway", &TunnelFacts::their_inside},
    {Section::Bgp, "customer gateway asn", &TunnelFacts::our_asn},
    {Section::Bgp, "virtual private gateway asn", &TunnelFacts::their_asn},
    {Section::Bgp, "transit gateway asn", &TunnelFacts::their_asn},
    {Section::Bgp, "neighbor hold time", &TunnelFacts::hold_time},
};
// Known, and of no use here: cgwd finds MTU and MSS itself, fragments before encryption and asks IKEv2's way.
constexpr std::string_view kNotNeeded[] = {"ike version",
                                           "authentication method",
                                           "authentication algorithm",
                                           "encryption algorithm",
                                           "diffie-hellman",
                                           "perfect forward secrecy",
                                           "phase 1 negotiation mode",
                                           "protocol",
                                           "mode",
                                           "dpd retries",
                                           "tcp mss adjustment",
                                           "clear don't fragment bit",
                                           "fragmentation",
                                           "tunnel interface mtu",
                                           "neighbor ip address",
                                           "next hop",
                                           "xsl version"};

class Reader {
 public:
  Reader(const Source& source, ConnectionFacts& out, Complaints& wrong) : source_(source), out_(out), wrong_(wrong) {}

  void run() {
    out_.name = "the file";
    out_.tunnel_name = "'IPSec Tunnel #1'";
    out_.at = source_.spot(0);
    const auto lines = lines_of(source_.text());
    for (const auto& line : lines)
      take(line);
    if (whole(source_, lines, out_, closed_, wrong_)) names_of_missing();
  }

 private:
  void take(const Line& line) {
    const std::string text = trim(line.text), key = lower(text);
    if (take_id(source_, line, out_)) return;
    if (key.starts_with("ipsec tunnel #")) return begin_tunnel(line);
    if (key.starts_with("additional notes")) closed_ = true;
    if (heading(key) || !text.starts_with('-') || out_.tunnels.empty() || closed_) return;
    setting(line);
  }

  void begin_tunnel(const Line& line) {
    section_ = Section::None;
    if (out_.tunnels.size() > kMaxTunnels) return;
    TunnelFacts& t = out_.tunnels.emplace_back();
    t.name = fmt::format("'IPSec Tunnel #{}'", out_.tunnels.size());
    at_.push_back(source_.spot(line.offset));
  }

  // "#4: Border Gateway Protocol (BGP) Configuration:", "Inside IP Addresses" with or without a colon.
  bool heading(const std::string& key) {
    if (key.starts_with("outside ip addresses")) return section_ = Section::Outside, true;
    if (key.starts_with("inside ip addresses")) return section_ = Section::Inside, true;
    if (!key.starts_with('#')) return false;
    const auto has = [&](std::string_view what) { return key.find(what) != std::string::npos; };
    section_ = Section::None;
    if (has("internet key exchange")) section_ = Section::Ike;
    if (has("ipsec configuration")) section_ = Section::Ipsec;
    if (has("border gateway protocol")) section_ = Section::Bgp;
    if (has("static routing")) section_ = Section::Static;
    if (section_ == Section::Bgp && !out_.tunnels.empty()) out_.tunnels.back().bgp = out_.tunnels.back().our_bgp = true;
    if (section_ == Section::Static) out_.marked_static = true;
    return true;
  }

  // "  - Pre-Shared Key           : value"; tabs, and more than one colon, occur.
  void setting(const Line& line) {
    const auto dash = line.text.find('-');
    const auto colon = line.text.find(':', dash);
    if (colon == std::string_view::npos) return;
    const std::string name = collapsed(line.text.substr(dash + 1, colon - dash - 1)), key = lower(name);
    auto from = line.text.find_first_not_of(": \t", colon);
    if (from == std::string_view::npos) from = line.text.size();
    const std::string value = trim(line.text.substr(from));
    TunnelFacts& t = out_.tunnels.back();
    const Spot at = source_.spot(line.offset + from);
    for (const Row& row : kRows) {
      if (row.section != section_ || row.key != key) continue;
      return store(t, row, {value, fmt::format("'{}'", name), at});
    }
    if (section_ == Section::Ike) of_ike(t, key, value);
    if (std::ranges::find(kNotNeeded, key) != std::end(kNotNeeded)) return;
    const std::string shown = fmt::format("'{}'", printable(name, 60));
    if (out_.left.size() < 20 && std::ranges::find(out_.left, shown) == out_.left.end()) out_.left.push_back(shown);
  }

  void store(TunnelFacts& t, const Row& row, Field f) {
    const bool number = row.to == &TunnelFacts::ike_lifetime || row.to == &TunnelFacts::esp_lifetime ||
                        row.to == &TunnelFacts::dpd_interval || row.to == &TunnelFacts::hold_time;
    if (number) f.text = without_unit(f.text);
    if (row.section == Section::Inside) split_length(f, row.to == &TunnelFacts::our_inside ? &t : nullptr);
    if (row.section == Section::Inside)
      (row.to == &TunnelFacts::our_inside ? t.our_inside_at : t.their_inside_at) = f.at;
    if (row.to == &TunnelFacts::their_outside) t.their_outside_at = f.at;
    t.*row.to = std::move(f);
  }

  void of_ike(TunnelFacts& t, const std::string& key, const std::string& value) {
    if (key == "ike version") t.ike_version = lower(value);
    if (key == "authentication algorithm") integrity_ = lower(value);
    if (key == "encryption algorithm") encryption_ = lower(value);
    // "Group 2"; in older files "Diffie-Hellman Group 2" as perfect forward secrecy.
    if (key != "diffie-hellman" && key != "perfect forward secrecy") return;
    const auto all = words(value);
    t.floor = fmt::format("{} {} group{}", encryption_, integrity_, all.empty() ? "" : all.back());
  }

  // What a tunnel does not say is named as the file would.
  void names_of_missing() {
    for (std::size_t i = 0; i < out_.tunnels.size(); ++i) {
      TunnelFacts& t = out_.tunnels[i];
      for (const Row& row : kRows) {
        Field& f = t.*row.to;
        if (f.name.empty()) f = {{}, fmt::format("'{}'", titled(row.key)), at_[i]};
      }
      if (t.inside_length.name.empty()) t.inside_length = {{}, "the length of the inside 'Customer Gateway'", at_[i]};
    }
  }

  static std::string titled(std::string_view key) {
    std::string out(key);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if ((i == 0 || out[i - 1] == ' ' || out[i - 1] == '-') && out[i] >= 'a' && out[i] <= 'z')
        out[i] = static_cast<char>(out[i] - 'a' + 'A');
    }
    for (const auto& [word, as] : {std::pair("Asn", "ASN"), std::pair("Dpd", "DPD")}) {
      if (const auto at = out.find(word); at != std::string::npos) out.replace(at, 3, as);
    }
    return out;
  }

  const Source& source_;
  ConnectionFacts& out_;
  Complaints& wrong_;
  Section section_ = Section::None;
  std::vector<Spot> at_;  // of each tunnel
  std::string integrity_, encryption_;
  bool closed_ = false;  // the notes after the tunnels have begun
};

}  // namespace

void read_generic(const Source& source, ConnectionFacts& out, Complaints& wrong) {
  Reader(source, out, wrong).run();
}

}  // namespace cgw::config
