"""Started by outer_v6.sh inside the guest: the kernel data plane over IPv6."""
import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../netns"))

from harness import Failure, check, explain, World  # noqa: E402
from cgwlab import Lab, LabError, Options, faults, plan, stream  # noqa: E402
from cgwlab.shell import run, wait_for  # noqa: E402

SECONDS = 90   # an emulated processor is slow
LIMIT = 1000   # milliseconds: netns holds the half, on real processors


def main(build):
    passed = failed = 0
    try:
        with Lab.create(Options(name="vm6", esp="kernel", outside="ipv6")) as lab:
            world = World(lab, build, stream.build_tool(build))
            for step in (tunnels, native, states, failover, rekey, path_mtu):
                try:
                    step(world)
                    passed += 1
                    print(f"ok {passed + failed} - {step.__doc__}", flush=True)
                except (Failure, LabError, KeyError, IndexError) as error:
                    failed += 1
                    print(f"not ok {passed + failed} - {step.__doc__}: {error}\n{explain(world)}", flush=True)
                    if step is tunnels:
                        break
    except LabError as error:
        failed += 1
        print(f"not ok - the lab: {error}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def tunnels(world):
    """both tunnels and both BGP sessions come up over IPv6 on the kernel data plane"""
    world.start(seconds=SECONDS)
    check('"kernel"' in world.gateway.ask("show vpn json"), "the data plane is not the kernel's")
    for number, tunnel in world.gateway.tunnels().items():
        check(tunnel["mtu"] == 1426, f"tunnel {number} has an MTU of {tunnel['mtu']}")


def native(world):
    """LAN and VPC reach each other, by ESP in IPv6 without UDP"""
    world.wait_vpc_route(1, 30)
    world.wait_ping(30)
    path = world.capture("net", "c0", "native")
    check(world.ping(interval=0.2) == 5, "LAN to VPC: pings are lost")
    check(world.ping("vpc", plan.LAN_HOST, interval=0.2) == 5, "VPC to LAN: pings are lost")
    world.end_capture("native")
    seen = {what: run("tcpdump", "-n", "-r", path, what, check=False).count(" > ")
            for what in ("ip6 proto 50", "ip proto 50", "udp port 4500")}
    check(seen["ip6 proto 50"] >= 20 and seen["ip proto 50"] == 0, f"not ESP in IPv6: {seen}")
    check(seen["udp port 4500"] == 0, f"ESP or IKE in UDP 4500 though there is no NAT: {seen}")


def states(world):
    """ip xfrm: SAs of IPv6, selectors of IPv4, the sockets of both families exempt"""
    shown, ours = world.lab.run("cgw", "ip", "xfrm", "state"), plan.PUBLIC_ADDRESS_V6
    for number in plan.TUNNELS:
        theirs = world.lab.options.tunnel(number).outside
        for pattern in (rf"src {ours} dst {theirs}\b", rf"src {theirs} dst {ours}\b"):
            check(re.search(pattern, shown), f"no SA '{pattern}' in: {shown}")
    check(shown.count("proto esp") == 4 and "encap type" not in shown, f"not four SAs without UDP: {shown}")
    policies = world.lab.run("cgw", "ip", "xfrm", "policy")
    check(policies.count("src 0.0.0.0/0 dst 0.0.0.0/0") >= 6, f"not 0/0 in, out and fwd for two tunnels: {policies}")
    check(policies.count("src ::/0 dst ::/0") >= 4, f"IKE's IPv6 sockets are not exempt: {policies}")


def failover(world):
    """the silent loss of the active tunnel moves the traffic"""
    faults.prefer(world.lab, 1)
    world.gateway.wait_active(1, 60)
    with world.stream(rate=200) as packets:
        packets.watch(1)
        faults.silent(world.lab, 1)
        seen = packets.watch(6)
        print(f"# {seen['lost']} packets lost, {seen['gap_ms']:.0f} ms", flush=True)
    faults.restore(world.lab)
    check(0 < seen["gap_ms"] < LIMIT, f"nothing delivered for {seen['gap_ms']:.0f} ms")
    world.gateway.wait_up(SECONDS)


def rekey(world):
    """rekeys by AWS's side lose no packet and leave four SAs"""
    world.gateway.wait_active(1, 60)  # back from the failover, at both ends
    world.wait_vpc_route(1, 30)
    with world.stream(rate=200) as packets:
        packets.report()
        for what in ("child", "ike"):
            world.lab.endpoints[1].charon.rekey(what, "cgw")
        lost = packets.watch(9)["lost"]  # the replaced SA lingers for 5 s
    check(lost == 0, f"{lost} packets lost")
    count = world.lab.run("cgw", "ip", "xfrm", "state").count("proto esp")
    check(count == 4, f"{count} ESP SAs are left instead of 4")


def path_mtu(world):
    """a Packet Too Big from beyond the first hop lowers the tunnel's MTU"""
    faults.prefer(world.lab, 1)
    world.gateway.wait_active(1, 60)
    world.lab.run("net", "ip", "link", "set", "v1", "mtu", "1400")
    world.lab.run("lan", "ping", "-c", "3", "-i", "0.3", "-W", "1", "-M", "do", "-s", "1390", plan.VPC_HOST, check=False)
    wait_for("tunnel 1 with an MTU of 1326", lambda: world.gateway.tunnels()[1]["mtu"] == 1326, 10)
    check("mtu 1326" in world.lab.run("cgw", "ip", "link", "show", world.interface(1)), "the interface has another MTU")
    world.lab.run("net", "ip", "link", "set", "v1", "mtu", "1500")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
