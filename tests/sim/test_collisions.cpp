// Exchanges that both ends begin at once, in every order of delivery, with each message lost or late once
// (RFC 7296 2.8.1, 2.8.2, 2.25).
#include <doctest/doctest.h>

#include <array>
#include <cstdlib>

#include <fmt/format.h>

#include "tests/support/ike_pair.hpp"

namespace cgw {
namespace {

using test::IkePair;

enum class Act : std::uint8_t { Nothing, RekeyChild, RekeyIke, DeleteChild, DeleteIke, Dpd, Reauthenticate };

std::string_view name(Act a) {
  switch (a) {
    case Act::Nothing: return "nothing";
    case Act::RekeyChild: return "rekey Child";
    case Act::RekeyIke: return "rekey IKE";
    case Act::DeleteChild: return "delete Child";
    case Act::DeleteIke: return "delete IKE";
    case Act::Dpd: return "DPD";
    case Act::Reauthenticate: return "reauthenticate";
  }
  return "?";
}

// Whether every rekey has one more exchange, IKE_FOLLOWUP_KE (RFC 9370).
enum class Additional : std::uint8_t { None, One };

// Walks through all paths of a decision tree that is found while walking: take(n) is one of n ways.
class Paths {
 public:
  unsigned take(unsigned ways) {
    if (at_ == taken_.size()) taken_.push_back({0, ways});
    return taken_[at_++].first;
  }
  bool next() {
    at_ = 0;
    while (!taken_.empty() && ++taken_.back().first == taken_.back().second)
      taken_.pop_back();
    return !taken_.empty();
  }
  std::string words() const {
    std::string out;
    for (const auto& [way, ways] : taken_)
      out += fmt::format("{}/{} ", way, ways);
    return out;
  }

 private:
  std::vector<std::pair<unsigned, unsigned>> taken_;
  std::size_t at_ = 0;
};

// Messages whose fate is tried in every way; the rest arrive in order. CGW_SIM_DECISIONS=8 for ten times the runs.
unsigned decisions() {
  const char* v = std::getenv("CGW_SIM_DECISIONS");
  return v == nullptr ? 6 : static_cast<unsigned>(std::strtoul(v, nullptr, 10));
}

// One run: who acts, and how the messages fare.
class Run {
 public:
  Run(std::array<Act, 2> acts, std::uint64_t seed, Additional more, Paths& paths)
      : acts_(acts),
        paths_(paths),
        pair_(with(test::left_peer(), more), right(more), seed) {}

  // Words of what went wrong; empty if nothing.
  std::string go() {
    pair_.step(0, ipsec::Start{});
    pair_.step(1, ipsec::Start{});
    while (!pair_.in_flight.empty())
      deliver_first();
    if (!pair_.settled()) return "the tunnel does not come up";
    pair_.now += Seconds{5};
    pair_.alive();
    pair_.traffic = true;
    for (const int i : {0, 1})
      act(i, acts_[static_cast<std::size_t>(i)]);
    explore();
    settle();
    if (!pair_.settled()) return fmt::format("not settled: {}", state());
    if (pair_.undecryptable != 0 && !has(Act::DeleteChild) && !has(Act::DeleteIke))
      return fmt::format("{} packets undecryptable, the first {}", pair_.undecryptable, pair_.first_undecryptable);
    if (!has(Act::DeleteChild) && !has(Act::DeleteIke) && pair_.downs(0) + pair_.downs(1) != 0)
      return "the tunnel went down in between";
    return {};
  }

 private:
  static ipsec::PeerConfig with(ipsec::PeerConfig c, Additional more) {
    if (more == Additional::None) return c;
    c.ike = {*ipsec::parse_ike_suite("aes256gcm16-prfsha384-ecp384-ke1_ecp256")};
    c.esp = {*ipsec::parse_esp_suite("aes256gcm16-ecp384-ke1_ecp256")};
    return c;
  }
  static ipsec::PeerConfig right(Additional more) {
    auto c = with(test::right_peer(), more);
    c.initiate = false;
    return c;
  }
  bool has(Act a) const { return acts_[0] == a || acts_[1] == a; }

  void act(int i, Act a) {
    const auto& child = pair_.peer(i).status().child;
    switch (a) {
      case Act::Nothing: break;
      case Act::RekeyChild: pair_.step(i, ipsec::Renew{ipsec::Renew::What::ChildSa}); break;
      case Act::DeleteChild: pair_.step(i, ipsec::ChildExpiring{child->spi_in, true}); break;
      case Act::RekeyIke: pair_.step(i, ipsec::Renew{ipsec::Renew::What::IkeSa}); break;
      case Act::Reauthenticate: pair_.step(i, ipsec::Renew{ipsec::Renew::What::Authentication}); break;
      case Act::DeleteIke: pair_.step(i, ipsec::Reestablish{"asked"}); break;
      case Act::Dpd: pair_.step(i, ipsec::Renew{ipsec::Renew::What::Liveness}); break;
    }
  }

