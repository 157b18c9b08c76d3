#include <doctest/doctest.h>

#include "ipsec/demux.hpp"
#include "ipsec/sa_payload.hpp"
#include "tests/support/peer_pair.hpp"

namespace cgw {
namespace {

using namespace ipsec;

const Endpoint kPeer{*IpAddress::parse("198.51.100.2"), 500}, kUs{*IpAddress::parse("203.0.113.10"), 500};

// Counts what is asked of it: each key exchange is one that an attacker made us pay.
class CountingEntropy final : public Entropy {
 public:
  void fill(std::span<std::uint8_t> out) override { sim_.fill(out); }
  std::unique_ptr<KeyExchange> new_key_exchange(DhGroup group) override {
    ++exchanges;
    return sim_.new_key_exchange(group);
  }
  int exchanges = 0;

 private:
  test::SimEntropy sim_{1};
};

Received message(Header h, const Payloads& payloads, Endpoint from = kPeer) {
  Buffer chain;
  h.first = write_chain(payloads, chain);
  h.length = static_cast<std::uint32_t>(kHeaderOctets + chain.size());
  Received r{.local = kUs, .remote = from, .message = {}};
  write_header(h, r.message);
  r.message.insert(r.message.end(), chain.begin(), chain.end());
  return r;
}

Header init_header(std::uint64_t spi) {
  return {.spi_i = spi, .exchange = Exchange::IkeSaInit, .initiator = true};
}

Payloads init_payloads(const Buffer& cookie = {}, std::size_t ke_octets = 96) {
  Payloads p;
  if (!cookie.empty()) p.push_back(make_notify(NotifyType::Cookie, cookie));
  p.push_back(offer(default_ike_proposals(), Bytes{}));
  Payload ke{PayloadType::Ke, false, {0, 20, 0, 0}};
  ke.body.resize(4 + ke_octets, 7);
  p.push_back(std::move(ke));
  p.push_back({PayloadType::Nonce, false, Buffer(32, 9)});
  return p;
}

// A demultiplexer before one peer that waits.
struct Door {
  Door() : peer(config(), entropy) {
    peer.step(now, Start{});
    peers.set(1, &peer);
  }
  static PeerConfig config() { return test::right_peer(); }

  Demux::Verdict sort(const Received& r) { return demux.sort(now, r, peers); }
  // As the gateway does: sorted, and delivered if it is to be.
  Demux::Verdict receive(const Received& r) {
    auto v = sort(r);
    if (std::holds_alternative<Demux::Deliver>(v)) answers = peer.step(now, r);
    return v;
  }
  void fill_half_open(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
      receive(message(init_header(++spi), init_payloads()));
  }

