// AWS's CustomerGatewayConfiguration: <vpn_connection> and two <ipsec_tunnel>.
#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "base/note.hpp"
#include "config/import/aws_facts.hpp"

namespace cgw::config {
namespace {

constexpr std::string_view kOfConnection[] = {"customer_gateway_id", "vpn_gateway_id", "vpn_connection_type",
                                              "vpn_connection_attributes", "ipsec_tunnel"};
constexpr std::string_view kOfTunnel[] = {"customer_gateway", "vpn_gateway", "ike", "ipsec"};
constexpr std::string_view kOfSide[] = {"tunnel_outside_address", "tunnel_inside_address", "bgp"};

class Reader {
 public:
  Reader(const Source& source, ConnectionFacts& out, Complaints& wrong) : source_(source), out_(out), wrong_(wrong) {}

  void run() {
    if (!no_entities() || !load()) return;
    const auto root = document_.child("vpn_connection");
    if (!root) {
      const auto first = document_.document_element();
      return wrong_.at(at(first),
                       fmt::format("the outermost element is <{}>; AWS's customer gateway configuration begins with "
                                   "<vpn_connection>: use the XML, not the text for another vendor",
                                   printable(first.name())));
    }
    if (const auto second = root.next_sibling("vpn_connection"))
      wrong_.at(at(second), "a second <vpn_connection>: import each connection from a file of its own");
    connection(root);
  }

 private:
  bool no_entities() {
    for (const std::string_view bad : {"<!DOCTYPE", "<!ENTITY"}) {
      const auto found = source_.text().find(bad);
      if (found == std::string_view::npos) continue;
      wrong_.at(source_.spot(found), fmt::format("{} is refused: AWS's file has none; download it again", bad));
      return false;
    }
    return true;
  }

  bool load() {
    const auto text = source_.text();
    const auto result = document_.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8);
    if (result) return true;
    if (result.status == pugi::status_no_document_element) {
      wrong_.at(source_.embedded() ? source_.spot(0) : Spot{},
                "holds no XML element: it is not AWS's XML file (choose vendor 'Generic', or member "
                "CustomerGatewayConfiguration of 'aws ec2 describe-vpn-connections')");
    } else {
      wrong_.at(source_.spot(static_cast<std::size_t>(std::max<std::ptrdiff_t>(result.offset, 0))),
                fmt::format("not well-formed XML ({}): the file is truncated or damaged; download it again",
                            result.description()));
    }
    return false;
  }

  void connection(const pugi::xml_node& root) {
    out_.name = "<vpn_connection>";
    out_.tunnel_name = "<ipsec_tunnel>";
    out_.at = at(root);
    out_.id = {trim(root.attribute("id").value()), "id", out_.at};
    out_.customer_gateway = field(root, "customer_gateway_id");
    out_.gateway = field(root, "vpn_gateway_id");
    out_.marked_static = trim(root.child_value("vpn_connection_attributes")) == "NoBGPVPNConnection";
    unknown(root, kOfConnection);
    for (const auto& node : root.children("ipsec_tunnel")) {
      if (out_.tunnels.size() > kMaxTunnels) break;
      tunnel(node);
    }
  }

  void tunnel(const pugi::xml_node& node) {
    TunnelFacts& t = out_.tunnels.emplace_back();
    t.name = out_.tunnel_name;
    const auto ours = node.child("customer_gateway"), theirs = node.child("vpn_gateway");
    t.our_outside = field(node, "customer_gateway/tunnel_outside_address/ip_address");
    t.their_outside = field(node, "vpn_gateway/tunnel_outside_address/ip_address");
    t.their_inside = field(node, "vpn_gateway/tunnel_inside_address/ip_address");
    t.our_inside = field(node, "customer_gateway/tunnel_inside_address/ip_address");
    t.inside_length = field(node, "customer_gateway/tunnel_inside_address/network_cidr");
    t.their_outside_at = at(theirs.child("tunnel_outside_address"));
    t.our_inside_at = at(ours.child("tunnel_inside_address"));
    t.their_inside_at = at(theirs.child("tunnel_inside_address"));
    t.our_bgp = static_cast<bool>(ours.child("bgp"));
    t.bgp = t.our_bgp || theirs.child("bgp");
    t.our_asn = field(node, "customer_gateway/bgp/asn");
    t.their_asn = field(node, "vpn_gateway/bgp/asn");
    t.hold_time = field(node, "vpn_gateway/bgp/hold_time");
    t.ike_lifetime = field(node, "ike/lifetime");
    t.esp_lifetime = field(node, "ipsec/lifetime");
    t.dpd_interval = field(node, "ipsec/dead_peer_detection/interval");
    t.key = {trim(node.child("ike").child_value("pre_shared_key")), "<pre_shared_key>",
             field(node, "ike/pre_shared_key").at};
    t.floor = fmt::format("{} {} {}", trim(node.child("ike").child_value("encryption_protocol")),
                          trim(node.child("ike").child_value("authentication_protocol")),
                          trim(node.child("ike").child_value("perfect_forward_secrecy")));
    unknown(node, kOfTunnel);
    unknown(ours, kOfSide);
    unknown(theirs, kOfSide);
  }

  // Named once each, however often they stand there.
  void unknown(const pugi::xml_node& node, std::span<const std::string_view> known) {
    for (const auto& child : node.children()) {
      if (child.type() != pugi::node_element || std::ranges::find(known, child.name()) != known.end()) continue;
      const std::string name = fmt::format("<{}>", printable(child.name(), 40));
      if (out_.left.size() < 20 && std::ranges::find(out_.left, name) == out_.left.end()) out_.left.push_back(name);
    }
  }

  // The text of an element at a path.
  Field field(const pugi::xml_node& from, const char* path) const {
    const auto node = from.first_element_by_path(path);
    return {trim(node.child_value()), fmt::format("<{}>", path), at(node ? node : from)};
  }

  Spot at(const pugi::xml_node& node) const {
    return source_.spot(static_cast<std::size_t>(std::max<std::ptrdiff_t>(node.offset_debug(), 0)));
  }

  const Source& source_;
  ConnectionFacts& out_;
  Complaints& wrong_;
  pugi::xml_document document_;
};

}  // namespace

void read_xml(const Source& source, ConnectionFacts& out, Complaints& wrong) {
  Reader(source, out, wrong).run();
}

}  // namespace cgw::config
