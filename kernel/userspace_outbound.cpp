#include "kernel/userspace_outbound.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "ipsec/crypto.hpp"

namespace cgw::kernel::userspace {

KeyDigest digest_of(const ipsec::EspKeys& keys) {
  SecretBytes all(keys.encr.size() + keys.integ.size());
  std::ranges::copy(keys.integ.view(), std::ranges::copy(keys.encr.view(), all.mutable_view().begin()).out);
  const auto digest = ipsec::sha256(all.view());
  KeyDigest out;
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

KernelResult<std::shared_ptr<Sealing>> OutboundSas::take(const ipsec::ChildSa& sa) {
  const auto refuse = [&](const char* why) {
    return fail(KernelError{EEXIST, fmt::format("outbound SA {:08x}", sa.spi_out.value()), why});
  };
  const KeyDigest keys = digest_of(sa.out);
  const auto found = living_.find({sa.spi_in, sa.spi_out});
  if (found != living_.end()) {
    if (found->second.keys != keys) return refuse("another SA has these SPIs");
    return found->second.sealing;
  }
  if (const auto used = used_.find(keys); used != used_.end())
    return refuse(used->second ? "it was removed: its keys are used up" : "another SA has these keys");
  auto sealing = std::make_shared<Sealing>(sa, crypto_, lanes_);
  living_.emplace(std::pair{sa.spi_in, sa.spi_out}, Living{keys, sealing});
  used_.emplace(keys, false);
  return sealing;
}

void OutboundSas::retire(ipsec::Spi in, ipsec::Spi out) {
  const auto found = living_.find({in, out});
  if (found == living_.end()) return;
  used_[found->second.keys] = true;
  retired_.push_back(found->second.keys);
  living_.erase(found);
  if (retired_.size() <= kRemembered) return;
  used_.erase(retired_.front());
  retired_.pop_front();
}

}  // namespace cgw::kernel::userspace
