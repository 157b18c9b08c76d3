#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace cgw {

// Key material: wiped when it dies, never formatted. There is no operator<<, no fmt formatter and
// no to_string on purpose.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::span<const std::uint8_t> b) : data_(b.begin(), b.end()) {}
  explicit SecretBytes(std::string_view s) : data_(s.begin(), s.end()) {}
  explicit SecretBytes(std::size_t size) : data_(size) {}
  SecretBytes(const SecretBytes&) = default;
  SecretBytes(SecretBytes&& other) noexcept : data_(std::exchange(other.data_, {})) {}
  SecretBytes& operator=(const SecretBytes& other) {
    if (this != &other) assign(std::vector<std::uint8_t>(other.data_));
    return *this;
  }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) assign(std::exchange(other.data_, {}));
    return *this;
  }
  ~SecretBytes() { wipe(); }

  std::span<const std::uint8_t> view() const { return data_; }
  std::span<std::uint8_t> mutable_view() { return data_; }
  std::size_t size() const { return data_.size(); }
  bool empty() const { return data_.empty(); }
  bool operator==(const SecretBytes&) const = default;

 private:
  void assign(std::vector<std::uint8_t>&& data) {
    wipe();
    data_ = std::move(data);
  }
  void wipe();

  std::vector<std::uint8_t> data_;
};

}  // namespace cgw
