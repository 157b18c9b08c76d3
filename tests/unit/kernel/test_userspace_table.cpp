#include <doctest/doctest.h>

#include <vector>

#include "kernel/userspace_table.hpp"

namespace cgw::kernel::userspace {
namespace {

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

std::vector<std::uint8_t> packet(const char* from, const char* to) {
  const IpAddress source = ip(from), target = ip(to);
  std::vector<std::uint8_t> out(source.is_v4() ? 12 : 8);
  out[0] = source.is_v4() ? 0x45 : 0x60;
  for (const auto& a : {source, target})
    out.insert(out.end(), a.bytes().begin(), a.bytes().end());
  return out;
}

TEST_SUITE("kernel/userspace_table") {
  TEST_CASE("an inner packet passes only between addresses of the traffic selectors [RFC 4301 5.2]") {
    const InnerCheck check({ip("10.0.0.5"), ip("10.0.1.3")}, {ip("192.0.2.0"), ip("192.0.2.255")});
    CHECK(check.allows(packet("10.0.0.5", "192.0.2.0")));
    CHECK(check.allows(packet("10.0.1.3", "192.0.2.255")));
    CHECK(!check.allows(packet("10.0.0.4", "192.0.2.1")));
    CHECK(!check.allows(packet("10.0.1.4", "192.0.2.1")));
    CHECK(!check.allows(packet("10.0.0.5", "192.0.3.0")));
    CHECK(!check.allows(packet("10.0.0.5", "192.0.1.255")));
  }

  TEST_CASE("selectors of one family let no packet of the other pass") {
    const InnerCheck all({ip("0.0.0.0"), ip("255.255.255.255")}, {ip("0.0.0.0"), ip("255.255.255.255")});
    CHECK(all.allows(packet("10.0.0.1", "192.0.2.1")));
    CHECK(!all.allows(packet("2001:db8::1", "2001:db8::2")));
    const InnerCheck six({ip("2001:db8::"), ip("2001:db8::ff")},
                         {ip("::"), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")});
    CHECK(six.allows(packet("2001:db8::1", "2001:db8::2")));
    CHECK(!six.allows(packet("2001:db8::100", "2001:db8::2")));
    CHECK(!six.allows(packet("10.0.0.1", "192.0.2.1")));
  }

  TEST_CASE("every truncation of an inner packet is outside") {
    const InnerCheck all({ip("0.0.0.0"), ip("255.255.255.255")}, {ip("0.0.0.0"), ip("255.255.255.255")});
    const auto whole = packet("10.0.0.1", "192.0.2.1");
    for (std::size_t n = 0; n < whole.size(); ++n)
      CHECK(!all.allows(Bytes(whole).first(n)));
  }

  TEST_CASE("rows come to a packet thread once, in order, and what it replaces is let go of then") {
    Inbox inbox;
    Table table;
    std::vector<Row> rows;
    CHECK(!inbox.take(rows));
    const auto counters = std::make_shared<Counters>();
    inbox.post(TunnelRow{.id = 7, .entry = TunnelEntry{.tun = nullptr, .counters = counters, .out = nullptr}});
    inbox.post(TunnelRow{.id = 8, .entry = TunnelEntry{}});
    inbox.post(TunnelRow{.id = 8, .entry = std::nullopt});
    REQUIRE(inbox.take(rows));
    for (auto& row : rows)
      table.put(std::move(row));
    CHECK(!inbox.take(rows));
    CHECK(table.tunnels.contains(7));
    CHECK(!table.tunnels.contains(8));
    rows.clear();
    CHECK(counters.use_count() == 2);
    inbox.post(TunnelRow{.id = 7, .entry = TunnelEntry{}});
    CHECK(counters.use_count() == 2);
    REQUIRE(inbox.take(rows));
    table.put(std::move(rows.at(0)));
    CHECK(counters.use_count() == 1);
  }

  TEST_CASE("a thread that sleeps is woken before many rows wait for it") {
    Inbox inbox;
    std::vector<Row> rows;
    for (std::size_t i = 1; i < Inbox::kMost; ++i)
      CHECK(!inbox.post(InboundRow{.spi = 1, .sa = nullptr}));
    CHECK(inbox.post(InboundRow{.spi = 1, .sa = nullptr}));
    REQUIRE(inbox.take(rows));
    CHECK(rows.size() == Inbox::kMost);
    CHECK(!inbox.post(InboundRow{.spi = 1, .sa = nullptr}));
  }

  TEST_CASE("two tunnels with one peer are both to blame for it, until each is gone") {
    Table table;
    const auto one = std::make_shared<Counters>(), two = std::make_shared<Counters>();
    const auto put = [&](const auto& counters, bool gone) {
      table.put(PeerRow{.address = ip("192.0.2.1"), .counters = counters, .gone = gone});
    };
    put(one, false);
    put(one, false);
    put(two, false);
    CHECK(table.peers.size() == 2);
    put(one, true);
    REQUIRE(table.peers.size() == 1);
    CHECK(table.peers.begin()->second == two);
    put(one, true);
    put(two, true);
    CHECK(table.peers.empty());
  }

  TEST_CASE("each reason of the ESP transform has its own counter, and each counter its own name") {
    std::vector<std::string_view> names;
    for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Drop::count_); ++i)
      names.push_back(to_string(static_cast<Drop>(i)));
    for (std::size_t i = 0; i < names.size(); ++i)
      for (std::size_t k = 0; k < i; ++k)
        CHECK(names[i] != names[k]);
    CHECK(to_string(reason(ipsec::EspDrop::Replayed)) == "replayed");
    CHECK(to_string(reason(ipsec::EspDrop::BadIcv)) == "bad ICV");
    Counters c;
    c.drop(Drop::Replayed);
    c.drop(Drop::Replayed);
    CHECK(c.drops[static_cast<std::size_t>(Drop::Replayed)] == 2);
  }
}

}  // namespace
}  // namespace cgw::kernel::userspace
