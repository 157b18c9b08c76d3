// The kernel room against this machine's kernel, in network namespaces of its own. Needs root.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include "kernel/fib.hpp"
#include "kernel/icmp.hpp"
#include "kernel/links.hpp"
#include "kernel/mss_clamp.hpp"

using namespace cgw;
using namespace cgw::kernel;
using rib::ExitId, rib::GroupId;

namespace {

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen((command + " 2>&1").c_str(), "r"), ::pclose);
  std::string out;
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe.get()))
    out.append(buffer, n);
  return out;
}

void run(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A fresh namespace for each case: loopback, and t1/t2 (tunnels, veth pairs whose far ends are p1/p2).
bool fresh_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) {
    MESSAGE("SKIPPED: a new network namespace needs root (CAP_SYS_ADMIN), errno " << errno);
    return false;
  }
  run("ip link set lo up");
  for (const std::string n : {"1", "2"}) {
    run("ip link add t" + n + " type veth peer name p" + n);
    run("ip link set p" + n + " up && ip link set t" + n + " up && ip addr add 169.254." + n + ".2/30 dev t" + n);
  }
  return true;
}

IfIndex index_of(const std::string& name) {
  auto links = Links::open();
  REQUIRE(links);
  const auto found = links->find(name);
  REQUIRE(found);
  REQUIRE(found->has_value());
  return (*found)->index;
}

ExitState exit_state(const std::string& n) {
  return {index_of("t" + n), *IpAddress::parse("169.254." + n + ".1")};
}

Prefix prefix(const std::string& text) {
  return *Prefix::parse(text);
}

void ok(const FibErrors& e) {
  for (const auto& one : e.errors)
    FAIL_CHECK(one.to_string());
}

rib::GroupSet group(std::uint32_t id, std::vector<ExitId> active) {
  return {GroupId{id}, {ExitId{1}, ExitId{2}}, std::move(active)};
}

rib::RouteSet route(const std::string& p, std::uint32_t group) {
  return {prefix(p), GroupId{group}, rib::Protocol::Bgp};
}

Fib two_exits_and_a_route() {
  auto fib = Fib::open();
  REQUIRE(fib);
  ok(fib->set_exit(ExitId{1}, exit_state("1")));
  ok(fib->set_exit(ExitId{2}, exit_state("2")));
  ok(fib->apply({group(1, {ExitId{1}}), route("10.9.0.0/16", 1)}));
  return std::move(*fib);
}

std::string way(const std::string& address) {
  return output_of("ip route get " + address);
}

template <class Done>
bool wait_for(int fd, const Done& done) {
  for (int i = 0; i < 50; ++i) {
    if (done()) return true;
    pollfd p{fd, POLLIN, 0};
    ::poll(&p, 1, 100);
  }
  return false;
}

}  // namespace

TEST_CASE("a group moves from one exit to the other, to a blackhole and back, and its route stays in place") {
  if (!fresh_namespace()) return;
  Fib fib = two_exits_and_a_route();
  CHECK(has(way("10.9.0.1"), "dev t1"));
  CHECK(fib.routes() == 1);
  const auto id = fib.nexthop_id(GroupId{1});
  ok(fib.apply({group(1, {ExitId{2}})}));
  CHECK(has(way("10.9.0.1"), "dev t2"));
  ok(fib.apply({group(1, {})}));
  CHECK(has(way("10.9.0.1"), "Invalid argument"));  // what a blackhole answers
  ok(fib.apply({group(1, {ExitId{1}, ExitId{2}})}));
  CHECK(has(output_of("ip nexthop show id " + std::to_string(*id)), "/"));
  CHECK(fib.nexthop_id(GroupId{1}) == id);
  const std::string routes = output_of("ip route show proto 199");
  CHECK(has(routes, "10.9.0.0/16 nhid " + std::to_string(*id)));
  CHECK(has(routes, "blackhole 10.9.0.0/16 metric 4000000000"));
  ok(fib.apply({rib::RouteGone{prefix("10.9.0.0/16")}, rib::GroupGone{GroupId{1}}}));
  CHECK(output_of("ip route show proto 199").empty());
}

