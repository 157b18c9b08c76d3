#pragma once
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/time.hpp"

// When to send an echo request through a tunnel and what its answers mean. Pure; kernel/icmp.hpp
// has the socket.
namespace cgw::health {

struct ProbeConfig {
  Millis interval{100};
  // How long an answer may take: max(floor, SRTT + 4 RTTVAR), ceiling `timeout_max`.
  Millis timeout_floor{100};
  Millis timeout_max{1000};
  std::uint32_t window = 50;  // probes over which loss is computed
};

// One series of probes; sequence numbers are the caller's to put on the wire. After a miss the pace doubles, so
// that with the defaults and a short RTT the third miss in a row is counted at most 350 ms after the last answered
// probe was sent. An answer that comes after its timeout ends the run of misses and teaches the estimator.
class Prober {
 public:
  explicit Prober(ProbeConfig c = {}) : config_(c) {}

  void start(TimePoint now);  // forgets everything but whether it was ever answered
  void stop();
  struct Send {
    std::uint16_t sequence;
  };
  // Requests due now, and misses counted; call at next_deadline().
  std::vector<Send> tick(TimePoint now);
  void answered(TimePoint now, std::uint16_t sequence);
  std::optional<TimePoint> next_deadline() const;

  bool running() const { return running_; }
  bool ever_answered() const { return ever_answered_; }
  std::uint32_t missed_in_a_row() const { return missed_; }
  // Unanswered probes in the window, those of the present run of misses not counted.
  std::uint32_t other_losses() const;
  std::optional<Millis> rtt() const;      // last
  std::optional<double> srtt_ms() const;  // RFC 6298's SRTT
  double loss() const;                    // 0..1 over the window
  Duration timeout() const;

 private:
  struct Outstanding {
    std::uint16_t sequence;
    TimePoint sent;
  };
  ProbeConfig config_;
  bool running_ = false, ever_answered_ = false;
  std::uint16_t next_sequence_ = 0;
  std::optional<TimePoint> next_send_;
  void learn_rtt(double sample_ms);
  void record(bool answered);
  bool doubtful() const;

  std::vector<Outstanding> outstanding_;
  std::vector<Outstanding> late_;  // timed out; an answer may still come
  std::vector<bool> results_;      // true: answered
  std::uint32_t missed_ = 0;
  std::optional<double> srtt_, rttvar_, last_rtt_;  // ms
};

}  // namespace cgw::health
