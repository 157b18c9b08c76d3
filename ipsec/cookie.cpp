#include "ipsec/cookie.hpp"

#include <utility>

namespace cgw::ipsec {
namespace {

constexpr Seconds kServes{60};
constexpr std::size_t kKey = 32;

}  // namespace

void CookieJar::rotate(TimePoint now) {
  if (!present_.key.empty() && now < made_ + kServes) return;
  const bool recent = !present_.key.empty() && now < made_ + 2 * kServes;
  Buffer fresh(kKey);
  entropy_.fill(fresh);
  const auto number = static_cast<std::uint8_t>(present_.number + 1);
  before_ = std::exchange(present_, Secret{number, SecretBytes(Bytes(fresh))});
  if (!recent) before_ = {};
  made_ = now;
}

Buffer CookieJar::compute(const Secret& s, Bytes nonce, const IpAddress& initiator, std::uint64_t spi_i) {
  Buffer what(nonce.begin(), nonce.end());
  Writer w(what);
  w.bytes(initiator.bytes());
  w.u32(static_cast<std::uint32_t>(spi_i >> 32));
  w.u32(static_cast<std::uint32_t>(spi_i));
  Buffer cookie = prf(Prf::HmacSha256, s.key.view(), what);
  cookie.insert(cookie.begin(), s.number);
  return cookie;
}

Buffer CookieJar::make(TimePoint now, Bytes nonce, const IpAddress& initiator, std::uint64_t spi_i) {
  rotate(now);
  return compute(present_, nonce, initiator, spi_i);
}

bool CookieJar::good(TimePoint now, Bytes cookie, Bytes nonce, const IpAddress& initiator, std::uint64_t spi_i) {
  rotate(now);
  if (cookie.empty()) return false;
  for (const Secret* s : {&present_, &before_}) {
    if (!s->key.empty() && s->number == cookie[0]) return equal_ct(cookie, compute(*s, nonce, initiator, spi_i));
  }
  return false;
}

}  // namespace cgw::ipsec