TEST_CASE("a group change is one netlink message, seen by others as one event") {
  if (!fresh_namespace()) return;
  Fib fib = two_exits_and_a_route();
  rib::PlanChanges many;
  for (int i = 0; i < 50; ++i)
    many.push_back(route("10.10." + std::to_string(i) + ".0/24", 1));
  ok(fib.apply(many));
  const std::string file = output_of("mktemp").substr(0, 15);
  run("ip monitor nexthop route > " + file + " & echo $! > " + file + ".pid; sleep 0.3");
  ok(fib.apply({group(1, {ExitId{2}})}));
  run("sleep 0.2; kill $(cat " + file + ".pid)");
  const std::string seen = output_of("grep -c 'group' " + file + "; rm -f " + file + " " + file + ".pid");
  CHECK(seen == "1\n");
}

TEST_CASE("what the kernel drops with an interface comes back when the exit is set again") {
  if (!fresh_namespace()) return;
  Fib fib = two_exits_and_a_route();
  run("ip link set t1 down");
  CHECK(has(way("10.9.0.1"), "Invalid argument"));  // never in clear: the blackhole behind stays
  run("ip link set t1 up");
  ok(fib.set_exit(ExitId{1}, exit_state("1")));
  CHECK(has(way("10.9.0.1"), "dev t1"));
  run("ip link set t1 down");
  ok(fib.apply({group(1, {ExitId{2}})}));  // the group itself is gone; nobody said so
  CHECK(has(way("10.9.0.1"), "dev t2"));
  CHECK(fib.routes() == 1);
}

TEST_CASE("resync repairs what others removed, and finds nothing to do when all is well") {
  if (!fresh_namespace()) return;
  Fib fib = two_exits_and_a_route();
  ok(fib.sweep());
  CHECK(fib.resync() == 0u);
  run("ip route del 10.9.0.0/16 metric 20 && ip route del 10.9.0.0/16 metric 4000000000");
  CHECK(fib.resync() == 2u);
  CHECK(fib.resync() == 0u);
  run("ip nexthop flush proto 199");
  CHECK(fib.resync().value_or(0) > 0);
  CHECK(has(way("10.9.0.1"), "dev t1"));
}

TEST_CASE("a second process adopts the first one's routes without a change, and sweeps the rest") {
  if (!fresh_namespace()) return;
  std::string before;
  {
    Fib first = two_exits_and_a_route();
    ok(first.apply({group(2, {ExitId{1}, ExitId{2}}), route("10.77.0.0/16", 2)}));
    before = output_of("ip nexthop; ip route");
  }
  auto second = Fib::open();
  REQUIRE(second);
  ok(second->set_exit(ExitId{7}, exit_state("1")));
  ok(second->set_exit(ExitId{8}, exit_state("2")));
  ok(second->apply({group(5, {ExitId{7}}), route("10.9.0.0/16", 5)}));
  CHECK(output_of("ip nexthop; ip route") == before);
  ok(second->sweep());
  CHECK(has(way("10.9.0.1"), "dev t1"));
  CHECK_FALSE(has(output_of("ip route"), "10.77.0.0/16"));
}

TEST_CASE("with policy unreachable or remove, a group without exits uncovers what is behind") {
  if (!fresh_namespace()) return;
  auto fib = Fib::open();
  REQUIRE(fib);
  std::string answer = "Network is unreachable";
  SUBCASE("unreachable") {
    answer = "No route to host";
    fib->set_when_down(Fib::WhenDown::Unreachable);
  }
  SUBCASE("remove") {
    fib->set_when_down(Fib::WhenDown::Remove);
  }
  ok(fib->set_exit(ExitId{1}, exit_state("1")));
  ok(fib->apply({group(1, {ExitId{1}}), route("10.9.0.0/16", 1)}));
  ok(fib->apply({group(1, {})}));
  CHECK(has(way("10.9.0.1"), answer));
  CHECK(fib->routes() == 0);
  ok(fib->apply({group(1, {ExitId{1}})}));
  CHECK(has(way("10.9.0.1"), "dev t1"));
}

TEST_CASE("10,000 prefixes of both families go in and out in batches; a refused one does not hold up the rest") {
  if (!fresh_namespace()) return;
  Fib fib = two_exits_and_a_route();
  run("ip route add 10.20.7.0/24 via 169.254.2.1 metric 20 proto static");
  rib::PlanChanges in, out;
  for (int i = 0; i < 10000; ++i) {
    const std::string p = "10." + std::to_string(20 + i / 256) + "." + std::to_string(i % 256) + ".0/24";
    in.push_back(route(p, 1));
    out.push_back(rib::RouteGone{prefix(p)});
  }
  const auto refused = fib.apply(in);
  REQUIRE(refused.errors.size() == 1);
  CHECK(has(refused.errors[0].to_string(), "RTM_NEWROUTE 10.20.7.0/24: File exists (EEXIST)"));
  CHECK(fib.routes() == 10000);
  CHECK(output_of("ip route show proto 199 metric 20 | wc -l") == "10000\n");
  ok(fib.apply(out));
  CHECK(output_of("ip route show proto 199 metric 20 | wc -l") == "1\n");
  CHECK(has(output_of("ip route show 10.20.7.0/24"), "proto static"));
}

