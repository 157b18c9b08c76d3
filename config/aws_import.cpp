#include "config/aws_import.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "base/note.hpp"
#include "config/aws_rules.hpp"

namespace cgw::config {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

std::string trim(std::string_view s) {
  const auto from = s.find_first_not_of(kBlank);
  if (from == std::string_view::npos) return {};
  return std::string(s.substr(from, s.find_last_not_of(kBlank) - from + 1));
}

constexpr std::string_view kAgain = "download the file again";
constexpr std::string_view kAnotherKey =
    ": set another key in AWS (modify the tunnel options) and download the file again";
constexpr std::size_t kMaxTunnels = 64;  // as many as a connection of the configuration may have

class Importer {
 public:
  Importer(std::string_view text, std::string_view file, const ImportOptions& options)
      : text_(text),
        file_(file),
        options_(options) {}

  Result<Imported, Diagnostics> run() {
    if (!readable() || !load()) return fail(std::move(wrong_));
    const auto root = document_.child("vpn_connection");
    if (!root) {
      const std::string name = document_.document_element().name();
      error(document_.document_element(),
            fmt::format(
                "the outermost element is <{}>; AWS's customer gateway configuration begins with <vpn_connection>: "
                "use the XML, not the text for another vendor",
                printable(name)));
      return fail(std::move(wrong_));
    }
    if (const auto second = root.next_sibling("vpn_connection"))
      error(second, "a second <vpn_connection>: import each connection from a file of its own");
    connection(root);
    if (!wrong_.empty()) return fail(std::move(wrong_));
    finish();
    return std::move(out_);
  }

 private:
  bool readable() {
    if (text_.size() > kMaxImportOctets) {
      return whole(fmt::format("is longer than {} octets; AWS's file has a few thousand: is it the right one?",
                               kMaxImportOctets));
    }
    if (const auto at = text_.find('\0'); at != std::string_view::npos)
      return error_at(at, "holds a zero octet: it is not UTF-8; save it as UTF-8"), false;
    if (const auto at = not_utf8(text_)) {
      const auto octet = static_cast<std::uint8_t>(text_[*at]);
      return error_at(*at, fmt::format("octet {:#04x} is not UTF-8; save the file as UTF-8", octet)), false;
    }
    if (trim(text_).empty()) return whole("is empty: download the configuration again");
    for (const std::string_view bad : {"<!DOCTYPE", "<!ENTITY"}) {
      const auto at = text_.find(bad);
      if (at != std::string_view::npos)
        return error_at(at, fmt::format("{} is refused: AWS's file has none; download it again", bad)), false;
    }
    return true;
  }

  bool load() {
    const auto result = document_.load_buffer(text_.data(), text_.size(), pugi::parse_default, pugi::encoding_utf8);
    if (result) return true;
    if (result.status == pugi::status_no_document_element) {
      return whole(
          "holds no XML element: it is not AWS's XML file (choose vendor 'Generic', or member "
          "CustomerGatewayConfiguration of 'aws ec2 describe-vpn-connections')");
    }
    error_at(static_cast<std::size_t>(std::max<std::ptrdiff_t>(result.offset, 0)),
             fmt::format("not well-formed XML ({}): the file is truncated or damaged; download it again",
                         result.description()));
    return false;
  }

  void connection(const pugi::xml_node& root) {
    Connection c;
    c.id = trim(root.attribute("id").value());
    if (c.id.empty()) error(root, "<vpn_connection> has no id: the file is not complete; download it again");
    c.customer_gateway = trim(root.child_value("customer_gateway_id"));
    c.gateway = trim(root.child_value("vpn_gateway_id"));
    if (!is_id(c.id) || !is_id(c.customer_gateway) || !is_id(c.gateway)) {
      error(root,
            fmt::format("an id in <vpn_connection> holds something else than letters, digits and '-': {}", kAgain));
    }
    c.target = c.gateway.starts_with("vgw-") ? Target::Vgw : Target::Tgw;
    const bool marked_static = trim(root.child_value("vpn_connection_attributes")) == "NoBGPVPNConnection";
    bool any_bgp = false;
    unsigned number = 0;
    const auto tunnels = root.children("ipsec_tunnel");
    if (static_cast<std::size_t>(std::distance(tunnels.begin(), tunnels.end())) > kMaxTunnels)
      return error(root, fmt::format("more than {} tunnels: AWS's connections have 2; {}", kMaxTunnels, kAgain));
    for (const auto& node : tunnels) {
      any_bgp = any_bgp || node.child("vpn_gateway").child("bgp") || node.child("customer_gateway").child("bgp");
      tunnel(node, c, ++number);
    }
    if (number == 0)
      return error(root,
                   "there is no <ipsec_tunnel>: the connection is still being made, or the file is not complete; "
                   "download it again when its state is 'available'");
    if (number != 2) out_.warnings.push_back(fmt::format("{} tunnels; AWS's connections have 2", number));
    c.routing = marked_static || !any_bgp ? Routing::Static : Routing::Dynamic;
    if (c.routing == Routing::Dynamic) {
      unsigned n = 0;
      for (const auto& node : root.children("ipsec_tunnel"))
        bgp(node, c.tunnels[++n]);
    }
    out_.config.connections.push_back(std::move(c));
  }

