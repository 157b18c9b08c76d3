"""Started by gateway.sh inside the guest: tunnels, BGP, traffic, failover, and what the kernel shows of it."""
import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../netns"))

from harness import Failure, check, explain, World  # noqa: E402
from cgwlab import Lab, LabError, Options, faults, plan, stream  # noqa: E402
from cgwlab.shell import wait_for  # noqa: E402

SECONDS = 90   # an emulated processor is slow
LIMIT = 1000   # packets of 1000 a second: the bench on real processors holds the half


def main(build):
    passed = failed = 0
    try:
        with Lab.create(Options(name="vm", esp="kernel")) as lab:
            world = World(lab, build, stream.build_tool(build))
            for step in (tunnels, traffic, states, policies, nexthops, routes, failover, rekey, flushed, deleted, path_mtu,
                         stop_and_start, purge):
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
    """both tunnels and both BGP sessions come up on the kernel data plane"""
    world.start(seconds=SECONDS)
    check('"kernel"' in world.gateway.ask("show vpn json"), "the data plane is not the kernel's")


def traffic(world):
    """LAN and VPC reach each other"""
    world.wait_vpc_route(1, 30)
    world.wait_ping(30)
    check(world.ping(interval=0.2) == 5, "LAN to VPC: pings are lost")
    check(world.ping("vpc", plan.LAN_HOST, interval=0.2) == 5, "VPC to LAN: pings are lost")


def states(world):
    """ip xfrm state: one ESP SA each way and tunnel, with its if_id and a window of 1024"""
    shown = world.lab.run("cgw", "ip", "xfrm", "state")
    for tunnel in plan.TUNNEL.values():
        for pattern in (rf"src {plan.PUBLIC_ADDRESS} dst {tunnel.outside}\b", rf"src {tunnel.outside} dst {plan.PUBLIC_ADDRESS}\b"):
            check(re.search(pattern, shown), f"no SA '{pattern}' in: {shown}")
    check(shown.count("proto esp") == 4, f"{shown.count('proto esp')} ESP SAs instead of 4")
    check(shown.count("mode tunnel") == 4 and shown.count("if_id 0x") == 4, f"mode or if_id: {shown}")
    check("aead rfc4106(gcm(aes))" in shown, "no AES-GCM")
    check("replay-window 1024" in shown or "replay_window 1024" in shown, f"no replay window of 1024: {shown[:600]}")
    check(world.lab.run("cgw", "cat", "/proc/net/xfrm_stat").count("\n") > 10, "no xfrm statistics")


def policies(world):
    """ip xfrm policy: 0/0 both ways for each tunnel's if_id"""
    shown = world.lab.run("cgw", "ip", "xfrm", "policy")
    check(shown.count("src 0.0.0.0/0 dst 0.0.0.0/0") >= 6, f"not 0/0 in, out and fwd for two tunnels: {shown}")
    for direction in ("in", "out", "fwd"):
        check(shown.count(f"dir {direction} ") >= 2, f"direction {direction}: {shown}")
    check(len(set(re.findall(r"if_id (0x[0-9a-f]+)", shown))) == 2, f"not one if_id a tunnel: {shown}")


def nexthops(world):
    """ip nexthop: one object a tunnel interface"""
    shown = world.lab.run("cgw", "ip", "nexthop")
    for number in plan.TUNNELS:
        check(f"dev {world.interface(number)}" in shown, f"tunnel {number} has no nexthop: {shown}")


def routes(world):
    """ip route: the VPC's prefix points at a nexthop object, a blackhole stands behind it"""
    shown = world.lab.run("cgw", "ip", "route", "show", plan.VPC_NETWORK)
    check("nhid" in shown, f"no nhid: {shown}")
    check("blackhole" in shown, f"no blackhole: {shown}")
    link = world.lab.run("cgw", "ip", "-d", "link", "show", world.interface(1))
    check("xfrm if_id" in link, f"no xfrm interface: {link}")


def failover(world):
    """the silent loss of either tunnel moves the traffic"""
    with world.stream(rate=1000) as packets:
        for tunnel in plan.TUNNELS:
            faults.prefer(world.lab, tunnel)
            world.gateway.wait_active(tunnel, 60)
            packets.watch(1)
            faults.silent(world.lab, tunnel)
            seen = packets.watch(6)
            print(f"# tunnel {tunnel}: {seen['lost']} packets lost, {seen['gap_ms']:.0f} ms", flush=True)
            faults.restore(world.lab)
            check(0 < seen["lost"] <= LIMIT, f"tunnel {tunnel}: {seen['lost']} packets lost")
            world.gateway.wait_up(SECONDS)


def rekey(world):
    """a rekey by AWS's side loses no packet and leaves four SAs"""
    with world.stream(rate=200) as packets:
        packets.report()
        world.lab.endpoints[1].charon.rekey("child", "cgw")
        lost = packets.watch(9)["lost"]  # the replaced SA lingers for 5 s
    check(lost == 0, f"{lost} packets lost")
    count = world.lab.run("cgw", "ip", "xfrm", "state").count("proto esp")
    check(count == 4, f"{count} ESP SAs are left instead of 4")


