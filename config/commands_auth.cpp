// Rows of a tunnel block that say by what both sides authenticate, other than a shared key.
#include <fmt/format.h>

#include "config/rows.hpp"

namespace cgw::config {
namespace {

using Lines = std::vector<Rendered>;
using Done = Result<void, std::string>;

template <auto Member>
Done set_file(Config& c, Cursor& at, const Args& a, bool negated) {
  tunnel_at(c, at).*Member = negated ? "" : a[0];
  return {};
}
Lines show_file(std::string_view word, const std::string& file) {
  if (file.empty()) return {};
  return {{fmt::format("{} {}", word, file), {}}};
}
Lines show_certificate(const Config& c, const Cursor& at) {
  return show_file("certificate", tunnel_at(c, at).certificate);
}
Lines show_private_key(const Config& c, const Cursor& at) {
  return show_file("private-key", tunnel_at(c, at).private_key);
}
Lines show_ca_certificate(const Config& c, const Cursor& at) {
  return show_file("ca-certificate", tunnel_at(c, at).ca_certificate);
}
Lines show_crl(const Config& c, const Cursor& at) {
  return show_file("crl", tunnel_at(c, at).crl);
}

// A DN has blanks in it: its words are joined again. What a name may look like is said where the files are read.
template <auto Member>
Done set_identity(Config& c, Cursor& at, const Args& a, bool negated) {
  auto& v = tunnel_at(c, at).*Member;
  v.reset();
  if (negated) return {};
  v = IdentityText{a[0], a[1]};
  for (std::size_t i = 2; i < a.size(); ++i)
    v->name += " " + a[i];
  return {};
}
Lines show_identity(std::string_view word, const std::optional<IdentityText>& v) {
  if (!v) return {};
  return {{fmt::format("{} {} {}", word, v->kind, v->name), {}}};
}
Lines show_local_identity(const Config& c, const Cursor& at) {
  return show_identity("local-identity", tunnel_at(c, at).local_identity);
}
Lines show_remote_identity(const Config& c, const Cursor& at) {
  return show_identity("remote-identity", tunnel_at(c, at).remote_identity);
}

constexpr Command kAuthentication[] = {
    {.mode = Mode::VpnTunnel,
     .pattern = "certificate WORD",
     .help = "Authenticate by certificates instead of a shared key\nFile with our certificate (PEM or DER) and its "
             "intermediate CAs",
     .apply = set_file<&Tunnel::certificate>,
     .render = show_certificate,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "private-key WORD",
     .help = "Private key of our certificate\nFile (PEM, unencrypted, mode 0600)",
     .apply = set_file<&Tunnel::private_key>,
     .render = show_private_key,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "ca-certificate WORD",
     .help = "CAs that the peer's certificate must lead to\nFile (PEM or DER)",
     .apply = set_file<&Tunnel::ca_certificate>,
     .render = show_ca_certificate,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "crl WORD",
     .help = "Revocation lists of these CAs\nFile (PEM or DER)",
     .apply = set_file<&Tunnel::crl>,
     .render = show_crl,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "local-identity {address|dn|email|fqdn} NAME...",
     .help = "Our IKE identity (default: the certificate's subject, or the outside address)\ndn: a certificate's "
             "subject, as CN=vpn.example.com\nThe name itself",
     .apply = set_identity<&Tunnel::local_identity>,
     .render = show_local_identity,
     .negatable = true},
    {.mode = Mode::VpnTunnel,
     .pattern = "remote-identity {address|dn|email|fqdn} NAME...",
     .help = "The peer's IKE identity (default: the outside address)\ndn: a certificate's subject, as "
             "CN=vpn.example.com\nThe name itself",
     .apply = set_identity<&Tunnel::remote_identity>,
     .render = show_remote_identity,
     .negatable = true},
};

}  // namespace

std::span<const Command> authentication_rows() {
  return kAuthentication;
}

}  // namespace cgw::config
