#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "base/ip.hpp"
#include "ipsec/child_sa.hpp"
#include "ipsec/esp.hpp"
#include "kernel/error.hpp"
#include "kernel/tun.hpp"
#include "kernel/userspace_order.hpp"
#include "kernel/userspace_socket.hpp"

// What the control thread and the packet threads of the userspace data plane share: rows for their tables, and
// counters.
namespace cgw::kernel::userspace {

// Why a packet went no further. The first six are ipsec::EspDrop, in its order.
enum class Drop : std::uint8_t {
  Truncated,
  Replayed,
  BadIcv,
  BadPadding,
  NotIp,
  Dummy,
  UnknownSpi,
  NoSa,
  Expired,
  UsedUp,
  OutsideSelectors,
  TooBig,
  InterfaceDown,
  NotSent,
  Congestion,
  Malformed,
  count_
};
std::string_view to_string(Drop d);
Drop reason(ipsec::EspDrop d);

// Written by one packet thread each (in by the receiver, out by the sender, drops by both); read by anybody.
struct Counters {
  using Count = std::atomic<std::uint64_t>;
  alignas(64) Count packets_in = 0, octets_in = 0;
  alignas(64) Count packets_out = 0, octets_out = 0;
  alignas(64) std::array<Count, static_cast<std::size_t>(Drop::count_)> drops{};

  void drop(Drop d, std::uint64_t n = 1) { add(drops[static_cast<std::size_t>(d)], n); }
  static void add(Count& c, std::uint64_t n) { c.fetch_add(n, std::memory_order_relaxed); }
};

using Clock = std::chrono::steady_clock;

// The selectors of one direction, ready to compare: is this inner packet one that the SA may carry?
class InnerCheck {
 public:
  InnerCheck(ipsec::AddressRange source, ipsec::AddressRange destination);
  // packet: at least its header is there, as the IP version says; anything else is outside.
  bool allows(Bytes packet) const;

 private:
  struct Range {
    std::array<std::uint8_t, 16> from{}, to{};
  };
  static Range range(const ipsec::AddressRange& r);
  static bool within(const Range& r, Bytes address);

  Family family_;
  Range source_, destination_;
};

// How far an SA's sequence numbers are used.
enum class Wear : std::uint8_t { Fresh, Nearly, UsedUp };

// What the packet threads tell the control thread, which waits at fd(). A thread comes here only when something
// changed.
class News {
 public:
  News();
  int fd() const { return fd_.get(); }
  void ring() const;
  void moved(IfId id, ipsec::Spi spi, const Endpoint& remote);

  struct Moved {
    IfId id;
    ipsec::Spi spi;
    Endpoint remote;
  };
  // The last of each SA.
  std::vector<Moved> take();

 private:
  static constexpr std::size_t kMost = 64;
  UniqueFd fd_;
  std::mutex mutex_;
  std::vector<Moved> moved_;
};

// An outbound SA: a sealer for each lane, and the sequence numbers that they take.
struct Sealing {
  Sealing(const ipsec::ChildSa& sa, ipsec::EspCrypto crypto, std::size_t lanes, std::uint64_t last = 0);
  // True: worse than before.
  bool wears();

  ipsec::EspSuite suite;
  ipsec::SequenceNumbers numbers;
  Departures departures;
  std::vector<ipsec::EspSealer> sealers;
  std::atomic<Wear> wear = Wear::Fresh;
};
using KeyDigest = std::array<std::uint8_t, 32>;

// An inbound SA: an opener for each lane; the replay window and the peer's endpoint are his whose turn it is.
struct Inbound {
  Inbound(IfId id, const KeyDigest& keys, const ipsec::ChildSa& sa, ipsec::EspCrypto crypto, std::size_t lanes,
          Clock::time_point expires);
  // True: worse than before.
  bool wears();

  IfId id;
  KeyDigest keys;
  ipsec::EspSuite suite;
  std::vector<ipsec::EspOpener> openers;
  ipsec::ReplayWindow window;
  InnerCheck inner;
  Endpoint remote;
  Clock::time_point expires;
  std::atomic<Wear> wear = Wear::Fresh;
};

// Where and how a tunnel sends. The sealing goes over to the next Outbound when only addresses change.
struct Outbound {
  ipsec::Spi spi_in, spi;
  std::shared_ptr<Sealing> sealing;
  InnerCheck inner;
  const EspSocket* socket = nullptr;
  Endpoint local, remote;
  Clock::time_point expires;
};

struct TunnelEntry {
  std::shared_ptr<const Tun> tun;  // null: the interface is not there (yet)
  std::shared_ptr<Counters> counters;
  std::shared_ptr<const Outbound> out;  // null: nothing may be sent
  std::size_t lane = 0;                 // the sender's, of this tunnel
};

// A row that is new, another, or gone (without a value).
struct TunnelRow {
  std::uint32_t id;
  std::optional<TunnelEntry> entry;
};
struct InboundRow {
  std::uint32_t spi;
  std::shared_ptr<Inbound> sa;
};
struct PeerRow {
  IpAddress address;
  std::shared_ptr<Counters> counters;
  bool gone = false;
};
// An inbound SA is negotiated: what comes for it is held, or no longer.
struct ExpectedRow {
  std::uint32_t spi;
  bool gone = false;
};
using Row = std::variant<TunnelRow, InboundRow, PeerRow, ExpectedRow>;

// What one packet thread goes by; its own.
struct Table {
  std::unordered_map<std::uint32_t, std::shared_ptr<Inbound>> inbound;  // by SPI
  std::unordered_map<std::uint32_t, TunnelEntry> tunnels;               // by if_id
  std::multimap<IpAddress, std::shared_ptr<Counters>> peers;            // whom to blame for an unknown SPI
  std::unordered_set<std::uint32_t> expected;                           // SPIs of SAs to come

  void put(Row row);
};

// Hands rows from the control thread to one packet thread, which asks before each batch: a change costs the same
// however many tunnels there are. The lock is held for a move, and taken by the packet thread only when something
// changed.
class Inbox {
 public:
  static constexpr std::size_t kMost = 64;  // rows that may wait until the thread looks by itself

  // True: the thread should be woken.
  bool post(Row row);
  // All that came, in order; in `out` until the next call. False: nothing.
  bool take(std::vector<Row>& out);

 private:
  std::mutex mutex_;
  std::vector<Row> waiting_;
  std::atomic<bool> any_ = false;
};

}  // namespace cgw::kernel::userspace
