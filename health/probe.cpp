#include "health/probe.hpp"

#include <algorithm>
#include <cmath>

namespace cgw::health {
namespace {

double ms(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

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
}

std::vector<Prober::Send> Prober::tick(TimePoint now) {
  std::vector<Send> out;
  if (!running_) return out;
  while (!outstanding_.empty() && outstanding_.front().sent + timeout() <= now) {
    outstanding_.pop_front();
    ++missed_;
    results_.push_back(false);
    if (results_.size() > config_.window) results_.pop_front();
  }
  if (next_send_ && *next_send_ <= now) {
    out.push_back({next_sequence_});
    outstanding_.push_back({next_sequence_++, now});
    next_send_ = now + config_.interval;
  }
  return out;
}

void Prober::answered(TimePoint now, std::uint16_t sequence) {
  const auto it = std::ranges::find(outstanding_, sequence, &Outstanding::sequence);
  if (!running_ || it == outstanding_.end()) return;
  const double sample = ms(now - it->sent);
  outstanding_.erase(it);
  ever_answered_ = true;
  missed_ = 0;
  last_rtt_ = sample;
  if (!srtt_) {
    srtt_ = sample;
    rttvar_ = sample / 2;
  } else {
    rttvar_ = 0.75 * *rttvar_ + 0.25 * std::abs(*srtt_ - sample);
    srtt_ = 0.875 * *srtt_ + 0.125 * sample;
  }
  results_.push_back(true);
  if (results_.size() > config_.window) results_.pop_front();
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
std::optional<double> Prober::srtt_ms() const { return srtt_; }

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
