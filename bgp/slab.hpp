#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace cgw::bgp {

// A growing array that never moves its elements: no doubling, hence no second copy of a full table while it grows.
template <class T>
class Slab {
 public:
  T& operator[](std::uint32_t i) { return chunks_[i / kChunk][i % kChunk]; }
  const T& operator[](std::uint32_t i) const { return chunks_[i / kChunk][i % kChunk]; }
  std::uint32_t size() const { return size_; }

  // Elements are value-initialized.
  void resize(std::uint32_t n) {
    while (chunks_.size() * kChunk < n)
      chunks_.push_back(std::make_unique<T[]>(kChunk));
    size_ = n;
  }
  std::uint32_t append(const T& value) {
    resize(size_ + 1);
    (*this)[size_ - 1] = value;
    return size_ - 1;
  }
  std::size_t octets() const { return chunks_.size() * kChunk * sizeof(T); }

 private:
  static constexpr std::uint32_t kChunk = 1024;
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::uint32_t size_ = 0;
};

}  // namespace cgw::bgp