  CountingEntropy entropy;
  TimePoint now{Seconds{1000}};
  IkePeer peer;
  PeerTable peers;
  Demux demux{entropy};
  Actions answers;
  std::uint64_t spi = 100;
};

std::optional<Notify> notify_in(const Demux::Verdict& v, NotifyType type) {
  const auto* a = std::get_if<Demux::Answer>(&v);
  const auto* d = a != nullptr ? &a->datagram : nullptr;
  if (d == nullptr) return std::nullopt;
  const auto h = parse_header(d->message);
  const auto chain = parse_chain(h->first, Bytes(d->message).subspan(kHeaderOctets));
  return chain ? find_notify(chain->payloads, type) : std::nullopt;
}

bool delivered(const Demux::Verdict& v) {
  return std::holds_alternative<Demux::Deliver>(v);
}

}  // namespace

TEST_SUITE_BEGIN("ipsec/demux");

TEST_CASE("IKE_SA_INIT from a configured address goes to its peer; from anywhere else it costs nothing") {
  Door d;
  CHECK(delivered(d.receive(message(init_header(1), init_payloads()))));
  CHECK(d.entropy.exchanges == 1);
  const Endpoint stranger{*IpAddress::parse("192.0.2.66"), 500};
  CHECK(std::get<Demux::Ignore>(d.receive(message(init_header(2), init_payloads(), stranger))).why ==
        "no tunnel has this outside address");
  CHECK(d.entropy.exchanges == 1);
  CHECK(d.peer.half_open() == 1);
}

TEST_CASE("from the third half-open IKE SA on a COOKIE is demanded, without state or Diffie-Hellman [RFC 7296 2.6]") {
  Door d;
  d.fill_half_open(2);
  REQUIRE(d.peer.half_open() == 2);
  const int before = d.entropy.exchanges;
  const auto v = d.receive(message(init_header(7), init_payloads()));
  const auto cookie = notify_in(v, NotifyType::Cookie);
  REQUIRE(cookie);
  CHECK(cookie->data.size() <= 64);
  CHECK(d.peer.half_open() == 2);
  CHECK(d.entropy.exchanges == before);
  const auto h = parse_header(std::get<Demux::Answer>(v).datagram.message);
  CHECK(h->response);
  CHECK_FALSE(h->initiator);
  CHECK(h->spi_i == 7);
  CHECK(h->spi_r == 0);
  SUBCASE("with it the request is taken") {
    CHECK(delivered(d.receive(message(init_header(7), init_payloads(cookie->data)))));
    CHECK(d.peer.half_open() == 3);
  }
  SUBCASE("another's is of no use") {
    CHECK(notify_in(d.receive(message(init_header(8), init_payloads(cookie->data))), NotifyType::Cookie));
    Buffer forged = cookie->data;
    forged.back() ^= 1;
    CHECK(notify_in(d.receive(message(init_header(7), init_payloads(forged))), NotifyType::Cookie));
    CHECK(d.peer.half_open() == 2);
  }
  SUBCASE("it is good for a minute at least and two at most") {
    d.now += Seconds{60};
    CHECK(delivered(d.sort(message(init_header(7), init_payloads(cookie->data)))));
    d.now += Seconds{60};
    CHECK_FALSE(delivered(d.sort(message(init_header(7), init_payloads(cookie->data)))));
  }
}

TEST_CASE("a repeated IKE_SA_INIT gets its answer again without a COOKIE [RFC 7296 2.1]") {
  Door d;
  d.fill_half_open(2);
  const auto first = message(init_header(101), init_payloads());
  CHECK(delivered(d.receive(first)));
  REQUIRE(d.answers.size() == 1);
  CHECK(std::get<SendDatagram>(d.answers[0]).remote == kPeer);
  CHECK(d.peer.half_open() == 2);
}

TEST_CASE("half-open IKE SAs of one peer are bounded: the oldest makes room, and all end after 30 s") {
  Door d;
  for (std::uint64_t spi = 1; spi <= 20; ++spi) {
    const auto v = d.receive(message(init_header(spi), init_payloads()));
    if (const auto c = notify_in(v, NotifyType::Cookie)) {
      CHECK(delivered(d.receive(message(init_header(spi), init_payloads(c->data)))));
    }
    d.now += Millis{200};
  }
  CHECK(d.peer.half_open() == 4);
  CHECK(d.peer.repeats_init(message(init_header(1), init_payloads()).message) == false);
  d.now += Seconds{30};
  d.peer.step(d.now, Tick{});
  CHECK(d.peer.half_open() == 0);
}

TEST_CASE("one address gets ten Diffie-Hellmans a second and no more") {
  Door d;
  std::size_t taken = 0;
  for (std::uint64_t spi = 1; spi <= 50; ++spi) {
    auto v = d.receive(message(init_header(spi), init_payloads()));
    if (const auto c = notify_in(v, NotifyType::Cookie)) {
      v = d.receive(message(init_header(spi), init_payloads(c->data)));
    }
    taken += delivered(v) ? 1 : 0;
  }
  CHECK(taken == 10);
  CHECK(d.entropy.exchanges == 10);
  d.now += Millis{100};
  const auto c = notify_in(d.receive(message(init_header(60), init_payloads())), NotifyType::Cookie);
  REQUIRE(c);
  CHECK(delivered(d.receive(message(init_header(60), init_payloads(c->data)))));
}

TEST_CASE("a key exchange value of the wrong size is not worth a key of ours") {
  Door d;
  d.receive(message(init_header(1), init_payloads({}, 95)));
  CHECK(d.entropy.exchanges == 0);
  CHECK(d.peer.half_open() == 0);
}

TEST_CASE("a request of an unknown IKE SA is answered INVALID_IKE_SPI, ten times a second [RFC 7296 1.5]") {
  Door d;
  const Header h{.spi_i = 5, .spi_r = 6, .exchange = Exchange::Informational, .initiator = true, .message_id = 77};
  const Received r = message(h, {{PayloadType::Sk, false, Buffer(40, 1)}});
  const auto v = d.sort(r);
  REQUIRE(notify_in(v, NotifyType::InvalidIkeSpi));
  CHECK(std::get<Demux::Answer>(v).from == 1U);  // it is there
  const auto out = *parse_header(std::get<Demux::Answer>(v).datagram.message);
  CHECK(out.spi_i == 5);
  CHECK(out.spi_r == 6);
  CHECK(out.message_id == 77);
  CHECK(out.response);
  CHECK_FALSE(out.initiator);
  CHECK(std::get<Demux::Answer>(v).datagram.remote == kPeer);
  int answered = 1;
  for (int i = 0; i < 30; ++i)
    answered += std::holds_alternative<Demux::Answer>(d.sort(r)) ? 1 : 0;
  CHECK(answered == 10);
  d.now += Seconds{1};
  CHECK(std::holds_alternative<Demux::Answer>(d.sort(r)));
}

TEST_CASE("a response of an unknown IKE SA, and a stranger's request, are not answered") {
  Door d;
  Header h{.spi_i = 5, .spi_r = 6, .exchange = Exchange::Informational, .response = true};
  const auto response = d.sort(message(h, {{PayloadType::Sk, false, Buffer(40, 1)}}));
  REQUIRE(std::holds_alternative<Demux::Ignore>(response));
  CHECK(std::get<Demux::Ignore>(response).from == 1U);  // but it is there
  h.response = false;
  const Endpoint stranger{*IpAddress::parse("192.0.2.66"), 500};
  const auto v = d.sort(message(h, {{PayloadType::Sk, false, Buffer(40, 1)}}, stranger));
  REQUIRE(std::holds_alternative<Demux::Ignore>(v));
  CHECK(std::get<Demux::Ignore>(v).from == std::nullopt);
}

TEST_CASE("INVALID_SPI outside of any IKE SA is a hint, never answered [RFC 7296 1.5]") {
  Door d;
  const Header h{.exchange = Exchange::Informational, .initiator = true};
  const auto v = d.sort(message(h, {make_notify(NotifyType::InvalidSpi, Buffer{1, 2, 3, 4})}));
  REQUIRE(std::holds_alternative<Demux::Hint>(v));
  CHECK(std::get<Demux::Hint>(v).peer == 1);
}

TEST_CASE("a higher major version is answered INVALID_MAJOR_VERSION, IKEv1 is ignored [RFC 7296 2.5]") {
  Door d;
  Header h = init_header(1);
  h.major = 3;
  const auto v = d.sort(message(h, init_payloads()));
  CHECK(notify_in(v, NotifyType::InvalidMajorVersion));
  CHECK(parse_header(std::get<Demux::Answer>(v).datagram.message)->major == 2);
  h.major = 1;
  CHECK(std::get<Demux::Ignore>(d.sort(message(h, init_payloads()))).why == "IKEv1");
}

TEST_CASE("truncated messages and those of another length than they say are ignored") {
  Door d;
  const Received whole = message(init_header(1), init_payloads());
  for (std::size_t n = 0; n < whole.message.size(); ++n) {
    Received cut = whole;
    cut.message.resize(n);
    CHECK(std::holds_alternative<Demux::Ignore>(d.sort(cut)));
  }
}

TEST_CASE("AWS's default sets, 8 KB of proposals with hundreds of transforms, are taken") {
  Door d;
  Payloads p = init_payloads();
  std::vector<Proposal> all;
  for (std::uint8_t number = 1; number <= 4; ++number) {
    Proposal one{number, SaProtocol::Ike, {}, {}};
    for (std::uint16_t i = 0; i < 244; ++i)
      one.transforms.push_back({TransformType::Dh, static_cast<std::uint16_t>(1000 + i), 0});
    if (number == 4) {
      one.transforms.resize(200);
      for (const auto& t : proposal_of(default_ike_proposals().front(), number, {}).transforms)
        one.transforms.push_back(t);
    }
    all.push_back(std::move(one));
  }
  p[0] = make_sa(all);
  const Received r = message(init_header(1), p);
  CHECK(r.message.size() > 7500);
  CHECK(delivered(d.receive(r)));
  CHECK(d.peer.half_open() == 1);
}

TEST_CASE(
    "a peer is found by its outside address and by its IKE SA, also from elsewhere, and no more when it is gone") {
  Door d;
  PeerConfig other_config = Door::config();
  other_config.remote = *IpAddress::parse("198.51.100.77");
  IkePeer other(other_config, d.entropy);
  d.peers.set(0, &other);
  CHECK(d.peers.at(other_config.remote) == 0U);
  CHECK(d.peers.at(kPeer.address) == 1U);
  d.fill_half_open(1);
  CHECK(d.peers.half_open() == 1);
  CHECK(d.peers.owner(init_header(d.spi), kPeer.address) == std::nullopt);
  const auto& answer = std::get<SendDatagram>(d.answers.front());
  auto h = parse_header(answer.message).value();
  h.initiator = true;  // IKE_AUTH
  CHECK(d.peers.owner(h, kPeer.address) == 1U);
  CHECK(d.peers.owner(h, other_config.remote) == 1U);  // a NAT gave it another address
  Header wrong = h;
  ++wrong.spi_i;
  CHECK(d.peers.owner(wrong, kPeer.address) == std::nullopt);
  wrong = h;
  wrong.initiator = false;
  CHECK(d.peers.owner(wrong, kPeer.address) == std::nullopt);
  d.peers.set(1, nullptr);
  CHECK(d.peers.at(kPeer.address) == std::nullopt);
  CHECK(d.peers.owner(h, kPeer.address) == std::nullopt);
  CHECK(d.peers.half_open() == 0);
}

namespace {

// A hub: two peers that are known by their names, in front of them the reception.
struct Hub {
  Hub()
      : first(config("first", "a.Key"), entropy),
        second(config("second", "another.Key"), entropy),
        reception(front(), entropy) {
    for (IkePeer* p : {&first, &second, &reception})
      p->step(now, Start{});
    peers.set(0, &first);
    peers.set(1, &second);
    peers.set_reception(2, &reception);
  }
  static PeerConfig config(std::string_view name, std::string_view key) {
    PeerConfig c;
    c.local_id = Identity::fqdn("hub");
    c.remote_id = Identity::fqdn(name);
    c.psk = SecretBytes(key);
    c.initiate = false;
    return c;
  }
  static PeerConfig front() {
    PeerConfig c;
    c.reception = true;
    c.initiate = false;
    return c;
  }
  // A peer out there, which calls.
  static PeerConfig caller(std::string_view name, std::string_view key) {
    PeerConfig c = config(name, key);
    std::swap(c.local_id, c.remote_id);
    c.local = kPeer.address;
    c.remote = kUs.address;
    c.initiate = true;
    return c;
  }

