#pragma once
#include <chrono>

// Time as the cores see it: always an argument, never read. The daemon passes steady_clock, tests
// pass whatever they like.
namespace cgw {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
using Seconds = std::chrono::seconds;
using Millis = std::chrono::milliseconds;

}  // namespace cgw
