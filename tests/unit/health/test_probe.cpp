#include <queue>
#include <random>

#include <doctest/doctest.h>

#include "health/probe.hpp"
#include "health/verdict.hpp"

namespace cgw::health {
TEST_SUITE_BEGIN("health/probe");

namespace {

// A tunnel's path: answers after `rtt`, loses a share at random, and dies at `death`.
struct Path {
  Millis rtt;
  double loss = 0;
  TimePoint death = TimePoint::max();
};

struct Run {
  Prober prober;
  TunnelHealth health;
  std::mt19937_64 random;
  std::queue<std::pair<TimePoint, std::uint16_t>> answers;
  TimePoint now{};

  explicit Run(std::uint64_t seed) : random(seed) { prober.start(now); }

  // The next thing that happens, at its time.
  void step(const Path& path) {
    const auto due = *prober.next_deadline();
    if (!answers.empty() && answers.front().first <= due) {
      now = answers.front().first;
      prober.answered(now, answers.front().second);
      answers.pop();
    } else {
      now = due;
      for (const auto& s : prober.tick(now)) {
        const bool lost = std::uniform_real_distribution<>(0, 1)(random) < path.loss;
        if (!lost && now + path.rtt <= path.death) answers.emplace(now + path.rtt, s.sequence);
      }
    }
    Evidence e;
    e.child_sa = true;
    e.probe_ever_answered = prober.ever_answered();
    e.probes_missed = prober.missed_in_a_row();
    e.other_losses = prober.other_losses();
    e.rtt = prober.rtt();
    e.loss = prober.loss();
    health.update(now, e);
  }
};

}  // namespace

TEST_CASE("a path that dies is down at most 400 ms later at a short RTT, whenever it dies") {
  for (int offset = 0; offset < 100; ++offset) {
    Run run(1);
    Path path{Millis(5)};
    path.death = TimePoint{} + Seconds(10) + Millis(offset);
    while (run.now < path.death)
      run.step(path);
    REQUIRE(run.health.judgement().verdict == Verdict::Up);
    while (run.health.judgement().verdict == Verdict::Up)
      run.step(path);
    CHECK(run.now - path.death <= Millis(400));
  }
}

TEST_CASE("a day of 5 % independent loss gives less than one false down an hour, at short and long RTT") {
  for (const int rtt : {5, 80, 300}) {
    Run run(42);
    int falls = 0;
    Verdict before = Verdict::Down;
    while (run.now < TimePoint{} + std::chrono::hours(24)) {
      run.step({Millis(rtt), 0.05});
      const Verdict v = run.health.judgement().verdict;
      if (v == Verdict::Down && before != Verdict::Down) ++falls;
      before = v;
    }
    MESSAGE("rtt " << rtt << " ms: " << falls << " false downs in 24 hours");
    CHECK(falls < 24);
  }
}

TEST_CASE("a path slower than the timeout teaches the estimator by its late answers and comes up") {
  Run run(3);
  while (run.now < TimePoint{} + Seconds(30))
    run.step({Millis(300)});
  CHECK(run.prober.timeout() >= Millis(300));
  CHECK(run.prober.missed_in_a_row() == 0);
  CHECK(run.health.judgement().verdict == Verdict::Up);
}

TEST_SUITE_END();
}  // namespace cgw::health
