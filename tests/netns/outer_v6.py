"""IPv6 outside and inside: what AWS offers since 2025, and what it carries."""
import time

from cgwlab import faults, plan
from cgwlab.endpoint import CONNECTION
from cgwlab.shell import run, wait_for, write
from harness import check, scenario
from wire import decode, frames

OTHER_ADDRESS = "2001:db8:100::3"
LIMIT = 500  # packets of a stream of 1000 a second

# Inside addresses and networks of IPv6.
OURS, THEIRS = "fd00:169::2", "fd00:169::1"
LAN6, LAN6_GATEWAY, VPC6, VPC6_GATEWAY = "fd00:77::10", "fd00:77::1", "fd00:50::10", "fd00:50::1"


def initiated_by_strongswan(world, number):
    """Strongswan knows where the gateway is, and calls it."""
    endpoint = world.lab.endpoints[number]
    connection = {**endpoint.connection(), "remote_addrs": [world.lab.options.public_address]}
    endpoint.charon.load(CONNECTION, connection, world.lab.keys()[number],
                         [endpoint.tunnel.outside, world.lab.options.public_address])
    endpoint.charon.initiate(CONNECTION)


def waiting(number):
    """The configuration with a tunnel that waits for the peer."""
    def change(text):
        return text.replace(f"\n tunnel {number}\n", f"\n tunnel {number}\n  no initiate\n")
    return change


@scenario("IPv6 outside, IPv4 and BGP inside: both roles, rekeys without a loss, failover, and every packet decoded",
          outside="ipv6")
def outside_v6(world):
    outside = world.capture("net", "c0", "outside", "udp port 500 or udp port 4500 or esp")
    world.gateway.import_aws()
    world.gateway.edit(waiting(2))
    world.start("--debug-ike", wait=(1,))
    initiated_by_strongswan(world, 2)
    world.gateway.wait_up(30)
    world.wait_ping()
    tunnels = world.gateway.tunnels()
    check(tunnels[1]["ike"]["initiator"] and not tunnels[2]["ike"]["initiator"], "the roles are not one each")
    for number, endpoint in world.lab.endpoints.items():
        check(tunnels[number]["outsideAddress"] == endpoint.tunnel.outside, f"tunnel {number} goes to {tunnels[number]}")
        check(tunnels[number]["mtu"] == 1418, f"tunnel {number} has an MTU of {tunnels[number]['mtu']}")
        for _, sa in endpoint.charon.sas():
            seen = sa["remote-host"], sa["remote-id"], sa["local-host"]
            check(seen == (plan.PUBLIC_ADDRESS_V6, plan.PUBLIC_ADDRESS_V6, endpoint.tunnel.outside), f"VGW {number}: {seen}")
        world.wait_log(rf"-> \[{endpoint.tunnel.outside}\]:(500|4500) ")
    world.wait_log(rf"IDi: IPV6_ADDR {plan.PUBLIC_ADDRESS_V6}")
    check(world.ping("lan", size=1390) == 5 and world.ping("vpc", plan.LAN_HOST, size=1350) == 5, "large pings are lost")
    rekeys_lose_nothing(world)
    losses_are_short(world)
    world.end_capture("outside")
    decoded(outside)


def rekeys_lose_nothing(world):
    with world.stream() as stream:
        stream.watch(0.5)
        for endpoint in world.lab.endpoints.values():
            for what in ("child", "ike"):
                endpoint.charon.rekey(what, CONNECTION)
                lost = stream.watch(1)["lost"]
                check(lost == 0, f"{lost} packets lost in a rekey ({what}) by {endpoint.name}")
    check(world.ping() == 5, "pings are lost after the rekeys")


def losses_are_short(world):
    """The active tunnel dies silently; the one that strongSwan initiated carries on."""
    faults.prefer(world.lab, 1)
    world.gateway.wait_active(1)
    with world.stream() as stream:
        stream.watch(0.5)
        faults.silent(world.lab, 1)
        seen = stream.watch(3)
        print(f"{seen['lost']} packets lost, {seen['gap_ms']:.0f} ms")
        check(0 < seen["lost"] <= LIMIT, f"{seen['lost']} packets lost")
        check(world.gateway.active() == 2, "tunnel 2 did not take over")
    faults.restore(world.lab)
    world.gateway.wait_up(60)