  // The text of an element at a path, trimmed; an error when it is missing or empty.
  std::string need(const pugi::xml_node& from, const char* path,
                   std::string_view advice = ": download the file again") {
    const auto node = from.first_element_by_path(path);
    const std::string value = trim(node.child_value());
    if (value.empty())
      error(node ? node : from, fmt::format("<{}> is missing or empty in <{}>{}", path, from.name(), advice));
    return value;
  }

  // IPv6 inside an AWS connection means BGP over it, which is not here.
  enum class Allowed : std::uint8_t { Ipv4, Both };
  std::optional<IpAddress> address(const pugi::xml_node& from, const char* path, Allowed allowed = Allowed::Ipv4) {
    const std::string value = need(from, path);
    if (value.empty()) return std::nullopt;
    const auto a = IpAddress::parse(value);
    if (a && (a->is_v4() || allowed == Allowed::Both)) return *a;
    error(from.first_element_by_path(path),
          a ? fmt::format("<{}>: {} is IPv6, which this version does not do: choose IPv4 for the inside in AWS", path,
                          value)
            : fmt::format("<{}>: '{}' is not an IP address: {}", path, printable(value, 60), kAgain));
    return std::nullopt;
  }

  std::optional<std::uint32_t> number(const pugi::xml_node& from, const char* path, std::uint32_t low,
                                      std::uint32_t high) {
    const std::string value = need(from, path);
    if (value.empty()) return std::nullopt;
    std::uint32_t v = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), v);
    if (ec == std::errc{} && end == value.data() + value.size() && v >= low && v <= high) return v;
    error(from.first_element_by_path(path),
          fmt::format("<{}>: a number from {} to {} is expected: {}", path, low, high, kAgain));
    return std::nullopt;
  }

  void tunnel(const pugi::xml_node& node, Connection& c, unsigned n) {
    Tunnel t{.number = n};
    t.interface = fmt::format("cgw{}", n);
    const auto ours = node.child("customer_gateway"), theirs = node.child("vpn_gateway");
    // With a certificate AWS need not know where we are.
    const bool by_key = !trim(node.child("ike").child_value("pre_shared_key")).empty();
    constexpr const char* kOurs = "customer_gateway/tunnel_outside_address/ip_address";
    if (by_key || !trim(node.first_element_by_path(kOurs).child_value()).empty())
      t.customer_gateway_outside = address(node, kOurs, Allowed::Both);
    t.vpn_gateway_outside = address(node, "vpn_gateway/tunnel_outside_address/ip_address", Allowed::Both);
    t.vpn_gateway_inside = address(node, "vpn_gateway/tunnel_inside_address/ip_address");
    const auto inside = address(node, "customer_gateway/tunnel_inside_address/ip_address");
    const auto length = number(node, "customer_gateway/tunnel_inside_address/network_cidr", 1, 31);
    if (inside && length) {
      t.customer_gateway_inside = InterfaceAddress{*inside, static_cast<std::uint8_t>(*length)};
      inside_addresses(ours, theirs, t);
    }
    if (t.vpn_gateway_outside && !outside_.insert(*t.vpn_gateway_outside).second) {
      error(theirs.child("tunnel_outside_address"),
            fmt::format("tunnel {}: {} is also another tunnel's outside address; AWS gives each its own: {}", n,
                        t.vpn_gateway_outside->to_string(), kAgain));
    }
    if (const auto life = number(node, "ike/lifetime", 900, 86400)) t.ike_lifetime = Seconds{*life};
    if (const auto life = number(node, "ipsec/lifetime", 60, 86400)) t.child_lifetime = Seconds{*life};
    constexpr const char* kDpd = "ipsec/dead_peer_detection/interval";
    if (node.first_element_by_path(kDpd)) {
      if (const auto v = number(node, kDpd, 1, 3600)) t.dpd_interval = Seconds{*v};
    }
    key(node, c, t);
    crypto_floor(node, n);
    c.tunnels[n] = std::move(t);
  }

  void inside_addresses(const pugi::xml_node& ours, const pugi::xml_node& theirs, const Tunnel& t) {
    const Prefix subnet = t.customer_gateway_inside->subnet();
    const auto at = ours.child("tunnel_inside_address");
    if (reserved_inside(subnet)) {
      error(at,
            fmt::format("tunnel {}: {} is reserved by AWS and cannot be a tunnel's inside CIDR: choose another in AWS",
                        t.number, subnet.to_string()));
    }
    for (const auto& [number, other] : inside_) {
      if (!other.contains(subnet) && !subnet.contains(other)) continue;
      error(at, fmt::format("tunnel {}: inside CIDR {} overlaps that of tunnel {}: choose another in AWS", t.number,
                            subnet.to_string(), number));
    }
    inside_.emplace(t.number, subnet);
    if (!t.vpn_gateway_inside) return;
    const bool same = *t.vpn_gateway_inside == t.customer_gateway_inside->address;
    if (!same && subnet.contains(*t.vpn_gateway_inside)) return;
    error(theirs.child("tunnel_inside_address"),
          fmt::format("tunnel {}: AWS's inside address {} is {} {}: {}", t.number, t.vpn_gateway_inside->to_string(),
                      same ? "also" : "not in", same ? "ours" : subnet.to_string(), kAgain));
  }

  void key(const pugi::xml_node& node, const Connection& c, Tunnel& t) {
    const std::string key = trim(node.child("ike").child_value("pre_shared_key"));
    if (key.empty()) return without_key(c, t);
    const auto fault = key_fault(key);
    if (!fault.empty()) {
      return error(node.first_element_by_path("ike/pre_shared_key"),
                   fmt::format("<pre_shared_key> {}{}", fault, kAnotherKey));
    }
    t.pre_shared_key = fmt::format("{}-tunnel{}", c.id, t.number);
    out_.secrets[t.pre_shared_key] = SecretBytes(std::string_view(key));
  }

  // With certificates, or a key in Secrets Manager, the file has none: what it cannot say is asked for by name.
  void without_key(const Connection& c, Tunnel& t) {
    t.certificate = options_.certificate;
    t.private_key = options_.private_key;
    t.ca_certificate = options_.ca_certificate;
    std::string missing;
    for (const auto& [word, file] : {std::pair("certificate", &t.certificate), std::pair("private-key", &t.private_key),
                                     std::pair("ca-certificate", &t.ca_certificate)}) {
      if (file->empty()) missing += fmt::format("'{} FILE', ", word);
    }
    std::string text = fmt::format(
        "tunnel {}: the file has no pre-shared key, so the connection uses certificates: add {}'remote-identity dn "
        "CN=...' (the subject of AWS's certificate for this tunnel) to its block",
        t.number, missing);
    if (t.certificate.empty()) {
      text += fmt::format(
          "; or its key is in Secrets Manager: fetch it with 'aws secretsmanager get-secret-value', add "
          "'pre-shared-key {0}-tunnel{1}' to the block and a line '{0}-tunnel{1} KEY' to the secrets file",
          c.id, t.number);
    }
    out_.warnings.push_back(std::move(text));
  }

  // The file names the least that AWS accepts, whatever the tunnel options say.
  void crypto_floor(const pugi::xml_node& node, unsigned n) {
    const std::string named = fmt::format("{} {} {}", trim(node.child("ike").child_value("encryption_protocol")),
                                          trim(node.child("ike").child_value("authentication_protocol")),
                                          trim(node.child("ike").child_value("perfect_forward_secrecy")));
    if (named != "aes-128-cbc sha1 group2") {
      out_.warnings.push_back(fmt::format(
          "tunnel {}: the file names {}; if the tunnel options in AWS allow less than the default, set 'ike proposal' "
          "and 'esp proposal' to match",
          n, named));
    }
    if (n == 1) {
      out_.notes.push_back(fmt::format(
          "algorithms: the file's ({}) are AWS's floor; offered are aes256gcm16-prfsha384-ecp384 and -ecp256 for IKE, "
          "aes256gcm16-ecp384 and -ecp256 for ESP",
          named));
    }
  }

  void bgp(const pugi::xml_node& node, const Tunnel& t) {
    const bool ours = static_cast<bool>(node.first_element_by_path("customer_gateway/bgp"));
    const auto their_asn = number(node, "vpn_gateway/bgp/asn", 1, 4294967295U);
    const auto our_asn =
        ours ? number(node, "customer_gateway/bgp/asn", 1, 4294967295U) : std::optional<std::uint32_t>(65000);
    const auto hold = number(node, "vpn_gateway/bgp/hold_time", 3, 65535);
    if (!ours) out_.warnings.push_back("the file has no AS of the customer gateway: 65000 is assumed");
    if (!their_asn || !our_asn || !hold || !t.vpn_gateway_inside) return;
    auto& b = out_.config.bgp;
    if (!b) b = Bgp{.asn = *our_asn, .keepalive = Seconds{*hold / 3}, .hold = Seconds{*hold}};
    if (b->asn != *our_asn)
      error(node.first_element_by_path("customer_gateway/bgp/asn"),
            fmt::format("AS {} here, but {} in the first tunnel: {}", *our_asn, b->asn, kAgain));
    Neighbor n{.address = *t.vpn_gateway_inside, .remote_as = *their_asn};
    n.description = fmt::format("AWS tunnel {}", t.number);
    if (Seconds{*hold} != b->hold) {
      n.hold = Seconds{*hold};
      n.keepalive = Seconds{*hold / 3};
    }
    b->neighbors[n.address] = std::move(n);
  }

  void finish() {
    const Connection& c = out_.config.connections.front();
    if (c.routing == Routing::Dynamic && out_.config.bgp) {
      out_.config.bgp->networks = options_.local_networks;
      out_.notes.push_back(fmt::format("routing: BGP, AS {} to AS {}", out_.config.bgp->asn,
                                       out_.config.bgp->neighbors.begin()->second.remote_as));
      if (options_.local_networks.empty()) {
        out_.warnings.push_back(
            "nothing will be announced to AWS, so nothing comes back: import again with 'local-network A.B.C.D/M', or "
            "add 'network "
            "A.B.C.D/M' under 'address-family ipv4 unicast'");
      }
      if (!options_.vpc_cidrs.empty())
        out_.warnings.push_back("vpc-cidr is not needed with BGP and was left out: the routes are learned");
      return;
    }
    for (const Prefix& p : options_.vpc_cidrs)
      out_.config.static_routes.push_back({.prefix = p, .next_hop = {}, .connection = c.id});
    out_.notes.push_back("routing: static (NoBGPVPNConnection)");
    if (options_.vpc_cidrs.empty()) {
      out_.warnings.push_back(
          fmt::format("the file does not name the VPC's prefixes: import again with 'vpc-cidr A.B.C.D/M', or add 'ip "
                      "route A.B.C.D/M {}'",
                      c.id));
    }
    if (!options_.local_networks.empty()) {
      out_.warnings.push_back(
          "local-network is not announced with static routing: enter these prefixes as static routes of the connection "
          "in AWS");
    }
  }

  bool whole(std::string text) {
    wrong_.push_back({.file = std::string(file_), .text = std::move(text)});
    return false;
  }
  void error(const pugi::xml_node& node, std::string text) {
    error_at(static_cast<std::size_t>(std::max<std::ptrdiff_t>(node.offset_debug(), 0)), std::move(text));
  }
  void error_at(std::size_t offset, std::string text) {
    const auto before = text_.substr(0, std::min(offset, text_.size()));
    const auto line = static_cast<unsigned>(std::ranges::count(before, '\n') + 1);
    const auto start = before.rfind('\n');
    const auto column = static_cast<unsigned>(before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1);
    wrong_.push_back({std::string(file_), line, column, std::move(text)});
  }

  std::string_view text_, file_;
  const ImportOptions& options_;
  pugi::xml_document document_;
  std::set<IpAddress> outside_;
  std::map<unsigned, Prefix> inside_;
  Imported out_;
  Diagnostics wrong_;
};

}  // namespace

Result<Imported, Diagnostics> import_aws_xml(std::string_view text, std::string_view file,
                                             const ImportOptions& options) {
  return Importer(text, file, options).run();
}

}  // namespace cgw::config
