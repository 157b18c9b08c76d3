#pragma once
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace cgw::test {

// The seeds a simulation runs with: `count` from `first` on. CGW_SIM_SEEDS=20 takes twenty times as many,
// CGW_SIM_SEED=7 that one alone, to replay a failure.
inline std::vector<std::uint64_t> seeds(std::uint64_t first, std::uint64_t count) {
  if (const char* one = std::getenv("CGW_SIM_SEED")) return {std::stoull(one)};
  if (const char* times = std::getenv("CGW_SIM_SEEDS")) count *= std::stoull(times);
  std::vector<std::uint64_t> out;
  for (std::uint64_t i = 0; i < count; ++i)
    out.push_back(first + i);
  return out;
}

}  // namespace cgw::test