TEST_CASE("IPv6 prefixes meet the blackhole and come back") {
  if (!fresh_namespace()) return;
  run("ip -6 addr add fd00:1::2/126 dev t1 nodad");
  auto fib = Fib::open();
  REQUIRE(fib);
  ok(fib->set_exit(ExitId{1}, {index_of("t1"), *IpAddress::parse("fd00:1::1")}));
  ok(fib->apply({group(1, {}), route("2001:db8:9::/48", 1)}));
  CHECK(has(output_of("ip -6 route show proto 199"), "blackhole 2001:db8:9::/48 nhid"));
  ok(fib->apply({group(1, {ExitId{1}})}));
  CHECK(has(way("2001:db8:9::1"), "dev t1"));
}

TEST_CASE("purge removes all that is ours and leaves others' routes, nexthops and tables alone") {
  if (!fresh_namespace()) return;
  run("ip nexthop add id 5 blackhole proto 199 && ip nexthop add id 208080000 blackhole proto 4");
  run("ip route add 10.50.0.0/16 dev t1 proto 199 metric 5 && ip route add 10.9.0.0/16 dev t2 metric 30");
  run("nft add table inet other");
  Fib fib = two_exits_and_a_route();
  REQUIRE(set_mss_clamp({{"t1", {1359, 1339}}}));
  run("ip tuntap add mode tun name cgw1 && ip link set cgw1 alias 'cgwd 0x0c670001'");
  run("ip tuntap add mode tun name foreign1");
  const auto gone = purge();
  REQUIRE(gone);
  CHECK(gone->routes == 2);
  CHECK(gone->nexthops == 3);
  CHECK(gone->tables == 1);
  CHECK(gone->interfaces == 1);
  CHECK(has(output_of("ip nexthop"), "id 5 blackhole"));
  CHECK(has(output_of("ip nexthop"), "id 208080000 blackhole"));
  CHECK(has(output_of("ip route"), "10.50.0.0/16"));
  CHECK(has(output_of("ip route"), "10.9.0.0/16 dev t2"));
  CHECK(has(output_of("ip link"), "foreign1"));
  CHECK_FALSE(has(output_of("ip link"), "cgw1:"));
  CHECK(output_of("nft list tables") == "table inet other\n");
}

TEST_CASE("the MSS clamp is in place for both directions, changes in place or whole, and goes when empty") {
  if (!fresh_namespace()) return;
  REQUIRE(set_mss_clamp({{"t1", {1359, 1339}}, {"t2", {1300, 0}}}));
  const std::string table = output_of("nft list table inet cgwd");
  CHECK(has(table, "elements = { \"t1\" }"));
  CHECK(has(table, "ipv4 tcp flags syn / syn,rst oifname @links_1359_1339 tcp option maxseg size set 1359"));
  CHECK(has(table, "ipv6 tcp flags syn / syn,rst iifname @links_1359_1339 tcp option maxseg size set 1339"));
  CHECK(has(table, "hook output"));
  const ClampedLinks before{{"t1", {1359, 1339}}, {"t2", {1300, 0}}, {"t3", {1300, 0}}};
  REQUIRE(set_mss_clamp(before));
  const std::string handle = output_of("nft -a list tables");
  REQUIRE(set_mss_clamp({{"t1", {1359, 1339}}, {"t2", {1359, 1339}}, {"t3", {1300, 0}}}, before));
  CHECK(has(output_of("nft list table inet cgwd"), "elements = { \"t1\", \"t2\" }"));
  CHECK(output_of("nft -a list tables") == handle);  // the same table, an interface in another set
  run("nft delete table inet cgwd");
  REQUIRE(set_mss_clamp(before, {{"t1", {1359, 1339}}, {"t2", {1359, 1339}}, {"t3", {1300, 0}}}));
  CHECK(has(output_of("nft list table inet cgwd"), "\"t3\""));
  REQUIRE(set_mss_clamp({{"t2", {1200, 0}}}));
  CHECK_FALSE(has(output_of("nft list table inet cgwd"), "t1"));
  REQUIRE(set_mss_clamp({}));
  CHECK(output_of("nft list tables").empty());
  REQUIRE(set_mss_clamp({}));
}