  void deliver_first() {
    auto m = std::move(pair_.in_flight.front());
    pair_.in_flight.pop_front();
    pair_.now += Millis{1};
    pair_.deliver(std::move(m));
  }

  // Which message comes next, and whether it comes: one of all is lost, or comes after its retransmission.
  void explore() {
    bool mishap = false;
    std::optional<IkePair::Message> late;
    for (unsigned n = 0; n < decisions_ && !pair_.in_flight.empty(); ++n) {
      const auto waiting = static_cast<unsigned>(std::min<std::size_t>(pair_.in_flight.size(), 3));
      const unsigned way = paths_.take(mishap ? waiting : waiting * 3);
      const auto it = pair_.in_flight.begin() + way % waiting;
      auto m = std::move(*it);
      pair_.in_flight.erase(it);
      pair_.now += Millis{1};
      switch (way / waiting) {
        case 0: pair_.deliver(std::move(m)); break;
        case 1: mishap = true; break;
        default: mishap = true; late = std::move(m);
      }
      if (pair_.in_flight.empty()) pass_time(pair_.now + Millis{600});
    }
    while (!pair_.in_flight.empty())
      deliver_first();
    if (late) {
      pass_time(pair_.now + Millis{1200});
      pair_.deliver(std::move(*late));
    }
  }

  void pass_time(TimePoint until) {
    while (pair_.in_flight.empty()) {
      const auto at = pair_.next_deadline();
      if (!at || *at > until) break;
      pair_.now = std::max(pair_.now, *at);
      pair_.tick();
    }
  }

  void settle() {
    const TimePoint until = pair_.now + Seconds{150};
    TimePoint spoke = pair_.now;
    while (true) {
      while (!pair_.in_flight.empty())
        deliver_first();
      const auto at = pair_.next_deadline();
      if (!at || *at > until) break;
      pair_.now = std::max(pair_.now, *at);
      if (pair_.now - spoke > Seconds{3}) {
        spoke = pair_.now;
        if (pair_.outbound(0) && pair_.outbound(1)) pair_.alive();
      }
      pair_.tick();
    }
  }

  std::string state() {
    std::string out;
    for (const int i : {0, 1}) {
      const auto& s = pair_.peer(i).status();
      out += fmt::format("end {}: {}, {} IKE SAs, {} inbound, {:016x}_i {:016x}_r; ", i, to_string(s.state),
                         pair_.peer(i).ike_sas(), pair_.inbound(i).size(), s.spi_i, s.spi_r);
    }
    return out;
  }

  std::array<Act, 2> acts_;
  Paths& paths_;
  IkePair pair_;
  unsigned decisions_ = decisions();
};

std::size_t walk(std::array<Act, 2> acts, std::uint64_t seed, Additional more = Additional::None) {
  Paths paths;
  std::size_t runs = 0;
  do {
    ++runs;
    const std::string wrong = Run(acts, seed, more, paths).go();
    if (!wrong.empty()) {
      FAIL_CHECK(
          fmt::format("{} against {}, seed {}, path {}: {}", name(acts[0]), name(acts[1]), seed, paths.words(), wrong));
      return runs;
    }
  } while (paths.next());
  return runs;
}

}  // namespace

TEST_SUITE_BEGIN("sim/collisions");

TEST_CASE(
    "whatever both ends begin at once ends in one IKE SA and one Child SA, and no packet is lost [RFC 7296 2.25]") {
  constexpr std::array kActs{Act::Nothing,   Act::RekeyChild, Act::RekeyIke,      Act::DeleteChild,
                             Act::DeleteIke, Act::Dpd,        Act::Reauthenticate};
  std::size_t runs = 0;
  for (const Act a : kActs) {
    for (const Act b : kActs) {
      // Two seeds: either end's nonces are the lowest.
      for (const std::uint64_t seed : {1U, 2U})
        runs += walk({a, b}, seed);
    }
  }
  MESSAGE(runs << " runs");
}

TEST_CASE("so does what goes on in IKE_FOLLOWUP_KE exchanges [RFC 9370 2.2.4]") {
  constexpr std::array kActs{Act::Nothing,     Act::RekeyChild, Act::RekeyIke,
                             Act::DeleteChild, Act::DeleteIke,  Act::Reauthenticate};
  std::size_t runs = 0;
  for (const Act a : {Act::RekeyChild, Act::RekeyIke}) {
    for (const Act b : kActs) {
      for (const std::uint64_t seed : {1U, 2U})
        runs += walk({a, b}, seed, Additional::One);
    }
  }
  MESSAGE(runs << " runs");
}

TEST_SUITE_END();
}  // namespace cgw