def decoded(capture):
    for protocol in ("isakmp", "esp"):
        check(frames(capture, f"ipv6 && {protocol}") > 20, f"no {protocol} over IPv6 in the capture")
    check(not decode(capture, "ip"), "IKE or ESP over IPv4")
    bad = decode(capture, "_ws.malformed || isakmp.version < 0x20")
    check(not bad, f"tshark marks as malformed: {bad[:400]}")
    # RFC 8200 8.1: "IPv6 receivers must discard UDP packets containing a zero checksum".
    check(not run("tcpdump", "-n", "-r", capture, "ip6[6] = 17 and ip6[46:2] = 0", check=False).count("IP6 "),
          "UDP without a checksum")


@scenario("30 MB each way through a tunnel with IPv6 outside", outside="ipv6")
def throughput_v6(world):
    from throughput import transfer
    world.start()
    world.wait_ping()
    for direction in ((), ("-R",)):
        transfer(world, 30_000_000, *direction)


@scenario("IPv6 outside: a Packet Too Big lowers the MTU until it expires; a renumbering makes both tunnels anew",
          outside="ipv6")
def path_v6(world):
    world.lab.run("cgw", "sysctl", "-qw", "net.ipv6.route.mtu_expires=8")
    world.start()
    world.wait_ping()
    faults.prefer(world.lab, 1)
    world.gateway.wait_active(1)
    world.lab.run("net", "ip", "link", "set", "v1", "mtu", "1340")
    world.lab.run("lan", "ping", "-c", "3", "-i", "0.3", "-W", "1", "-s", "1380", plan.VPC_HOST, check=False)
    wait_for("tunnel 1 with an MTU of 1258", lambda: world.gateway.tunnels()[1]["mtu"] == 1258, 5)
    world.wait_log("path MTU to 2001:db8:1::10 is 1340, was 1500")
    check("1218" in world.lab.run("cgw", "nft", "list", "ruleset"), "the MSS clamp is not 1218")
    check(world.ping(size=1200) == 5, "pings of the new size are lost")
    world.lab.run("net", "ip", "link", "set", "v1", "mtu", "1500")
    wait_for("tunnel 1 with its MTU of 1418 back", lambda: world.gateway.tunnels()[1]["mtu"] == 1418, 20)
    renumbered(world)


def renumbered(world):
    before = {number: tunnel["ike"]["spiInitiator"] for number, tunnel in world.gateway.tunnels().items()}
    world.lab.run("cgw", "ip", "address", "add", f"{OTHER_ADDRESS}/64", "dev", "wan0")
    world.lab.run("cgw", "ip", "address", "del", f"{plan.PUBLIC_ADDRESS_V6}/64", "dev", "wan0")
    world.lab.run("cgw", "ip", "-6", "route", "replace", "default", "via", plan.INTERNET_ADDRESS_V6)
    began = time.monotonic()

    def anew():
        now = {number: tunnel["ike"].get("spiInitiator") for number, tunnel in world.gateway.tunnels().items()
               if tunnel["ike"]["state"] == "Established"}
        return len(now) == 2 and all(now[number] != before[number] for number in plan.TUNNELS)
    wait_for("new IKE SAs of both tunnels", anew, 30, 0.05)
    seconds = time.monotonic() - began
    print(f"both tunnels anew after {seconds:.2f} s")
    check(seconds < 3, f"both tunnels were made anew only after {seconds:.1f} s")
    for number, endpoint in world.lab.endpoints.items():
        wait_for(f"one IKE SA at VGW {number}, with the new address",
                 lambda: [sa["remote-host"] for _, sa in endpoint.charon.sas()] == [OTHER_ADDRESS], 10)
    world.wait_ping()


@scenario("IPv6 inside, IPv4 outside: selectors of ::/0, probes and traffic of IPv6", routing="static")
def v6_in_v4(world):
    for role in ("lan", "cgw", "vgw1", "vpc"):
        world.lab.run(role, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0",
                      "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.all.accept_dad=0")
    inside_v6(world, initiate=True)