TEST_CASE("an interface is configured once: address, MTU, loose reverse path, no redirects, up") {
  if (!fresh_namespace()) return;
  auto links = Links::open();
  REQUIRE(links);
  run("ip link set t1 down && ip addr add 192.0.2.1/24 dev t1");
  const auto configured = [&] {
    return links->configure(index_of("t1"), *InterfaceAddress::parse("169.254.10.2/30"),
                            *IpAddress::parse("169.254.10.1"), 1436);
  };
  REQUIRE(configured());
  REQUIRE(configured());
  const auto t1 = links->find("t1");
  REQUIRE(t1);
  CHECK((*t1)->up);
  CHECK((*t1)->mtu == 1436);
  CHECK(output_of("ip -o -4 addr show dev t1 | grep -c inet") == "1\n");
  CHECK(has(output_of("ip -4 addr show dev t1"), "169.254.10.2/30"));
  const auto netconf = output_of("ip netconf show dev t1");
  CHECK(has(netconf, "rp_filter loose"));
  const auto via = links->route_to(*IpAddress::parse("169.254.10.1"));
  REQUIRE(via);
  CHECK(via->source == *IpAddress::parse("169.254.10.2"));
  CHECK(via->mtu == 1436);
  CHECK_FALSE(links->route_to(*IpAddress::parse("203.0.113.1")));
  const auto missing = links->find("nosuch");
  REQUIRE(missing);
  CHECK_FALSE(missing->has_value());
}

TEST_CASE("the monitor tells of links, addresses and others' changes to our routes, not of our own") {
  if (!fresh_namespace()) return;
  auto monitor = Monitor::open();
  REQUIRE(monitor);
  Fib fib = two_exits_and_a_route();
  CHECK(monitor->read().empty());
  bool link = false, address = false, route_changed = false;
  const auto look = [&] {
    for (const auto& e : monitor->read()) {
      if (const auto* l = std::get_if<Monitor::LinkChanged>(&e)) link = link || (l->link.name == "t2" && !l->link.up);
      address = address || std::holds_alternative<Monitor::AddressChanged>(e);
      route_changed = route_changed || std::holds_alternative<Monitor::RouteChanged>(e);
    }
  };
  run("ip addr add 192.0.2.1/32 dev t1");
  CHECK(wait_for(monitor->fd(), [&] {
    look();
    return address;
  }));
  CHECK_FALSE(route_changed);
  run("ip route del 10.9.0.0/16 metric 20");
  CHECK(wait_for(monitor->fd(), [&] {
    look();
    return route_changed;
  }));
  CHECK_FALSE(link);
  run("ip link set t2 down");
  CHECK(wait_for(monitor->fd(), [&] {
    look();
    return link;
  }));
}

TEST_CASE("echo requests leave by the named interface and replies name tunnel, sequence and interface") {
  if (!fresh_namespace()) return;
  // p1 answers from a child namespace
  run("unshare -n sh -c 'echo $$ > /tmp/cgw-smoke.pid; exec sleep 20' & sleep 0.3");
  run("P=$(cat /tmp/cgw-smoke.pid); ip link set p1 netns $P; "
      "nsenter -t $P -n sh -c 'ip link set lo up; ip addr add 169.254.1.1/30 dev p1; ip link set p1 up'");
  auto echo = IcmpEcho::open();
  REQUIRE(echo);
  const auto from = *IpAddress::parse("169.254.1.2"), to = *IpAddress::parse("169.254.1.1");
  REQUIRE(echo->send(index_of("t1"), from, to, 7, 65535));
  std::vector<IcmpEcho::Reply> replies;
  CHECK(wait_for(echo->fd(), [&] {
    replies = echo->read();
    return !replies.empty();
  }));
  run("kill $(cat /tmp/cgw-smoke.pid); rm -f /tmp/cgw-smoke.pid");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].tunnel == 7);
  CHECK(replies[0].sequence == 65535);
  CHECK(replies[0].from == to);
  CHECK(replies[0].interface == index_of("t1"));
  const auto down = index_of("t2");
  run("ip link set t2 down");
  const auto refused = echo->send(down, from, to, 7, 1);
  REQUIRE_FALSE(refused);
  CHECK_FALSE(refused.error().to_string().empty());
}
