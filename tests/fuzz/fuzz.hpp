#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

// What the targets of this folder share. A target is one libFuzzer entry point; replay.cpp is the other way in.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace cgw::fuzz {

// A property that holds for every input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// The input, taken piece by piece; zeroes and nothing when it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  bool more() const { return !left_.empty(); }
  std::uint8_t octet() {
    if (left_.empty()) return 0;
    const std::uint8_t v = left_.front();
    left_ = left_.subspan(1);
    return v;
  }
  std::uint16_t pair() {
    const std::uint8_t high = octet();
    return static_cast<std::uint16_t>(high << 8 | octet());
  }
  std::span<const std::uint8_t> octets(std::size_t n) {
    const auto out = left_.first(n < left_.size() ? n : left_.size());
    left_ = left_.subspan(out.size());
    return out;
  }
  // With its length in front.
  std::span<const std::uint8_t> piece() { return octets(octet()); }
  std::span<const std::uint8_t> rest() { return octets(left_.size()); }
  std::string_view text() {
    const auto all = rest();
    return {reinterpret_cast<const char*>(all.data()), all.size()};
  }

 private:
  std::span<const std::uint8_t> left_;
};

}  // namespace cgw::fuzz