def flushed(world):
    """ip xfrm policy flush and ip xfrm state flush are noticed, said and repaired within a second"""
    with world.stream(rate=200) as packets:
        for what, said in (("policy", "policies were gone or changed; put back"), ("state", "was removed by somebody")):
            packets.report()
            world.lab.run("cgw", "ip", "xfrm", what, "flush")
            seen = packets.watch(4)
            print(f"# {what} flush: {seen['lost']} packets lost, {seen['gap_ms']:.0f} ms", flush=True)
            world.wait_log(said)
            check(seen["gap_ms"] < 1000, f"{what} flush: nothing delivered for {seen['gap_ms']:.0f} ms")
    world.gateway.wait_up(SECONDS)
    wait_for("four SAs", lambda: world.lab.run("cgw", "ip", "xfrm", "state").count("proto esp") == 4, 20)


def deleted(world):
    """a deleted interface is made again, with its tunnel, while the other carries the traffic"""
    with world.stream(rate=200) as packets:
        packets.report()
        world.lab.run("cgw", "ip", "link", "del", world.interface(1))
        seen = packets.watch(3)
        print(f"# interface deleted: {seen['lost']} packets lost, {seen['gap_ms']:.0f} ms", flush=True)
        check(seen["gap_ms"] < 1000, f"nothing delivered for {seen['gap_ms']:.0f} ms")
    world.wait_log("was deleted; making it again")
    world.gateway.wait_up(SECONDS)


def path_mtu(world):
    """a narrow path beyond the first hop lowers the tunnel's MTU"""
    faults.prefer(world.lab, 1)
    world.gateway.wait_active(1, 60)
    world.lab.run("net", "ip", "link", "set", "v1", "mtu", "1400")
    big = ("ping", "-c", "3", "-i", "0.3", "-W", "1", "-M", "do", "-s", "1400", plan.VPC_HOST)
    world.lab.run("lan", *big, check=False)
    wait_for("tunnel 1 with an MTU of 1346", lambda: world.gateway.tunnels()[1]["mtu"] == 1346, 10)
    link = world.lab.run("cgw", "ip", "link", "show", world.interface(1))
    check("mtu 1346" in link, f"the interface has another MTU: {link}")
    check("1306" in world.lab.run("cgw", "nft", "list", "ruleset"), "the MSS clamp is not 1306")
    world.lab.run("net", "ip", "link", "set", "v1", "mtu", "1500")


def kernel_state(world):
    """SPIs, policies, nexthops and routes, comparable. A socket's own policies end with it."""
    spis = sorted(re.findall(r"spi (0x[0-9a-f]+)", world.lab.run("cgw", "ip", "xfrm", "state")))
    policies = sorted(re.findall(r"(?:dir|proto esp|if_id) .*", world.lab.run("cgw", "ip", "xfrm", "policy")))
    rest = [sorted(line.strip() for line in world.lab.run("cgw", *command).splitlines())
            for command in (("ip", "nexthop"), ("ip", "route", "show", plan.VPC_NETWORK))]
    return [spis, policies, *rest]


def stop_and_start(world):
    """SIGTERM leaves all kernel state and the forwarding to AWS; the next start adopts it: same interfaces, fresh SAs"""
    running, links = kernel_state(world), interfaces(world)
    with world.stream(rate=200) as packets:
        packets.report()
        world.gateway.stop()
        lost = packets.watch(2)["lost"]
        stopped = kernel_state(world)
        check(stopped == running, f"SIGTERM changed the kernel's state: {running} is now {stopped}")
        check(lost == 0, f"{lost} packets from LAN to VPC lost while the daemon was stopped")
        for tunnel in plan.TUNNEL.values():
            check(world.ping("cgw", tunnel.inside, interval=0.2) == 5, f"stopped, and {tunnel.inside} does not answer")
        packets.report()
        world.start(seconds=SECONDS)
        seen = packets.watch(2)
        print(f"# start: {seen['lost']} packets of {seen['lost'] + seen['received']} lost", flush=True)
    check(seen["gap_ms"] < 1000, f"no delivery for {seen['gap_ms']:.0f} ms at the start")
    check(interfaces(world) == links, f"the interfaces were made anew: {links} are now {interfaces(world)}")
    world.wait_ping(30)
    spis = kernel_state(world)[0]
    check(len(spis) == 4, f"{len(spis)} SAs after the start instead of 4: {spis}")


def interfaces(world):
    """Index and name of each xfrm interface."""
    shown = world.lab.run("cgw", "ip", "-o", "link", "show", "type", "xfrm")
    return [line.split(":")[:2] for line in shown.splitlines()]


def purge(world):
    """--purge removes all of it"""
    world.gateway.stop()
    world.lab.run("cgw", world.gateway.cgwd, "-f", world.gateway.configuration, "--run-dir",
                  world.gateway.run_directory, "--purge")
    for command in (("ip", "xfrm", "state"), ("ip", "xfrm", "policy"), ("ip", "nexthop"),
                    ("ip", "route", "show", plan.VPC_NETWORK)):
        left = world.lab.run("cgw", *command).strip()
        check(not left, f"{' '.join(command)} still shows {left}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
