// Tunnel options of AWS -> proposals. AWS takes the lowest that it allows of all that is offered, whatever the order:
// one is offered, the best.
#include <algorithm>
#include <optional>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/note.hpp"
#include "config/import/aws_facts.hpp"

namespace cgw::config {
namespace {

struct Name {
  std::string_view aws, ours;
  bool weak = false;  // RFC 8247, RFC 8221
};

// Best first. For ESP, SHA2-256 comes before longer ones: they cost 8 and 16 octets of every packet.
constexpr Name kEncryption[] = {
    {"AES256-GCM-16", "aes256gcm16"}, {"AES128-GCM-16", "aes128gcm16"}, {"AES256", "aes256"}, {"AES128", "aes128"}};
constexpr Name kIkeIntegrity[] = {
    {"SHA2-384", "sha384"}, {"SHA2-512", "sha512"}, {"SHA2-256", "sha256"}, {"SHA1", "sha1", true}};
constexpr Name kEspIntegrity[] = {
    {"SHA2-256", "sha256"}, {"SHA2-384", "sha384"}, {"SHA2-512", "sha512"}, {"SHA1", "sha1", true}};
constexpr Name kGroups[] = {{"20", "ecp384"},
                            {"21", "ecp521"},
                            {"19", "ecp256"},
                            {"16", "modp4096"},
                            {"15", "modp3072"},
                            {"17", "modp6144"},
                            {"18", "modp8192"},
                            {"14", "modp2048"},
                            {"24", "modp2048s256", true},
                            {"23", "modp2048s224", true},
                            {"22", "modp1024s160", true},
                            {"5", "modp1536", true},
                            {"2", "modp1024", true}};

class Chooser {
 public:
  Chooser(const TunnelOptions& options, std::string_view label) : options_(options), label_(label) {}

  Proposals run() {
    const auto& o = options_;
    if (!o.ike_encryption.empty() || !o.ike_integrity.empty() || !o.ike_groups.empty()) {
      out_.ike = suite("IKE", choice(o.ike_encryption, kEncryption), choice(o.ike_integrity, kIkeIntegrity),
                       choice(o.ike_groups, kGroups), "-prf");
    }
    if (!o.esp_encryption.empty() || !o.esp_integrity.empty() || !o.esp_groups.empty()) {
      out_.esp = suite("ESP", choice(o.esp_encryption, kEncryption), choice(o.esp_integrity, kEspIntegrity),
                       choice(o.esp_groups, kGroups), {});
    }
    return std::move(out_);
  }

 private:
  // The best of a table that a list allows; a list without one known word allows nothing.
  const Name* choice(const std::vector<Field>& allowed, std::span<const Name> table) {
    for (const Field& f : allowed) {
      if (std::ranges::find(table, f.text, &Name::aws) != table.end()) continue;
      out_.warnings.push_back(
          fmt::format("{}: {} '{}' is not known and was left out", label_, f.name, printable(f.text, 40)));
    }
    const auto best = std::ranges::find_if(table, [&](const Name& n) {
      return allowed.empty() || std::ranges::find(allowed, n.aws, &Field::text) != allowed.end();
    });
    return best == table.end() ? nullptr : &*best;
  }

  // prf: what stands before the integrity's name where the cipher has integrity of its own; empty: no such word.
  std::string suite(std::string_view of, const Name* encryption, const Name* integrity, const Name* group,
                    std::string_view prf) {
    if (encryption == nullptr || integrity == nullptr || group == nullptr) {
      out_.warnings.push_back(fmt::format(
          "{}: the tunnel options allow no algorithm for {} that is known here; the default is offered", label_, of));
      return {};
    }
    std::string text(encryption->ours);
    const bool gcm = text.ends_with("gcm16");
    if (!gcm) text += fmt::format("-{}", integrity->ours);
    if (gcm && !prf.empty()) text += fmt::format("{}{}", prf, integrity->ours);
    text += fmt::format("-{}", group->ours);
    const bool sha = integrity->weak && (!gcm || !prf.empty());
    if (sha || group->weak) {
      out_.warnings.push_back(
          fmt::format("{}: the tunnel options allow nothing better than {} for {}, which is weak: allow SHA2-384 and "
                      "group 20 in AWS",
                      label_, text, of));
    }
    return text;
  }

  const TunnelOptions& options_;
  std::string_view label_;
  Proposals out_;
};

}  // namespace

Proposals proposals_of(const TunnelOptions& options, std::string_view label) {
  return Chooser(options, label).run();
}

}  // namespace cgw::config
