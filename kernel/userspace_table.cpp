#include "kernel/userspace_table.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/overload.hpp"

namespace cgw::kernel::userspace {

std::string_view to_string(Drop d) {
  switch (d) {
    case Drop::Truncated: return "truncated";
    case Drop::Replayed: return "replayed";
    case Drop::BadIcv: return "bad ICV";
    case Drop::BadPadding: return "bad padding";
    case Drop::NotIp: return "not IP";
    case Drop::Dummy: return "dummy";
    case Drop::UnknownSpi: return "unknown SPI";
    case Drop::NoSa: return "no SA";
    case Drop::Expired: return "expired";
    case Drop::UsedUp: return "sequence numbers used up";
    case Drop::OutsideSelectors: return "outside traffic selectors";
    case Drop::TooBig: return "too big";
    case Drop::InterfaceDown: return "interface down";
    case Drop::NotSent: return "not sent";
    case Drop::Congestion: return "congestion marked, but not ECN-capable";
    case Drop::Malformed: return "malformed";
    case Drop::count_: break;
  }
  return "?";
}

Drop reason(ipsec::EspDrop d) {
  switch (d) {
    case ipsec::EspDrop::Truncated: return Drop::Truncated;
    case ipsec::EspDrop::Replayed: return Drop::Replayed;
    case ipsec::EspDrop::BadIcv: return Drop::BadIcv;
    case ipsec::EspDrop::BadPadding: return Drop::BadPadding;
    case ipsec::EspDrop::NotIp: return Drop::NotIp;
    case ipsec::EspDrop::Dummy: return Drop::Dummy;
    case ipsec::EspDrop::count_: break;
  }
  return Drop::Truncated;
}

InnerCheck::InnerCheck(ipsec::AddressRange source, ipsec::AddressRange destination)
    : family_(source.from.family()),
      source_(range(source)),
      destination_(range(destination)) {}

InnerCheck::Range InnerCheck::range(const ipsec::AddressRange& r) {
  Range out;
  std::ranges::copy(r.from.bytes(), out.from.begin());
  std::ranges::copy(r.to.bytes(), out.to.begin());
  return out;
}

bool InnerCheck::within(const Range& r, Bytes address) {
  const auto less = [](auto a, auto b) { return std::ranges::lexicographical_compare(a, b); };
  return !less(address, std::span(r.from).first(address.size())) &&
         !less(std::span(r.to).first(address.size()), address);
}

bool InnerCheck::allows(Bytes packet) const {
  constexpr std::size_t kHeaderV4 = 20, kHeaderV6 = 40;
  if (packet.empty()) return false;
  if (family_ == Family::V4) {
    return packet[0] >> 4 == 4 && packet.size() >= kHeaderV4 && within(source_, packet.subspan(12, 4)) &&
           within(destination_, packet.subspan(16, 4));
  }
  return packet[0] >> 4 == 6 && packet.size() >= kHeaderV6 && within(source_, packet.subspan(8, 16)) &&
         within(destination_, packet.subspan(24, 16));
}

News::News() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_.get() < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void News::ring() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = write(fd_.get(), &one, sizeof one);
}

void News::moved(IfId id, ipsec::Spi spi, const Endpoint& remote) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(moved_, [&](const Moved& m) { return m.spi == spi; });
    if (moved_.size() == kMost) return;
    moved_.push_back({id, spi, remote});
  }
  ring();
}

std::vector<News::Moved> News::take() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = read(fd_.get(), &count, sizeof count);
  const std::lock_guard lock(mutex_);
  return std::exchange(moved_, {});
}

// A quarter of the window that we have, and that the peer is taken to have as well: the rest is for the network's own
// disorder.
Sealing::Sealing(const ipsec::ChildSa& sa, ipsec::EspCrypto crypto, std::size_t lanes, std::uint64_t last)
    : suite(sa.suite),
      numbers(sa.suite, last),
      departures(lanes, std::max(sa.replay_window / 4, 1U)) {
  for (std::size_t i = 0; i < lanes; ++i)
    sealers.emplace_back(sa.suite, sa.spi_out, sa.out, crypto);
}

bool Sealing::wears() {
  const bool nearly = ipsec::nearly_used_up(suite, numbers.last());
  const Wear now = numbers.used_up() ? Wear::UsedUp : nearly ? Wear::Nearly : Wear::Fresh;
  Wear before = wear.load(std::memory_order_relaxed);
  while (before < now) {
    if (wear.compare_exchange_weak(before, now, std::memory_order_relaxed)) return true;
  }
  return false;
}

Inbound::Inbound(IfId id_, const KeyDigest& keys_, const ipsec::ChildSa& sa, ipsec::EspCrypto crypto, std::size_t lanes,
                 Clock::time_point expires_)
    : id(id_),
      keys(keys_),
      suite(sa.suite),
      window(sa.replay_window),
      inner(sa.remote_ts, sa.local_ts),
      remote(sa.remote),
      expires(expires_) {
  for (std::size_t i = 0; i < lanes; ++i)
    openers.emplace_back(sa.suite, sa.in, crypto);
}

bool Inbound::wears() {
  return ipsec::nearly_used_up(suite, window.highest()) &&
         wear.exchange(Wear::Nearly, std::memory_order_relaxed) == Wear::Fresh;
}

void Table::put(Row row) {
  const auto visitor = Overload{
      [&](TunnelRow& t) {
        if (t.entry) {
          tunnels.insert_or_assign(t.id, std::move(*t.entry));
        } else {
          tunnels.erase(t.id);
        }
      },
      [&](InboundRow& i) {
        if (i.sa) {
          inbound.insert_or_assign(i.spi, std::move(i.sa));
        } else {
          inbound.erase(i.spi);
        }
      },
      [&](PeerRow& p) {
        const auto [first, last] = peers.equal_range(p.address);
        const auto known = std::find_if(first, last, [&](const auto& at) { return at.second == p.counters; });
        if (p.gone && known != last) peers.erase(known);
        if (!p.gone && known == last) peers.emplace(p.address, std::move(p.counters));
      },
      [&](const ExpectedRow& e) {
        if (e.gone) {
          expected.erase(e.spi);
        } else {
          expected.insert(e.spi);
        }
      },
  };
  std::visit(visitor, row);
}

bool Inbox::post(Row row) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(row));
  any_.store(true, std::memory_order_release);
  return waiting_.size() >= kMost;
}

bool Inbox::take(std::vector<Row>& out) {
  if (!any_.load(std::memory_order_acquire)) return false;
  out.clear();
  const std::lock_guard lock(mutex_);
  out.swap(waiting_);
  any_.store(false, std::memory_order_release);
  return true;
}

}  // namespace cgw::kernel::userspace