  // What the gateway does with one datagram; what is answered.
  Actions receive(const Received& r) {
    const auto v = demux.sort(now, r, peers);
    if (const auto* a = std::get_if<Demux::Answer>(&v)) return {a->datagram};
    const auto* d = std::get_if<Demux::Deliver>(&v);
    if (d == nullptr) return {};
    delivered.push_back(d->peer);
    if (d->peer != 2) return (d->peer == 0 ? first : second).step(now, r);
    Actions out = reception.step(now, r);
    auto arrival = reception.take_arrival();
    if (!arrival) return out;
    arrivals.push_back(arrival->who.to_string());
    for (IkePeer* p : {&first, &second}) {
      if (same(arrival->who, Identity::fqdn(p == &first ? "first" : "second")))
        return p->adopt(now, std::move(*arrival));
    }
    return reception.refuse(now, std::move(*arrival));
  }
  // All that two sides say to each other, the caller being seen at `seen`.
  void talk(IkePeer& caller, Actions said, const Endpoint& seen) {
    while (!said.empty()) {
      Actions next;
      for (const auto& a : said) {
        const auto* d = std::get_if<SendDatagram>(&a);
        if (d == nullptr) continue;
        const Endpoint at{d->remote.address, d->remote.port};
        for (const auto& reply : receive({.local = at, .remote = seen, .message = d->message})) {
          if (const auto* r = std::get_if<SendDatagram>(&reply)) {
            for (auto& more : caller.step(now, Received{.local = d->local, .remote = at, .message = r->message}))
              next.push_back(std::move(more));
          }
        }
      }
      said = std::move(next);
    }
  }

