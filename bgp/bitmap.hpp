#pragma once
#include <cstdint>
#include <vector>

namespace cgw::bgp {

// A set of small numbers; it grows to the greatest one.
class Bitmap {
 public:
  bool test(std::uint32_t i) const { return i / 64 < words_.size() && (words_[i / 64] >> (i % 64) & 1) != 0; }
  // False: it was there.
  bool set(std::uint32_t i) {
    if (i / 64 >= words_.size()) words_.resize(i / 64 + 1);
    const std::uint64_t bit = std::uint64_t{1} << (i % 64);
    const bool fresh = (words_[i / 64] & bit) == 0;
    words_[i / 64] |= bit;
    count_ += fresh ? 1U : 0U;
    return fresh;
  }
  // False: it was not there.
  bool clear(std::uint32_t i) {
    if (!test(i)) return false;
    words_[i / 64] &= ~(std::uint64_t{1} << (i % 64));
    --count_;
    return true;
  }
  std::uint32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

  // In order; f may clear() the number it is given.
  template <class F>
  void for_each(F f) const {
    for (std::uint32_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t left = words_[w]; left != 0; left &= left - 1)
        f(w * 64 + static_cast<std::uint32_t>(__builtin_ctzll(left)));
    }
  }

 private:
  std::vector<std::uint64_t> words_;
  std::uint32_t count_ = 0;
};

}  // namespace cgw::bgp
