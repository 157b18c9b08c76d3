#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

// Is a tunnel fit to carry traffic? The verdict and its reason, from evidence and time alone.
namespace cgw::health {

enum class Verdict : std::uint8_t { Up, Degraded, Draining, Down };
std::string_view to_string(Verdict v);

// What is known of a tunnel at one moment.
struct Evidence {
  bool child_sa = false;             // an installed Child SA
  std::string ike_reason;            // why there is none ("AUTHENTICATION_FAILED ...")
  bool link_up = true;               // the interface exists and is up
  bool probing = true;               // probes are configured and sent
  bool probe_ever_answered = false;  // since the Child SA came up for the first time
  std::uint32_t probes_missed = 0;   // in a row, unanswered past their timeout
  std::optional<Millis> rtt;         // of the last answer
  std::uint32_t other_losses = 0;    // unanswered probes in the window before that run
  double loss = 0;                   // share of lost probes in the window, 0..1
  bool bgp_configured = false;
  bool bgp_established = false;
  bool draining = false;  // maintenance asked for
};

struct Parameters {
  std::uint32_t misses = 3;    // in a row: down (one or two more on a path that loses packets anyway)
  double degraded_loss = 0.2;  // share in the window: degraded
  Millis stable{10000};        // good evidence for this long before a tunnel that was down serves again
  // Flaps: each fall adds 1000 penalty, halved every 60 s; over 3000 `stable` is stretched to `stable_max`.
  Millis stable_max{60000};
};

struct Judgement {
  Verdict verdict = Verdict::Down;
  std::string reason = "starting";
  TimePoint since{};
  bool operator==(const Judgement&) const = default;
};

// One tunnel's verdict over time. The first rise after start needs no stable interval.
class TunnelHealth {
 public:
  explicit TunnelHealth(Parameters p = {}) : parameters_(p) {}

  // Feeds evidence; the result is the present judgement. Call on every change and at next_deadline().
  const Judgement& update(TimePoint now, const Evidence& e);
  const Judgement& judgement() const { return current_; }
  std::optional<TimePoint> next_deadline() const { return stable_at_; }
  // Flap penalty as of now, for show.
  double penalty(TimePoint now) const;

 private:
  Parameters parameters_;
  Judgement current_;
  bool was_up_ = false;
  std::optional<TimePoint> stable_at_;
  double penalty_ = 0;
  TimePoint penalty_at_{};
};

}  // namespace cgw::health
