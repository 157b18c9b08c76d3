// AUTH of both sides: by shared key or by signature (RFC 7296 2.15, RFC 7427), and who the peer is.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ipsec/peer_impl.hpp"

namespace cgw::ipsec {
namespace {

std::string configured(const PeerConfig& c) {
  return c.credentials ? "certificates are configured" : "a pre-shared key is configured";
}

}  // namespace

// Our side of RFC 7427 4 and RFC 7296 1.2: the hashes we verify, and for the initiator the CAs we trust.
void IkePeer::Impl::announce_authentication(const IkeSa& sa, Payloads& payloads) const {
  if (!config.credentials) return;
  if (!sa.initiator) payloads.push_back(make_certreq(config.credentials->trust.anchors()));
  // A responder that was not told stays with the older methods.
  if (sa.initiator || sa.peer_hashes)
    payloads.push_back(make_notify(NotifyType::SignatureHashAlgorithms, our_hashes()));
}

void IkePeer::Impl::read_announcement(IkeSa& sa, const Payloads& payloads) const {
  if (const auto n = find_notify(payloads, NotifyType::SignatureHashAlgorithms)) sa.peer_hashes = parse_hashes(n->data);
  sa.wanted = certificates_wanted(payloads);
}

// RFC 7296 2.15: InitiatorSignedOctets = RealMessage1 | NonceRData | MACedIDForI, and the other way round.
Buffer IkePeer::Impl::signed_octets(const IkeSa& sa, bool of_initiator, Bytes id) const {
  const Buffer& message = of_initiator ? sa.init_request : sa.init_response;
  const Buffer& nonce = of_initiator ? sa.nr : sa.ni;
  const SecretBytes& key = of_initiator ? sa.keys.pi : sa.keys.pr;
  const Buffer maced_id = prf(sa.suite.prf, key.view(), id);
  Buffer octets = message;
  octets.insert(octets.end(), nonce.begin(), nonce.end());
  octets.insert(octets.end(), maced_id.begin(), maced_id.end());
  const Buffer intermediate = intermediate_auth(sa);
  octets.insert(octets.end(), intermediate.begin(), intermediate.end());
  return octets;
}

Result<Payload, std::string> IkePeer::Impl::own_auth(const IkeSa& sa, bool with_pss) const {
  const Buffer octets = signed_octets(sa, sa.initiator, id_body(config.local_id));
  if (!config.credentials) return make_auth(AuthMethod::SharedKey, psk_auth(sa.suite.prf, config.psk.view(), octets));
  const SigningKey& key = *config.credentials->key;
  const auto how = choose_signature(key.public_key(), sa.peer_hashes, with_pss);
  if (!how) {
    return fail(
        std::string("the peer announces none of SHA2-256, SHA2-384 and SHA2-512 for signatures "
                    "(SIGNATURE_HASH_ALGORITHMS): there is no way to sign for it"));
  }
  return make_auth(how->method, sign_auth(key, *how, octets));
}

// CERT payloads of ours, as far as the peer needs them.
void IkePeer::Impl::add_certificates(const CertRequest& wanted, Payloads& payloads) const {
  if (!config.credentials) return;
  for (const auto& c : chain_for(wanted, config.credentials->chain))
    payloads.push_back(make_cert(c));
}

std::optional<WallTime> IkePeer::Impl::wall(TimePoint now) const {
  if (!wall_offset) return std::nullopt;
  return WallTime(std::chrono::floor<Seconds>(now.time_since_epoch() + *wall_offset));
}

Result<IkePeer::Impl::Authenticated, std::string> IkePeer::Impl::authenticate(const Context& cx, const IkeSa& sa,
                                                                              const Payloads& payloads) const {
  const auto* id_payload = ipsec::find(payloads, sa.initiator ? PayloadType::IdR : PayloadType::IdI);
  const auto* auth_payload = ipsec::find(payloads, PayloadType::Auth);
  // RFC 7296 2.16: "An initiator indicates a desire to use EAP by leaving out the AUTH payload".
  if (auth_payload == nullptr && !sa.initiator) return fail(fmt::format("the peer leaves out AUTH: it wants {}", kEap));
  const auto id = id_payload == nullptr ? std::nullopt : parse_id(id_payload->body);
  const auto auth = auth_payload == nullptr ? std::nullopt : parse_auth(auth_payload->body);
  if (!id || !auth) return fail(std::string("the peer's IKE_AUTH holds no identity that can be read, or no AUTH"));
  if (!same(*id, config.remote_id)) {
    return fail(fmt::format("the peer says it is '{}', but '{}' is configured ({})", id->to_string(),
                            config.remote_id.to_string(),
                            config.credentials ? "remote-identity" : "vpn-gateway outside-address"));
  }
  const bool fits = config.credentials ? is_signature(auth->method) : auth->method == AuthMethod::SharedKey;
  if (!fits) {
    return fail(
        fmt::format("the peer authenticates by {}, but {}", ipsec::to_string(auth->method), configured(config)));
  }
  const Buffer octets = signed_octets(sa, !sa.initiator, id_payload->body);
  if (config.credentials) return by_certificate(cx, sa, payloads, *auth, octets);
  if (config.psk.empty() || !equal_ct(auth->data, psk_auth(sa.suite.prf, config.psk.view(), octets))) {
    return fail(
        fmt::format("the peer's AUTH does not fit: the pre-shared keys for {} differ", config.remote_id.to_string()));
  }
  return Authenticated{.words = "pre-shared key"};
}

// The identity is the certificate's, the certificate leads to a CA of ours, its key made the signature.
Result<IkePeer::Impl::Authenticated, std::string> IkePeer::Impl::by_certificate(const Context& cx, const IkeSa& sa,
                                                                                const Payloads& payloads,
                                                                                const AuthPayload& auth,
                                                                                Bytes octets) const {
  const auto refused = [&](const std::string& clause) {
    return fail(fmt::format("the peer '{}' is refused: {}", config.remote_id.to_string(), clause));
  };
  const auto certificates = certificates_in(payloads);
  if (!certificates) return refused(certificates.error());
  const Certificate& own = certificates->front();
  const auto now = wall(cx.now);
  if (!now) return refused("the time of day is not known here, so no certificate can be checked");
  const auto key = own.public_key();
  if (!key) return refused(fmt::format("in its certificate '{}' {}", own.subject(), key.error()));
  const auto trusted = config.credentials->trust.verify(own, std::span(*certificates).subspan(1), *now);
  if (!trusted) return refused(trusted.error());
  if (!own.names(config.remote_id)) {
    return refused(fmt::format("its certificate '{}' is not for this identity: it names {}", own.subject(),
                               fmt::join(own.alternative_names(), ", ")));
  }
  if (!own.may_sign())
    return refused(fmt::format("the keyUsage of its certificate '{}' allows no signatures", own.subject()));
  const auto scheme = verify_auth(*key, auth.method, auth.data, octets, sa.peer_hashes);
  if (!scheme) return refused(scheme.error());
  return Authenticated{.words = fmt::format("certificate, {}, {}", key->to_string(), ipsec::to_string(*scheme)),
                       .certificate = own,
                       .scheme = *scheme};
}

void IkePeer::Impl::remember(const Authenticated& who) {
  status.authentication = who.words;
  status.peer_certificate = who.certificate ? who.certificate->subject() : "";
  status.peer_certificate_expires = who.certificate ? std::optional(who.certificate->not_after()) : std::nullopt;
}

void IkePeer::Impl::on(Context& cx, const WallClock& e) {
  wall_offset = e.time.time_since_epoch() - cx.now.time_since_epoch();
}

}  // namespace cgw::ipsec
