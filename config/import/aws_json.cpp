// `aws ec2 describe-vpn-connections`: the connections of an answer, each with the XML that holds its keys and
// addresses.
#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/note.hpp"
#include "config/import/aws_json_options.hpp"

namespace cgw::config {
namespace {

constexpr std::string_view kXml = "CustomerGatewayConfiguration";
constexpr std::string_view kOfConnection[] = {"category",
                                              "customergatewayconfiguration",
                                              "customergatewayid",
                                              "vpngatewayid",
                                              "transitgatewayid",
                                              "corenetworkarn",
                                              "corenetworkattachmentarn",
                                              "vpnconcentratorid",
                                              "gatewayassociationstate",
                                              "options",
                                              "routes",
                                              "state",
                                              "tags",
                                              "type",
                                              "presharedkeyarn",
                                              "vgwtelemetry",
                                              "vpnconnectionid"};
constexpr std::string_view kOfOptions[] = {"staticroutesonly",     "localipv4networkcidr",  "remoteipv4networkcidr",
                                           "localipv6networkcidr", "remoteipv6networkcidr", "tunnelinsideipversion",
                                           "outsideipaddresstype", "enableacceleration",    "tunneloptions"};

class Reader {
 public:
  Reader(const Source& source, const ImportOptions& options, Facts& out, Complaints& wrong)
      : source_(source),
        options_(options),
        out_(out),
        wrong_(wrong) {}

  void run() {
    const auto root = parse_json(source_, wrong_);
    if (!root) return;
    if (root->kind == JsonNode::Kind::String) {
      auto& c = out_.connections.emplace_back();
      return xml(*root, c);
    }
    std::vector<const JsonNode*> all;
    if (!collect(*root, all)) {
      return wrong_.at(source_.spot(root->offset),
                       "is JSON, but no answer of 'aws ec2 describe-vpn-connections': member VpnConnections, or "
                       "VpnConnectionId and CustomerGatewayConfiguration, is expected");
    }
    for (const JsonNode* node : all)
      one(*node);
    if (out_.connections.empty() && wrong_.none()) none_taken(*root);
  }

 private:
  // The answer of describe-, of create- or modify-vpn-connection, a list, or one connection.
  static bool collect(const JsonNode& root, std::vector<const JsonNode*>& out) {
    const JsonNode* list = root.kind == JsonNode::Kind::Array ? &root : member(root, "vpnconnections");
    if (list != nullptr && list->kind == JsonNode::Kind::Array) {
      for (const auto& item : list->items)
        out.push_back(&item);
      return true;
    }
    const JsonNode* single = member(root, "vpnconnection");
    if (single == nullptr) single = &root;
    if (member(*single, "vpnconnectionid") == nullptr && member(*single, lower(kXml)) == nullptr) return false;
    out.push_back(single);
    return true;
  }

  void one(const JsonNode& node) {
    const std::string id = text_of(node, "vpnconnectionid"), state = text_of(node, "state");
    seen_.push_back(id.empty() ? "one without an id" : printable(id, 40));
    if (!options_.connection.empty() && id != options_.connection) return;
    if (state == "deleted" || state == "deleting") {
      const auto text = fmt::format("{} is {} in AWS and was left out", printable(id, 40), state);
      if (options_.connection.empty()) return out_.notes.push_back(text);
      return wrong_.at(source_.spot(node.offset), text);
    }
    const JsonNode* document = member(node, lower(kXml));
    if (document == nullptr || document->kind != JsonNode::Kind::String || trim(document->text).empty()) {
      return wrong_.at(source_.spot(node.offset),
                       fmt::format("{} has no {}: AWS gives it while the state is 'pending' or 'available', and to who "
                                   "may call ec2:DescribeVpnConnections; ask again then",
                                   id.empty() ? "the connection" : printable(id, 40), kXml));
    }
    ConnectionFacts c;
    xml(*document, c);
    if (!c.id.said()) return out_.connections.push_back(std::move(c));
    if (!id.empty() && id != c.id.text) {
      wrong_.at(source_.spot(node.offset), fmt::format("{} is of {} here, of {} in it: the file was edited", kXml,
                                                       printable(id, 40), printable(c.id.text, 40)));
    }
    described(node, c);
    out_.connections.push_back(std::move(c));
  }

  void xml(const JsonNode& node, ConnectionFacts& c) {
    read_xml(Source::inside(node.text, source_.spot(node.offset), std::string(kXml)), c, wrong_);
  }