@scenario("IPv6 inside and outside, strongSwan initiates: selectors of ::/0, probes and traffic of IPv6",
          routing="static", outside="ipv6")
def v6_in_v6(world):
    inside_v6(world, initiate=False)


def inside_v6(world, initiate):
    """One tunnel, with prefixes of IPv6 routed onto its interfaces."""
    endpoint, public = world.lab.endpoints[1], world.lab.options.public_address
    connection = {**endpoint.connection(), "remote_addrs": [public]}
    connection["children"][CONNECTION].update(local_ts=["::/0"], remote_ts=["::/0"], updown="")
    endpoint.charon.load(CONNECTION, connection, world.lab.keys()[1], [endpoint.tunnel.outside, public])
    configured(world, endpoint, public, initiate)
    addressed(world)
    world.start("--debug-ike", wait=())
    if not initiate:
        endpoint.charon.initiate(CONNECTION)
    world.gateway.wait_up(30, (1,))
    world.lab.run("cgw", "ip", "-6", "route", "add", "fd00:50::/64", "dev", "cgw1")
    check(world.gateway.tunnels()[1]["ike"]["initiator"] == initiate, "the wrong side initiated")
    wait_for("an answer to the probe of the IPv6 inside address", lambda: world.gateway.tunnels()[1]["probe"]["everAnswered"], 10)
    for side in ("TSi", "TSr"):
        world.wait_log(rf"{side}: ::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
    world.wait_ping(target=VPC6)
    check(world.ping(target=VPC6, size=1300) == 5 and world.ping("vpc", LAN6, size=1300) == 5, "large pings are lost")
    for what in ("child", "ike"):
        endpoint.charon.rekey(what, CONNECTION)
        check(world.ping(target=VPC6, count=20) == 20, f"pings are lost in a rekey ({what})")
    # IPv4 has no business in this tunnel: it is neither negotiated nor sent.
    before = world.gateway.tunnels()[1]["drops"].get("outside traffic selectors", 0)
    world.lab.run("cgw", "ip", "route", "add", "10.50.0.0/16", "dev", "cgw1")
    check(world.ping(count=2) == 0, "IPv4 goes through a tunnel whose selectors are ::/0")
    check(world.gateway.tunnels()[1]["drops"].get("outside traffic selectors", 0) >= before + 2, "IPv4 was not dropped at the selectors")


def configured(world, endpoint, public, initiate):
    write(world.gateway.configuration, f"""hostname cgw
vpn connection vpn-00000000000000001
 routing static
 tunnel 1
  interface cgw1
  {"" if initiate else "no "}initiate
  vpn-gateway outside-address {endpoint.tunnel.outside}
  customer-gateway outside-address {public}
  vpn-gateway inside-address {THEIRS}
  customer-gateway inside-address {OURS}/126
  pre-shared-key cgw
!
""")
    write(world.gateway.configuration.replace("cgwd.conf", "secrets"), f"cgw {world.lab.keys()[1]}\n", mode=0o600)


def addressed(world):
    """Addresses and routes of IPv6 for the LAN, the VPC and AWS's end of the tunnel."""
    for role, device, address in (("lan", "eth0", LAN6), ("cgw", "lan0", LAN6_GATEWAY), ("vgw1", "vpc0", VPC6_GATEWAY),
                                  ("vpc", "br0", VPC6)):
        world.lab.run(role, "ip", "address", "add", f"{address}/64", "dev", device, "nodad")
    world.lab.run("vgw1", "ip", "address", "add", f"{THEIRS}/126", "dev", "ipsec0", "nodad")
    world.lab.run("vgw1", "ip", "-6", "route", "add", "fd00:77::/64", "dev", "ipsec0")
    world.lab.run("lan", "ip", "-6", "route", "add", "default", "via", LAN6_GATEWAY)
    world.lab.run("vpc", "ip", "-6", "route", "add", "fd00:77::/64", "via", VPC6_GATEWAY)
