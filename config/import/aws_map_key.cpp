// Keys and algorithms of a tunnel that AWS describes.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/note.hpp"
#include "config/import/aws_map.hpp"
#include "config/import/aws_rules.hpp"

namespace cgw::config {
namespace {

constexpr std::string_view kAnotherKey =
    ": set another key in AWS (modify the tunnel options) and download the file again";

// "'certificate FILE', 'private-key FILE', " of what was not given.
std::string missing_files(const Tunnel& t) {
  std::string missing;
  for (const auto& [word, file] : {std::pair("certificate", &t.certificate), std::pair("private-key", &t.private_key),
                                   std::pair("ca-certificate", &t.ca_certificate)}) {
    if (file->empty()) missing += fmt::format("'{} FILE', ", word);
  }
  return missing;
}

// The key is known to be in Secrets Manager: the configuration names it, the secrets file wants it.
void key_elsewhere(Mapping& m, const ConnectionFacts& facts, const Connection& c, Tunnel& t) {
  t.pre_shared_key = fmt::format("{}-tunnel{}", c.id, t.number);
  m.out.warnings.push_back(fmt::format(
      "{0}: its key is in Secrets Manager: fetch it with 'aws secretsmanager get-secret-value --secret-id {1}' and add "
      "a line '{2} KEY' to the secrets file",
      m.label(c, t.number), printable(facts.key_arn), t.pre_shared_key));
}

// With certificates, or a key in Secrets Manager, the file has none: what it cannot say is asked for by name.
void without_key(Mapping& m, const ConnectionFacts& facts, const TunnelFacts& from, const Connection& c, Tunnel& t) {
  t.certificate = m.options.certificate;
  t.private_key = m.options.private_key;
  t.ca_certificate = m.options.ca_certificate;
  const std::string subject = from.certificate_arn.empty()
                                  ? "the subject of AWS's certificate for this tunnel"
                                  : fmt::format(
                                        "the subject that 'aws acm describe-certificate --certificate-arn {} --query "
                                        "Certificate.Subject' tells",
                                        printable(from.certificate_arn));
  std::string text = fmt::format(
      "{}: the file has no pre-shared key, so the connection uses certificates: add {}'remote-identity dn CN=...' ({}) "
      "to its block",
      m.label(c, t.number), missing_files(t), subject);
  if (t.certificate.empty() && from.certificate_arn.empty()) {
    text += fmt::format(
        "; or its key is in Secrets Manager: fetch it with 'aws secretsmanager get-secret-value', add 'pre-shared-key "
        "{0}-tunnel{1}' to the block and a line '{0}-tunnel{1} KEY' to the secrets file",
        c.id, t.number);
  }
  if (facts.certificates && t.certificate.empty()) text += "; docs/certificates.md tells how to make them";
  m.out.warnings.push_back(std::move(text));
}

// cgwd speaks IKEv2 alone.
void ike_version(Mapping& m, const TunnelFacts& from, const Connection& c, const Tunnel& t) {
  const auto& allowed = from.options ? from.options->ike_versions : std::vector<Field>{};
  if (allowed.empty() || std::ranges::find(allowed, "ikev2", &Field::text) != allowed.end()) return;
  m.out.warnings.push_back(fmt::format(
      "{0}: AWS allows IKEv1 only, and cgwd speaks IKEv2: allow it with 'aws ec2 modify-vpn-tunnel-options "
      "--vpn-connection-id {1} --vpn-tunnel-outside-ip-address {2} --tunnel-options IKEVersions=[{{Value=ikev2}}]' "
      "(interrupts this tunnel for some minutes)",
      m.label(c, t.number), c.id, t.vpn_gateway_outside ? t.vpn_gateway_outside->to_string() : "ADDRESS"));
}

// The file names the least that AWS accepts, whatever the tunnel options say.
void by_floor(Mapping& m, const TunnelFacts& from, const Connection& c, const Tunnel& t, bool first) {
  if (!from.floor.empty() && from.floor != "aes-128-cbc sha1 group2") {
    m.out.warnings.push_back(fmt::format(
        "{}: the file names {}; if the tunnel options in AWS allow less than the default, set 'ike proposal' and 'esp "
        "proposal' to match",
        m.label(c, t.number), printable(from.floor)));
  }
  if (!first) return;
  const auto floor =
      from.floor.empty() ? std::string() : fmt::format("the file's ({}) are AWS's floor; ", printable(from.floor));
  m.note(c,
         fmt::format("algorithms: {}offered are aes256gcm16-prfsha384-ecp384 and -ecp256 for IKE, aes256gcm16-ecp384 "
                     "and -ecp256 for ESP",
                     floor));
}

}  // namespace

void map_key(Mapping& m, const ConnectionFacts& facts, const TunnelFacts& from, const Connection& c, Tunnel& t) {
  const std::string& key = from.key.text;
  if (key.empty() && !facts.key_arn.empty()) return key_elsewhere(m, facts, c, t);
  // One way for all tunnels of a connection: another's key means that this one's is lost.
  const bool others = std::ranges::any_of(facts.tunnels, [](const TunnelFacts& o) { return o.key.said(); });
  if (key.empty() && others) {
    return m.wrong.at(from.key.at, fmt::format("{} is missing or empty in {}, another tunnel has one: {}",
                                               from.key.name, from.name, kAgain));
  }
  if (key.empty()) return without_key(m, facts, from, c, t);
  if (const auto fault = key_fault(key); !fault.empty())
    return m.wrong.at(from.key.at, fmt::format("{} {}{}", from.key.name, fault, kAnotherKey));
  t.pre_shared_key = fmt::format("{}-tunnel{}", c.id, t.number);
  m.out.secrets[t.pre_shared_key] = SecretBytes(std::string_view(key));
}

void map_algorithms(Mapping& m, const TunnelFacts& from, const Connection& c, Tunnel& t, bool first) {
  ike_version(m, from, c, t);
  if (first && from.ike_version == "ikev1") {
    m.note(
        c,
        "the file is AWS's edition for IKEv1; cgwd speaks IKEv2, which AWS takes unless the tunnel options forbid it");
  }
  auto chosen = from.options ? proposals_of(*from.options, m.label(c, t.number)) : Proposals{};
  if (!chosen.ike.empty()) t.ike_proposals = {chosen.ike};
  if (!chosen.esp.empty()) t.esp_proposals = {chosen.esp};
  for (auto& w : chosen.warnings)
    m.out.warnings.push_back(std::move(w));
  if (chosen.ike.empty() && chosen.esp.empty()) return by_floor(m, from, c, t, first);
  const std::string_view kDefault = "cgwd's default";
  m.out.notes.push_back(fmt::format("{}: algorithms by the tunnel options: IKE {}, ESP {}", m.label(c, t.number),
                                    chosen.ike.empty() ? kDefault : chosen.ike,
                                    chosen.esp.empty() ? kDefault : chosen.esp));
}

}  // namespace cgw::config