  void described(const JsonNode& node, ConnectionFacts& c) {
    target(node, c);
    c.key_arn = text_of(node, "presharedkeyarn");
    unknown_members(node, kOfConnection, c.left);
    if (const JsonNode* routes = member(node, "routes")) {
      for (const auto& route : routes->items)
        if (const auto p = Prefix::parse(text_of(route, "destinationcidrblock"));
            p && text_of(route, "state") != "deleted")
          c.routes.push_back(p->to_string());
    }
    if (const JsonNode* o = member(node, "options")) {
      unknown_members(*o, kOfOptions, c.left);
      connection_options(*o, c);
      if (const JsonNode* tunnels = member(*o, "tunneloptions")) read_tunnel_options(source_, *tunnels, c, wrong_);
    }
    if (const JsonNode* telemetry = member(node, "vgwtelemetry")) certificates(*telemetry, c);
  }

  void target(const JsonNode& node, ConnectionFacts& c) {
    for (const auto& [name, what] :
         {std::pair("vpngatewayid", Target::Vgw), std::pair("transitgatewayid", Target::Tgw),
          std::pair("vpnconcentratorid", Target::Other), std::pair("corenetworkarn", Target::Other)}) {
      const JsonNode* id = member(node, name);
      if (id == nullptr || id->text.empty()) continue;
      c.target = what;
      const auto slash = id->text.rfind('/');  // of an ARN
      c.gateway = {slash == std::string::npos ? id->text : id->text.substr(slash + 1), name, source_.spot(id->offset)};
      return;
    }
  }

  void connection_options(const JsonNode& o, ConnectionFacts& c) {
    c.marked_static = c.marked_static || text_of(o, "staticroutesonly") == "true";
    const auto ours = Prefix::parse(text_of(o, "localipv4networkcidr"));
    const auto theirs = Prefix::parse(text_of(o, "remoteipv4networkcidr"));
    if (theirs && !theirs->is_default()) c.behind_aws.push_back(*theirs);
    if ((ours && !ours->is_default()) || (theirs && !theirs->is_default())) {
      c.notes.push_back(fmt::format(
          "AWS narrows the traffic selectors to {} (here) and {} (AWS): cgwd proposes all of IPv4 and takes what AWS "
          "makes of it; 'aws ec2 modify-vpn-connection-options' sets both to 0.0.0.0/0",
          ours ? ours->to_string() : "0.0.0.0/0", theirs ? theirs->to_string() : "0.0.0.0/0"));
    }
    if (text_of(o, "tunnelinsideipversion") == "ipv6")
      c.warnings.push_back("the tunnels carry IPv6, which this import does not do: only the IPv4 addresses were taken");
    if (text_of(o, "enableacceleration") == "true") {
      c.notes.push_back(
          "accelerated: AWS demands NAT traversal, and only this side may initiate; let UDP 4500 through");
    }
    if (text_of(o, "outsideipaddresstype") == "PrivateIpv4")
      c.notes.push_back("outside addresses are private: the tunnels run over Direct Connect");
  }

  static void certificates(const JsonNode& telemetry, ConnectionFacts& c) {
    for (const auto& entry : telemetry.items) {
      const std::string arn = text_of(entry, "certificatearn");
      TunnelFacts* t = by_outside(c, text_of(entry, "outsideipaddress"));
      if (arn.empty() || t == nullptr) continue;
      t->certificate_arn = arn;
      c.certificates = true;
    }
  }

  void none_taken(const JsonNode& root) {
    if (!options_.connection.empty()) {
      return wrong_.at(source_.spot(root.offset),
                       fmt::format("{} is not in it; there are: {}", printable(options_.connection, 40),
                                   seen_.empty() ? "none" : fmt::format("{}", fmt::join(seen_, ", "))));
    }
    wrong_.at(source_.spot(root.offset),
              fmt::format("holds no connection to import ({})",
                          out_.notes.empty() ? "VpnConnections is empty" : out_.notes.front()));
  }

  const Source& source_;
  const ImportOptions& options_;
  Facts& out_;
  Complaints& wrong_;
  std::vector<std::string> seen_;
};

}  // namespace

void read_json(const Source& source, const ImportOptions& options, Facts& out, Complaints& wrong) {
  Reader(source, options, out, wrong).run();
}

}  // namespace cgw::config
