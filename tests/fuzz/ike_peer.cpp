// An IkePeer in each of its states, against a rival that has the keys: what comes through the integrity check is as
// wild as what does not.
#include <algorithm>
#include <set>
#include <string>

#include "base/overload.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/ike_rival.hpp"

using namespace cgw;
using namespace cgw::ipsec;
using cgw::fuzz::require;
using cgw::test::IkeRival;

namespace {

constexpr Exchange kExchanges[] = {Exchange::IkeSaInit, Exchange::IkeAuth, Exchange::CreateChildSa,
                                   Exchange::Informational};

// What a data plane would object to.
class DataPlane {
 public:
  void take(const Actions& actions) {
    for (const auto& a : actions)
      std::visit([&](const auto& action) { on(action); }, a);
    require(installed_.size() <= 64, "the Child SAs of a peer are bounded");
  }
  std::size_t installed() const { return installed_.size(); }

 private:
  void on(const SendDatagram& d) {
    require(d.message.size() >= kHeaderOctets && d.message.size() < 65000, "a datagram can be sent");
    const auto h = parse_header(d.message);
    require(h->length == d.message.size(), "a header has the length of its message");
    // The chain of the outside is whole: an SK payload's length is right.
    require(parse_chain(h->first, Bytes(d.message).subspan(kHeaderOctets)).has_value(), "we send well-formed messages");
  }
  void on(const ExpectInbound& e) { require(e.sa.spi.value() > 255, "an SPI of ours is not a reserved one"); }
  void on(const InstallInbound& i) {
    require(installed_.insert(i.sa.spi_in.value()).second, "an SPI is installed once");
    require(!i.sa.in.encr.empty() && !i.sa.out.encr.empty(), "a Child SA has keys");
    require(i.sa.spi_in.value() > 255, "an SPI of ours is not a reserved one");
  }
  void on(const UseOutbound& u) {
    require(installed_.contains(u.sa.spi_in.value()), "what sends was installed before");
  }
  void on(const RemoveChild& r) { require(installed_.erase(r.spi_in.value()) == 1, "what is removed was installed"); }
  void on(const SendNatKeepalive&) {}
  void on(const Moved& m) {
    require(m.from != m.to, "a move goes somewhere");
    printable(m.why);
  }
  void on(const Note& n) { printable(n.text); }
  void on(const Trace& t) {
    for (const auto& line : t.lines)
      printable(line);
  }
  void on(const DecryptionKeys&) { require(false, "keys are told to nobody who did not ask"); }
  static void printable(const std::string& s) {
    require(std::ranges::all_of(s, [](char c) { return c >= 0x20 && c < 0x7f; }), "what is logged is printable");
    require(s.size() < 2000, "what is logged is short");
  }

  std::set<std::uint32_t> installed_;
};

class Play {
 public:
  explicit Play(fuzz::Input in) : in_(in) {}

  void run() {
    const std::uint8_t setting = in_.octet();
    IkeRival rival((setting & 1) != 0 ? IkeRival::Role::Initiator : IkeRival::Role::Responder,
                   (setting & 2) != 0 ? "aes128-sha256-ecp256" : "aes256gcm16-prfsha384-ecp384");
    rival_ = &rival;
    rival.begin();
    const unsigned state = setting >> 2 & 3;
    if (state >= 1) rival.init();
    if (state >= 2) rival.auth();
    next_ = rival.next_id();
    drain();
    for (int i = 0; i < 48 && in_.more(); ++i)
      move();
    rival.step(Stop{.tell_peer = (setting & 16) != 0});
    drain();
    require(plane_.installed() == 0, "a stopped peer has removed its Child SAs");
  }

 private:
  void drain() {
    plane_.take(std::exchange(rival_->actions, {}));
    require(rival_->largest_step <= 512, "a step's actions are bounded");
    static_cast<void>(rival_->peer().status().last_error);
  }

  // The id of the next request, or of the answer that is waited for; sometimes beside it.
  std::uint32_t id(bool response) {
    const std::uint8_t by = in_.octet();
    const std::uint32_t right = response ? rival_->peers_id() : next_;
    return by < 200 ? right : right + by - 228U;
  }

