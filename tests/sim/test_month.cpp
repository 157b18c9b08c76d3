// A month of two IkePeers that both rekey, under weather that changes: fair, bad, or cut off.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <random>

#include <fmt/format.h>

#include "tests/support/ike_pair.hpp"

namespace cgw {
namespace {

using test::IkePair;

constexpr auto kMonth = std::chrono::hours(24 * 30);
constexpr Seconds kGrace{120};  // after bad weather, for the tunnel to come back

enum class Weather : std::uint8_t { Fair, Bad, Cut };

class Month {
 public:
  explicit Month(std::uint64_t seed) : dice_(seed), pair_(config(0), config(1), seed) {
    pair_.send = [this](IkePair::Message m) { carry(std::move(m)); };
  }

  // Words of what went wrong; empty if nothing.
  std::string go() {
    for (const int i : {0, 1})
      pair_.step(i, ipsec::Start{});
    begin(Weather::Fair);
    while (pair_.now.time_since_epoch() < kMonth) {
      if (pair_.now >= until_) {
        if (std::string wrong = end(); !wrong.empty()) return wrong;
        begin(weather_ != Weather::Fair ? Weather::Fair : dice_() % 3 == 0 ? Weather::Cut : Weather::Bad);
      }
      advance();
    }
    return end();
  }
  const ipsec::PeerStatus& status(int i) { return pair_.peer(i).status(); }

 private:
  ipsec::PeerConfig config(int i) {
    ipsec::PeerConfig c = i == 0 ? test::left_peer() : test::right_peer();
    c.child_lifetime = Seconds{between(900, 3600)};
    c.ike_lifetime = Seconds{between(3700, 28800)};
    c.initiate = i == 0 || dice_() % 2 == 0;
    if (dice_() % 4 == 0) c.reauth_time = Seconds{between(7200, 86400)};
    c.force_encap = dice_() % 2 == 0;
    return c;
  }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(dice_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(unsigned percent) { return dice_() % 100 < percent; }

  void begin(Weather w) {
    weather_ = w;
    const auto now = pair_.now;
    fair_from_ = now + kGrace;
    switch (w) {
      case Weather::Fair: until_ = now + Seconds{between(3600, 12 * 3600)}; break;
      case Weather::Bad: until_ = now + Seconds{between(60, 1800)}; break;
      case Weather::Cut: until_ = now + Seconds{between(5, 600)}; break;
    }
    pair_.traffic = w == Weather::Fair;
    downs_ = 0;
    judged_ = false;
  }

  // Only fair weather promises anything, and not at once.
  void judge_from_here() {
    judged_ = true;
    pair_.undecryptable = 0;
    downs_ = pair_.downs(0) + pair_.downs(1);
  }

  std::string end() {
    if (weather_ != Weather::Fair || !judged_) return {};
    const auto at = std::chrono::duration_cast<Seconds>(pair_.now.time_since_epoch()).count();
    if (pair_.undecryptable != 0)
      return fmt::format("before {} s: {} packets undecryptable, the first {}", at, pair_.undecryptable,
                         pair_.first_undecryptable);
    if (pair_.downs(0) + pair_.downs(1) != downs_) return fmt::format("before {} s: down in fair weather", at);
    for (const int i : {0, 1}) {
      if (!pair_.outbound(i) || !pair_.inbound(1 - i).contains(*pair_.outbound(i)))
        return fmt::format("at {} s: no tunnel in fair weather", at);
      if (pair_.inbound(i).size() > 4 || pair_.peer(i).ike_sas() > 5)
        return fmt::format("at {} s: {} Child SAs and {} IKE SAs", at, pair_.inbound(i).size(),
                           pair_.peer(i).ike_sas());
    }
    return {};
  }

  void carry(IkePair::Message m) {
    if (weather_ == Weather::Cut || (weather_ == Weather::Bad && chance(10))) return;
    const auto delay = [&] { return Millis{weather_ == Weather::Bad ? between(5, 400) : between(5, 40)}; };
    if (weather_ == Weather::Bad && chance(5)) wire_.emplace(pair_.now + delay(), m);
    wire_.emplace(pair_.now + delay(), std::move(m));
  }

  void advance() {
    auto& now = pair_.now;
    if (weather_ == Weather::Fair && !judged_ && now >= fair_from_) judge_from_here();
    if (skip()) return;
    TimePoint next = std::min(until_, alive_at_);
    if (!judged_ && fair_from_ > now) next = std::min(next, fair_from_);
    if (!wire_.empty()) next = std::min(next, wire_.begin()->first);
    if (const auto at = pair_.next_deadline()) next = std::min(next, *at);
    now = std::max(now, next);
    while (!wire_.empty() && wire_.begin()->first <= now) {
      auto m = std::move(wire_.begin()->second);
      wire_.erase(wire_.begin());
      pair_.deliver(std::move(m));
    }
    pair_.tick();
    if (now < alive_at_) return;
    alive_at_ = now + Seconds{8};
    if (weather_ != Weather::Cut) pair_.alive();
  }

  // Where nothing but traffic happens until the next rekey, nothing is stepped through.
  bool skip() {
    if (weather_ != Weather::Fair || !judged_ || !wire_.empty() || !pair_.settled()) return false;
    TimePoint next = until_;
    for (const int i : {0, 1}) {
      const auto& s = pair_.peer(i).status();
      next = std::min({next, *s.child_rekey_at, s.ike_rekey_at.value_or(next), s.reauthentication_at.value_or(next)});
    }
    next -= Seconds{1};
    if (next <= pair_.now + Seconds{10}) return false;
    pair_.now = next;
    pair_.alive();
    alive_at_ = next + Seconds{8};
    return true;
  }

  std::mt19937_64 dice_;
  IkePair pair_;
  std::multimap<TimePoint, IkePair::Message> wire_;
  Weather weather_ = Weather::Fair;
  TimePoint until_{}, fair_from_{}, alive_at_{};
  bool judged_ = false;
  std::uint32_t downs_ = 0;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* v = std::getenv(name);
  return v == nullptr ? otherwise : std::strtoull(v, nullptr, 10);
}

}  // namespace

TEST_SUITE_BEGIN("sim/month");

// CGW_SIM_SEEDS=1000 for more, CGW_SIM_FIRST=SEED CGW_SIM_SEEDS=1 for one of them again.
TEST_CASE("a month of rekeys by both sides under changing weather: in fair weather no packet is lost") {
  const std::uint64_t first = from_environment("CGW_SIM_FIRST", 1), count = from_environment("CGW_SIM_SEEDS", 50);
  std::uint64_t rekeys = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Month month(seed);
    const std::string wrong = month.go();
    if (!wrong.empty()) FAIL_CHECK(fmt::format("CGW_SIM_FIRST={} CGW_SIM_SEEDS=1: {}", seed, wrong));
    rekeys += month.status(0).child_rekeys;
  }
  CHECK(rekeys >= count * 30 * 24 / 2);
}

TEST_SUITE_END();
}  // namespace cgw
