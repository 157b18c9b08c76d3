// Evidence in, verdict and reason out.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "health/verdict.hpp"

namespace cgw::health {
TEST_SUITE_BEGIN("health/verdict");

namespace {

constexpr TimePoint kStart = TimePoint{} + Seconds{1000};
constexpr Millis kTick{1};

Evidence good() {
  return {.child_sa = true,
          .link_up = true,
          .probing = true,
          .probe_ever_answered = true,
          .rtt = Millis{12},
          .bgp_configured = true,
          .bgp_established = true};
}

struct Case {
  const char* what;
  std::function<void(Evidence&)> change;  // from good()
  Verdict verdict;
  std::string reason;
};

const std::vector<Case> kCases{
    {"all is well", [](Evidence&) {}, Verdict::Up, "probe answered"},
    {"no link", [](Evidence& e) { e.link_up = false; }, Verdict::Down, "the interface is down"},
    {"no link and no SA", [](Evidence& e) { e.link_up = e.child_sa = false; }, Verdict::Down, "the interface is down"},
    {"no SA", [](Evidence& e) { e.child_sa = false; }, Verdict::Down, "no Child SA yet"},
    {"no SA, and IKE knows why",
     [](Evidence& e) {
       e.child_sa = false;
       e.ike_reason = "AUTHENTICATION_FAILED";
     },
     Verdict::Down, "no Child SA: AUTHENTICATION_FAILED"},
    {"a reason of IKE's while there is an SA", [](Evidence& e) { e.ike_reason = "rekey refused"; }, Verdict::Up,
     "probe answered"},
    {"two misses", [](Evidence& e) { e.probes_missed = 2; }, Verdict::Up, "probe answered"},
    {"three misses", [](Evidence& e) { e.probes_missed = 3; }, Verdict::Down, "3 probes in a row unanswered"},
    {"three misses on a path that loses a probe anyway",
     [](Evidence& e) {
       e.probes_missed = 3;
       e.other_losses = 1;
     },
     Verdict::Up, "probe answered"},
    {"four misses there",
     [](Evidence& e) {
       e.probes_missed = 4;
       e.other_losses = 1;
     },
     Verdict::Down, "4 probes in a row unanswered"},
    {"four misses with four other losses",
     [](Evidence& e) {
       e.probes_missed = 4;
       e.other_losses = 4;
     },
     Verdict::Down, "4 probes in a row unanswered"},
    {"four misses with five other losses",
     [](Evidence& e) {
       e.probes_missed = 4;
       e.other_losses = 5;
     },
     Verdict::Up, "probe answered"},
    {"five misses there",
     [](Evidence& e) {
       e.probes_missed = 5;
       e.other_losses = 5;
     },
     Verdict::Down, "5 probes in a row unanswered"},
    {"misses of a probe that was never answered count nothing",
     [](Evidence& e) {
       e.probe_ever_answered = false;
       e.probes_missed = 99;
       e.loss = 1;
       e.rtt.reset();
     },
     Verdict::Up, "Child SA installed; the probe has never been answered"},
    {"misses count nothing without probing",
     [](Evidence& e) {
       e.probing = false;
       e.probes_missed = 99;
       e.loss = 1;
     },
     Verdict::Up, "Child SA installed (no probe)"},
    {"answered once, but not yet by this SA", [](Evidence& e) { e.rtt.reset(); }, Verdict::Down,
     "waiting for the first answer to a probe"},
    {"loss below the limit", [](Evidence& e) { e.loss = 0.19; }, Verdict::Up, "probe answered"},
    {"loss at the limit", [](Evidence& e) { e.loss = 0.2; }, Verdict::Degraded, "20 % of the last probes lost"},
    {"BGP down", [](Evidence& e) { e.bgp_established = false; }, Verdict::Degraded, "BGP session is not established"},
    {"no BGP wanted", [](Evidence& e) { e.bgp_configured = e.bgp_established = false; }, Verdict::Up, "probe answered"},
    {"loss is told before BGP",
     [](Evidence& e) {
       e.loss = 0.5;
       e.bgp_established = false;
     },
     Verdict::Degraded, "50 % of the last probes lost"},
    {"draining", [](Evidence& e) { e.draining = true; }, Verdict::Draining, "draining: maintenance was asked for"},
    {"draining outweighs loss",
     [](Evidence& e) {
       e.draining = true;
       e.loss = 0.9;
     },
     Verdict::Draining, "draining: maintenance was asked for"},
    {"death outweighs draining",
     [](Evidence& e) {
       e.draining = true;
       e.probes_missed = 3;
     },
     Verdict::Down, "3 probes in a row unanswered"},
};

Evidence with(const std::function<void(Evidence&)>& change) {
  Evidence e = good();
  change(e);
  return e;
}
Evidence lossy(double loss) {
  return with([&](Evidence& e) { e.loss = loss; });
}
const Evidence kDead = with([](Evidence& e) { e.probes_missed = 3; });

}  // namespace

TEST_CASE("each evidence has its verdict and its reason") {
  for (const auto& c : kCases) {
    CAPTURE(std::string(c.what));
    TunnelHealth health;
    // The first judgement is immediate, whatever it is.
    const Judgement& j = health.update(kStart, with(c.change));
    CHECK(j.verdict == c.verdict);
    CHECK(j.reason == c.reason);
    CHECK(j.since == kStart);
    CHECK(!health.next_deadline());
  }
}

TEST_CASE("before any evidence a tunnel is down") {
  CHECK(TunnelHealth().judgement().verdict == Verdict::Down);
  CHECK(TunnelHealth().judgement().reason == "starting");
}

TEST_CASE("a single lost probe of a window without a limit is no degradation") {
  TunnelHealth health({.degraded_loss = 0});
  CHECK(health.update(kStart, lossy(0)).verdict == Verdict::Up);
  CHECK(health.update(kStart, lossy(0.02)).verdict == Verdict::Degraded);
}

TEST_CASE("a degraded tunnel must lose less than half of the limit to be up again") {
  TunnelHealth health;
  CHECK(health.update(kStart, lossy(0.2)).verdict == Verdict::Degraded);
  CHECK(health.update(kStart + Seconds{1}, lossy(0.19)).verdict == Verdict::Degraded);
  CHECK(health.update(kStart + Seconds{2}, lossy(0.1)).verdict == Verdict::Degraded);
  CHECK(health.judgement().since == kStart);
  CHECK(health.update(kStart + Seconds{3}, lossy(0.09)).verdict == Verdict::Up);
  CHECK(health.judgement().since == kStart + Seconds{3});
  CHECK(health.update(kStart + Seconds{4}, lossy(0.19)).verdict == Verdict::Up);
}

TEST_CASE("a tunnel goes down at once, and the reason follows the evidence while it is") {
  TunnelHealth health;
  health.update(kStart, good());
  CHECK(health.update(kStart + Seconds{1}, kDead).verdict == Verdict::Down);
  CHECK(health.update(kStart + Seconds{2}, with([](Evidence& e) { e.probes_missed = 7; })).reason ==
        "7 probes in a row unanswered");
  CHECK(health.judgement().since == kStart + Seconds{1});
}

TEST_CASE("after a fall it serves when the evidence has been good for the whole interval, not a moment before") {
  TunnelHealth health;
  const Millis stable = Parameters{}.stable;
  health.update(kStart, good());
  health.update(kStart, kDead);
  const TimePoint back = kStart + Seconds{5};
  CHECK(health.update(back, good()).verdict == Verdict::Down);
  CHECK(health.judgement().reason == "good again; serves after 10.0 s without a fault");
  REQUIRE(health.next_deadline() == back + stable);
  CHECK(health.update(back + stable - kTick, good()).verdict == Verdict::Down);
  CHECK(health.update(back + stable, good()).verdict == Verdict::Up);
  CHECK(health.judgement().since == back + stable);
  CHECK(!health.next_deadline());
}

TEST_CASE("a fault within the interval starts it anew") {
  TunnelHealth health;
  const Millis stable = Parameters{}.stable;
  health.update(kStart, good());
  health.update(kStart, kDead);
  health.update(kStart, good());
  CHECK(health.update(kStart + stable - kTick, kDead).verdict == Verdict::Down);
  CHECK(!health.next_deadline());
  health.update(kStart + stable, good());
  CHECK(health.next_deadline() == kStart + 2 * stable);
  CHECK(health.update(kStart + 2 * stable, good()).verdict == Verdict::Up);
}

TEST_CASE("a tunnel that is down serves degraded too, after the interval") {
  TunnelHealth health;
  const Millis stable = Parameters{}.stable;
  health.update(kStart, good());
  health.update(kStart, kDead);
  health.update(kStart, lossy(0.3));
  CHECK(health.judgement().verdict == Verdict::Down);
  CHECK(health.update(kStart + stable, lossy(0.3)).verdict == Verdict::Degraded);
}

TEST_CASE("three falls at once are suffered, the fourth stretches the interval") {
  for (const int falls : {1, 3, 4, 5}) {
    CAPTURE(falls);
    // No interval, so that it can fall as fast as it likes.
    TunnelHealth health({.stable = Millis{0}, .stable_max = Millis{60000}});
    health.update(kStart, good());
    TimePoint now = kStart;
    for (int i = 0; i < falls; ++i) {
      health.update(now, kDead);
      if (i + 1 < falls) health.update(now, good());
    }
    health.update(now, good());
    CHECK((health.judgement().verdict == Verdict::Down) == (falls > 3));
    if (falls > 3) CHECK(health.next_deadline() == now + Seconds{60});
  }
}

TEST_CASE("falls are forgotten by half each minute") {
  TunnelHealth health;
  health.update(kStart, good());
  CHECK(health.penalty(kStart) == 0);
  health.update(kStart, kDead);
  CHECK(health.penalty(kStart) == 1000);
  CHECK(health.penalty(kStart + Seconds{60}) == doctest::Approx(500));
  CHECK(health.penalty(kStart + Seconds{120}) == doctest::Approx(250));
  // Staying down is one fall.
  health.update(kStart + Seconds{1}, kDead);
  CHECK(health.penalty(kStart + Seconds{60}) == doctest::Approx(500));
}

TEST_CASE("verdicts have words") {
  CHECK(to_string(Verdict::Up) == "up");
  CHECK(to_string(Verdict::Degraded) == "degraded");
  CHECK(to_string(Verdict::Draining) == "draining");
  CHECK(to_string(Verdict::Down) == "down");
}

TEST_SUITE_END();
}  // namespace cgw::health