  void move() {
    const std::uint8_t op = in_.octet();
    switch (op % 10) {
      case 0: {
        const auto piece = in_.piece();
        rival_->deliver({piece.begin(), piece.end()});
        break;
      }
      case 1: {
        const Exchange e = kExchanges[in_.octet() & 3];
        const bool response = (op & 0x80) != 0;
        const auto first = PayloadType{in_.octet()};
        rival_->deliver(rival_->plain(e, response, id(response), first, in_.piece()));
        break;
      }
      case 2: sealed(op, in_.piece(), std::nullopt); break;
      case 3: {
        const std::uint16_t number = in_.octet(), total = in_.octet();
        sealed(op, in_.piece(), std::pair(number, total));
        break;
      }
      case 4:
      case 5: script(op); break;
      case 6: require(rival_->pass(Millis{1} * (1 << (in_.octet() % 22))), "the peer does not spin"); break;
      case 7: rival_->step(EspSeen{}); break;
      case 8: rival_->step(Reestablish{"fuzz"}); break;
      case 9:
        rival_->step(Stop{});
        rival_->step(Start{});
        break;
    }
    drain();
    require(!rival_->peer().next_deadline() || rival_->pass(Millis{0}), "the peer does not spin");
    drain();
  }

  void sealed(std::uint8_t op, Bytes chain, std::optional<std::pair<std::uint16_t, std::uint16_t>> fragment) {
    if (!rival_->has_keys()) return;
    const Exchange e = kExchanges[in_.octet() & 3];
    const bool response = (op & 0x80) != 0;
    const auto first = PayloadType{in_.octet()};
    const std::uint32_t message = id(response);
    rival_->deliver(rival_->sealed(e, response, message, first, chain, fragment));
    if (!response && message == next_) ++next_;
  }

  // A message as it should be, with one payload that is not.
  void script(std::uint8_t op) {
    if (!rival_->has_keys()) return;
    const std::uint8_t which = in_.octet();
    const auto [e, honest] = honest_message(which);
    Payloads payloads = honest;
    change(payloads);
    const bool response = (op & 0x80) != 0;
    const std::uint32_t message = response ? rival_->peers_id() : next_;
    rival_->deliver(rival_->sealed(e, response, message, payloads));
    if (!response) ++next_;
  }

  std::pair<Exchange, Payloads> honest_message(std::uint8_t which) const {
    switch (which % 7) {
      case 0: return {Exchange::IkeAuth, rival_->honest_auth()};
      case 1: return {Exchange::CreateChildSa, rival_->honest_child_rekey()};
      case 2: return {Exchange::CreateChildSa, rival_->honest_ike_rekey()};
      case 3: return {Exchange::Informational, {}};
      case 4: return {Exchange::Informational, {make_delete_ike()}};
      case 5: {
        const auto& child = rival_->peer().status().child;
        return {Exchange::Informational, {make_delete_esp(child ? child->spi_out.value() : 1)}};
      }
      default: return {Exchange::Informational, {make_notify(NotifyType{std::uint16_t(which * 64U)})}};
    }
  }

  void change(Payloads& payloads) {
    const std::uint8_t how = in_.octet();
    if (how == 0) return;
    const auto piece = in_.piece();
    Payload* p = payloads.empty() ? nullptr : &payloads[how / 8 % payloads.size()];
    if (p == nullptr || how % 8 == 0) {
      payloads.push_back({PayloadType{in_.octet()}, (how & 0x80) != 0, {piece.begin(), piece.end()}});
      return;
    }
    switch (how % 8) {
      case 1: p->body.assign(piece.begin(), piece.end()); break;
      case 2: p->body.resize(std::min<std::size_t>(p->body.size(), in_.octet())); break;
      case 3: p->body.insert(p->body.end(), piece.begin(), piece.end()); break;
      case 4: p->type = PayloadType{in_.octet()}; break;
      case 5: p->critical = true; break;
      case 6: payloads.push_back(Payload(*p)); break;
      default:
        for (std::size_t i = 0; i < piece.size() && !p->body.empty(); ++i)
          p->body[i * 7 % p->body.size()] ^= piece[i];
    }
  }

  fuzz::Input in_;
  IkeRival* rival_ = nullptr;
  DataPlane plane_;
  std::uint32_t next_ = 0;  // id of the rival's next request
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  Play(fuzz::Input(data, size)).run();
  return 0;
}