  CountingEntropy entropy;
  TimePoint now{Seconds{1000}};
  IkePeer first, second, reception;
  PeerTable peers;
  Demux demux{entropy};
  std::vector<std::size_t> delivered;
  std::vector<std::string> arrivals;
};

bool is_up(const IkePeer& p) {
  return p.status().state == PeerState::Established;
}

}  // namespace

TEST_CASE("peers of unknown address are known by IDi and proved by the key of that name, two of them behind one NAT") {
  Hub hub;
  CountingEntropy out_there;
  IkePeer a(Hub::caller("first", "a.Key"), out_there), b(Hub::caller("second", "another.Key"), out_there);
  hub.talk(b, b.step(hub.now, Start{}), {kPeer.address, 40001});
  hub.talk(a, a.step(hub.now, Start{}), {kPeer.address, 40002});
  CHECK(hub.arrivals == std::vector<std::string>{"second", "first"});
  CHECK(is_up(a));
  CHECK(is_up(b));
  CHECK(is_up(hub.first));
  CHECK(is_up(hub.second));
  CHECK(hub.first.status().child->remote.port == 40002);
  CHECK(hub.second.status().child->remote.port == 40001);
  CHECK(hub.first.status().spi_i == a.status().spi_i);
  CHECK(hub.reception.ike_sas() == 0);
  CHECK(hub.peers.half_open() == 0);
  // From here on each message is delivered to its peer, from another port too.
  hub.delivered.clear();
  hub.talk(a, a.step(hub.now, Renew{Renew::What::Liveness}), {kPeer.address, 40003});
  CHECK(hub.delivered == std::vector<std::size_t>{0});
  CHECK(hub.first.status().child->remote.port == 40003);
}

TEST_CASE("a name without its key, and a name that nobody has, get AUTHENTICATION_FAILED; nothing is left of them") {
  for (const auto& [name, key] : {std::pair("first", "another.Key"), std::pair("nobody", "a.Key")}) {
    CAPTURE(name);
    Hub hub;
    CountingEntropy out_there;
    IkePeer liar(Hub::caller(name, key), out_there);
    hub.talk(liar, liar.step(hub.now, Start{}), kPeer);
    CHECK_FALSE(is_up(liar));
    CHECK(liar.status().last_error.find("AUTHENTICATION_FAILED") != std::string::npos);
    CHECK_FALSE(is_up(hub.first));
    CHECK(hub.first.ike_sas() + hub.second.ike_sas() + hub.reception.ike_sas() == 0);
  }
}

TEST_CASE("strangers at a reception: COOKIE from the ninth half-open IKE SA on, 16 at most from one address") {
  Hub hub;
  std::uint64_t spi = 1;
  const auto knock = [&](const Endpoint& from) {
    const auto v = hub.demux.sort(hub.now, message(init_header(++spi), init_payloads(), from), hub.peers);
    if (std::holds_alternative<Demux::Deliver>(v)) {
      hub.reception.step(hub.now, message(init_header(spi), init_payloads(), from));
      return std::string("delivered");
    }
    if (notify_in(v, NotifyType::Cookie)) return std::string("cookie");
    return std::string("ignored");
  };
  for (int i = 0; i < 8; ++i)
    CHECK(knock(kPeer) == "delivered");
  CHECK(knock(kPeer) == "cookie");
  CHECK(hub.peers.half_open() == 8);
  hub.now += Seconds{1};
  for (int i = 0; i < 40; ++i)
    hub.reception.step(hub.now, message(init_header(++spi), init_payloads()));
  CHECK(hub.reception.half_open() == 16);
  hub.reception.step(hub.now, message(init_header(++spi), init_payloads(), {*IpAddress::parse("192.0.2.1"), 500}));
  CHECK(hub.reception.half_open() == 17);
  hub.now += Seconds{31};
  hub.reception.step(hub.now, Tick{});
  CHECK(hub.peers.half_open() == 0);
}

TEST_CASE("the SPIs of a peer that is gone are nobody's, and a table that is gone is no peer's concern") {
  auto hub = std::make_unique<Hub>();
  CountingEntropy out_there;
  IkePeer a(Hub::caller("first", "a.Key"), out_there);
  hub->talk(a, a.step(hub->now, Start{}), kPeer);
  Header h{
      .spi_i = a.status().spi_i, .spi_r = a.status().spi_r, .exchange = Exchange::Informational, .initiator = true};
  CHECK(hub->peers.owner(h, kPeer.address) == 0U);
  hub->first.step(hub->now, Stop{});
  CHECK(hub->peers.owner(h, kPeer.address) == std::nullopt);
  IkePeer longer(Hub::config("first", "a.Key"), out_there);
  {
    PeerTable table;
    table.set(0, &longer);
  }
  longer.step(hub->now, Start{});
  CHECK(longer.ike_sas() == 0);
}

TEST_SUITE_END();
}  // namespace cgw
