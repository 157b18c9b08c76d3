#pragma once
#include <string_view>

#include "base/note.hpp"

namespace cgw {

// Lines on stderr: time (UTC, milliseconds), level, who, what. A reader that does not keep up loses
// lines (counted and said later) rather than stopping the gateway.
class Log {
 public:
  explicit Log(Level threshold) : threshold_(threshold) {}
  bool enabled(Level level) const { return level <= threshold_; }
  // who: "vpn-0123 tunnel 1", "cgwd"; text without a line end.
  void write(Level level, std::string_view who, std::string_view text);
  // A line that somebody asked for (debug ...), whatever the threshold.
  void trace(std::string_view who, std::string_view text) { put(Level::Debug, who, text); }

 private:
  void put(Level level, std::string_view who, std::string_view text);

  Level threshold_;
  unsigned lost_ = 0;
};

}  // namespace cgw
