#include "health/verdict.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace cgw::health {
namespace {

constexpr double kFallPenalty = 1000, kSuppress = 3000;
constexpr double kHalfLifeSeconds = 60;

struct Finding {
  Verdict verdict;
  std::string reason;
};

// On a path that loses packets anyway, a run of misses by chance is no death: one more is asked for when the window
// holds other losses, two more when it holds many.
std::uint32_t misses_that_count(const Evidence& e, const Parameters& p) {
  constexpr std::uint32_t kMany = 4;
  return p.misses + (e.other_losses > 0 ? 1 : 0) + (e.other_losses > kMany ? 1 : 0);
}

// The rules, strongest first. degraded: it is so now, and must do better than the limit to leave.
Finding judge(const Evidence& e, const Parameters& p, bool degraded) {
  if (!e.link_up) return {Verdict::Down, "the interface is down"};
  if (!e.child_sa) return {Verdict::Down, e.ike_reason.empty() ? "no Child SA yet" : "no Child SA: " + e.ike_reason};
  if (e.probing && e.probe_ever_answered && e.probes_missed >= misses_that_count(e, p)) {
    return {Verdict::Down, fmt::format("{} probes in a row unanswered", e.probes_missed)};
  }
  if (e.probing && e.probe_ever_answered && !e.rtt) return {Verdict::Down, "waiting for the first answer to a probe"};
  if (e.draining) return {Verdict::Draining, "draining: maintenance was asked for"};
  const double limit = degraded ? p.degraded_loss / 2 : p.degraded_loss;
  if (e.probing && e.probe_ever_answered && e.loss >= limit && e.loss > 0) {
    return {Verdict::Degraded, fmt::format("{:.0f} % of the last probes lost", e.loss * 100)};
  }
  if (e.bgp_configured && !e.bgp_established) return {Verdict::Degraded, "BGP session is not established"};
  if (!e.probing) return {Verdict::Up, "Child SA installed (no probe)"};
  if (!e.probe_ever_answered) return {Verdict::Up, "Child SA installed; the probe has never been answered"};
  return {Verdict::Up, "probe answered"};
}

}  // namespace

std::string_view to_string(Verdict v) {
  switch (v) {
    case Verdict::Up: return "up";
    case Verdict::Degraded: return "degraded";
    case Verdict::Draining: return "draining";
    case Verdict::Down: return "down";
  }
  return "?";
}

double TunnelHealth::penalty(TimePoint now) const {
  const double seconds = std::chrono::duration<double>(now - penalty_at_).count();
  return penalty_ * std::exp2(-std::max(0.0, seconds) / kHalfLifeSeconds);
}

const Judgement& TunnelHealth::update(TimePoint now, const Evidence& e) {
  Finding found = judge(e, parameters_, current_.verdict == Verdict::Degraded);
  const auto take = [&] {
    if (found.verdict != current_.verdict || current_.since == TimePoint{}) current_.since = now;
    current_.verdict = found.verdict;
    current_.reason = std::move(found.reason);
  };
  if (found.verdict == Verdict::Down) {
    if (current_.verdict != Verdict::Down) {
      penalty_ = penalty(now) + kFallPenalty;
      penalty_at_ = now;
    }
    stable_at_.reset();
    take();
    return current_;
  }
  // A tunnel that has fallen serves again after an interval of good evidence; the first rise is free.
  if (current_.verdict == Verdict::Down && was_up_) {
    const Millis wait = penalty(now) > kSuppress ? parameters_.stable_max : parameters_.stable;
    if (!stable_at_) stable_at_ = now + wait;
    if (now < *stable_at_) {
      current_.reason =
          fmt::format("good again; serves after {:.1f} s without a fault", std::chrono::duration<double>(wait).count());
      return current_;
    }
  }
  stable_at_.reset();
  was_up_ = true;
  take();
  return current_;
}

}  // namespace cgw::health
