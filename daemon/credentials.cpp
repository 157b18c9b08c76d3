#include "daemon/credentials.hpp"

#include <cstring>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/files.hpp"

namespace cgw {
namespace {

using config::Diagnostic;
using config::Diagnostics;
using ipsec::Certificate;
using ipsec::Credentials;
using ipsec::Identity;

std::unexpected<Diagnostics> one(const std::string& file, std::string text) {
  return fail(Diagnostics{Diagnostic{.file = file, .text = std::move(text)}});
}

template <class T>
Result<T, Diagnostics> in_file(const std::string& file, Result<T, std::string> parsed) {
  if (!parsed) return one(file, parsed.error());
  return std::move(*parsed);
}

Result<std::shared_ptr<const ipsec::SigningKey>, Diagnostics> load_key(const std::string& file) {
  CGW_TRY(std::string text, read_file(file, Access::OwnerOnly));
  auto key = ipsec::parse_private_key({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  explicit_bzero(text.data(), text.size());
  return in_file(file, std::move(key));
}

Result<std::shared_ptr<const Credentials>, Diagnostics> load_one(const config::Tunnel& t) {
  CGW_TRY(const std::string own_text, read_file(t.certificate, Access::Anyone));
  CGW_TRY(std::vector<Certificate> own, in_file(t.certificate, ipsec::parse_certificates(own_text, ipsec::kMaxChain)));
  CGW_TRY(auto key, load_key(t.private_key));
  CGW_TRY(const std::string ca_text, read_file(t.ca_certificate, Access::Anyone));
  CGW_TRY(std::vector<Certificate> anchors,
          in_file(t.ca_certificate, ipsec::parse_certificates(ca_text, ipsec::kMaxAnchors)));
  std::vector<ipsec::Crl> crls;
  if (!t.crl.empty()) {
    CGW_TRY(const std::string text, read_file(t.crl, Access::Anyone));
    CGW_TRY(crls, in_file(t.crl, ipsec::parse_crls(text)));
  }
  ipsec::Trust trust(std::move(anchors), std::move(crls));
  CGW_TRY(Credentials c,
          in_file(t.certificate, ipsec::make_credentials(std::move(own), std::move(key), std::move(trust))));
  return std::make_shared<const Credentials>(std::move(c));
}

void warn(const std::string& name, const config::Connection& connection, const Credentials& c, Diagnostics& warnings) {
  const auto add = [&](const std::string& text) {
    warnings.push_back({.text = fmt::format("warning: {}: {}", name, text)});
  };
  for (const auto& line : ipsec::expiry_warnings(c, wall_clock()))
    add(line);
  const auto missing = c.chain.front().missing_for_aws();
  if (connection.target == config::Target::Other || missing.empty()) return;
  add(fmt::format("our certificate '{}' lacks {}: AWS refuses it", c.chain.front().subject(),
                  fmt::join(missing, ", ")));
}

// Both identities can be read, and ours is our certificate's.
Result<void, std::string> check_identities(const config::Tunnel& t, const Credentials* credentials) {
  for (const auto& [word, text] :
       {std::pair("local-identity", &t.local_identity), std::pair("remote-identity", &t.remote_identity)}) {
    if (!*text) continue;
    const auto id = Identity::parse((*text)->kind, (*text)->name);
    if (!id) return fail(fmt::format("{}: {}", word, id.error()));
  }
  if (credentials == nullptr) return {};
  const Certificate& own = credentials->chain.front();
  const Identity id = local_identity(t, credentials, {});
  if (!own.names(id) || id.to_string() == "(empty DN)") {
    return fail(
        fmt::format("our identity '{}' is not in certificate {}: its subject is '{}', its subjectAltNames are "
                    "[{}]; the peer would refuse it",
                    id.to_string(), t.certificate, own.subject(), fmt::join(own.alternative_names(), ", ")));
  }
  return {};
}

}  // namespace

Result<CredentialsByTunnel, Diagnostics> load_credentials(const config::Config& c, Diagnostics& warnings) {
  CredentialsByTunnel out;
  // Tunnels mostly share their files.
  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::shared_ptr<const Credentials>> loaded;
  for (const auto& connection : c.connections) {
    for (const auto& [number, t] : connection.tunnels) {
      const std::string name = fmt::format("vpn connection {} tunnel {}", connection.id, number);
      std::shared_ptr<const Credentials> credentials;
      if (!t.certificate.empty()) {
        auto& shared = loaded[{t.certificate, t.private_key, t.ca_certificate, t.crl}];
        if (!shared) {
          CGW_TRY(shared, load_one(t));
          warn(name, connection, *shared, warnings);
        }
        credentials = out[{connection.id, number}] = shared;
      }
      if (const auto ok = check_identities(t, credentials.get()); !ok)
        return fail(Diagnostics{{.text = fmt::format("{}: {}", name, ok.error())}});
    }
  }
  return out;
}

ipsec::Identity local_identity(const config::Tunnel& t, const Credentials* credentials, const IpAddress& local) {
  if (!t.local_identity) {
    if (credentials != nullptr) return credentials->chain.front().subject_id();
    return Identity::of(t.customer_gateway_outside.value_or(local));
  }
  // Read when the file was loaded.
  Identity id = *Identity::parse(t.local_identity->kind, t.local_identity->name);
  // A subject goes out octet for octet as the certificate has it [RFC 4945 3.1.5].
  if (credentials != nullptr && same(id, credentials->chain.front().subject_id()))
    return credentials->chain.front().subject_id();
  return id;
}

ipsec::Identity remote_identity(const config::Tunnel& t) {
  if (t.remote_identity) return *Identity::parse(t.remote_identity->kind, t.remote_identity->name);
  return Identity::of(t.vpn_gateway_outside.value_or(IpAddress{}));
}

ipsec::WallTime wall_clock() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace cgw
