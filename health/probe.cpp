#include "health/probe.hpp"

#include <algorithm>
#include <cmath>

namespace cgw::health {
namespace {

constexpr std::uint32_t kDoubt = 6;

double ms(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace

void Prober::start(TimePoint now) {
  const bool ever = ever_answered_;
  const auto sequence = next_sequence_;
  *this = Prober(config_);
  ever_answered_ = ever;
  next_sequence_ = sequence;
  running_ = true;
  next_send_ = now;
}

void Prober::stop() {
  running_ = false;
  next_send_.reset();
  outstanding_.clear();
  late_.clear();
}

std::vector<Prober::Send> Prober::tick(TimePoint now) {
  std::vector<Send> out;
  if (!running_) return out;
  while (!outstanding_.empty() && outstanding_.front().sent + timeout() <= now) {
    if (missed_ == 0 && next_send_) next_send_ = std::min(*next_send_, now + config_.interval / 2);
    ++missed_;
    record(false);
    late_.push_back(outstanding_.front());
    if (late_.size() > config_.window) late_.erase(late_.begin());
    outstanding_.erase(outstanding_.begin());
  }
  if (next_send_ && *next_send_ <= now) {
    out.push_back({next_sequence_});
    outstanding_.push_back({next_sequence_++, now});
    next_send_ = now + (doubtful() ? config_.interval / 2 : config_.interval);
  }
  return out;
}

void Prober::answered(TimePoint now, std::uint16_t sequence) {
  if (!running_) return;
  for (auto* queue : {&outstanding_, &late_}) {
    const auto it = std::ranges::find(*queue, sequence, &Outstanding::sequence);
    if (it == queue->end()) continue;
    learn_rtt(ms(now - it->sent));
    queue->erase(it);
    missed_ = 0;
    ever_answered_ = true;
    if (queue == &outstanding_) record(true);
    return;
  }
}

// RFC 6298 2.
void Prober::learn_rtt(double sample_ms) {
  last_rtt_ = sample_ms;
  if (!srtt_) {
    srtt_ = sample_ms;
    rttvar_ = sample_ms / 2;
    return;
  }
  rttvar_ = 0.75 * *rttvar_ + 0.25 * std::abs(*srtt_ - sample_ms);
  srtt_ = 0.875 * *srtt_ + 0.125 * sample_ms;
}

void Prober::record(bool answered) {
  results_.push_back(answered);
  if (results_.size() > config_.window) results_.erase(results_.begin());
}

// A path that is dead anyway is not asked more often than the configuration says.
bool Prober::doubtful() const {
  return missed_ > 0 && missed_ < kDoubt;
}

std::uint32_t Prober::other_losses() const {
  const auto lost = static_cast<std::uint32_t>(std::ranges::count(results_, false));
  return lost - std::min(lost, missed_);
}

std::optional<TimePoint> Prober::next_deadline() const {
  std::optional<TimePoint> at = next_send_;
  if (running_ && !outstanding_.empty()) at = std::min(*at, outstanding_.front().sent + timeout());
  return at;
}

std::optional<Millis> Prober::rtt() const {
  if (!last_rtt_) return std::nullopt;
  return Millis(static_cast<Millis::rep>(*last_rtt_));
}
std::optional<double> Prober::srtt_ms() const {
  return srtt_;
}

double Prober::loss() const {
  if (results_.empty()) return 0;
  const auto lost = std::ranges::count(results_, false);
  return static_cast<double>(lost) / static_cast<double>(results_.size());
}

Duration Prober::timeout() const {
  const double estimate = srtt_ ? *srtt_ + 4 * *rttvar_ : 0;
  const double bounded = std::clamp(estimate, ms(config_.timeout_floor), ms(config_.timeout_max));
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(bounded));
}

}  // namespace cgw::health
