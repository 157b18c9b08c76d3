"""Silent loss of the active tunnel under load, and nothing in clear while no tunnel is left."""
import signal
import time

from cgwlab import faults, plan
from cgwlab.shell import run, wait_for
from harness import check, scenario

LIMIT = 500  # packets of a stream of 1000 a second


@scenario("the silent loss of either tunnel costs at most 500 of 1000 packets a second", prefixes=100)
def silent_loss(world):
    world.start()
    world.wait_ping()
    with world.stream() as stream:
        for tunnel in plan.TUNNELS:
            faults.prefer(world.lab, tunnel)
            world.gateway.wait_active(tunnel)
            before = stream.watch(1)
            check(before["lost"] == 0, f"{before['lost']} packets are lost before any fault")
            faults.silent(world.lab, tunnel)
            seen = stream.watch(4)
            print(f"tunnel {tunnel}: {seen['lost']} packets lost, {seen['gap_ms']:.0f} ms")
            check(seen["received"] > 2000, f"tunnel {tunnel} died, and the stream with it")
            check(0 < seen["lost"] <= LIMIT, f"tunnel {tunnel} died: {seen['lost']} packets lost")
            check(world.gateway.active() == 3 - tunnel, "the other tunnel is not shown as the active one")
            faults.restore(world.lab)
            world.gateway.wait_up(60)
        after = stream.watch(1)
        check(after["lost"] == 0, f"coming back lost {after['lost']} packets")


@scenario("the return path follows when only the way from AWS is lost")
def one_way_loss(world):
    world.start()
    world.wait_ping()
    with world.stream(echo=True) as stream:
        stream.report()
        faults.silent(world.lab, 1, "in")
        world.gateway.wait_active(2)
        time.sleep(1)
        stream.report()
        world.wait_vpc_route(2, 10)
        time.sleep(1)
        stream.report()
        back = stream.watch(1)["back"]
    check(back["received"] > 700, f"only {back['received']} answers come back over the tunnel that is left")


@scenario("with every tunnel down nothing leaves in clear, and recovery needs no hand")
def no_clear_text(world):
    path = world.capture("net", "c0", "outside")
    world.start()
    world.wait_ping()
    with world.stream(rate=200):
        faults.silent(world.lab, "all")
        time.sleep(4)
        world.gateway.stop(signal.SIGKILL)
        time.sleep(1)
        world.gateway.start()
        time.sleep(2)
        world.gateway.stop()
        time.sleep(1)
        blackhole = world.lab.run("cgw", "ip", "route", "show", "type", "blackhole")
        world.gateway.start()
        faults.restore(world.lab)
        world.gateway.wait_up(90)
        world.wait_ping()
    # The control: what has no business in a tunnel does leave in clear, and the capture sees it.
    world.ping(target="192.0.2.77", count=2)
    world.end_capture("outside")
    check(plan.VPC_NETWORK in blackhole, f"no blackhole behind the VPC's prefix: {blackhole}")
    clear = run("tcpdump", "-n", "-r", path, "not (udp port 500 or udp port 4500 or esp or arp)", check=False)
    check("192.0.2.77" in clear, "the capture does not even see the control packets")
    leaked = [line for line in clear.splitlines() if any(
        word in line for word in ("10.50.", "192.168.77.10.", "169.254.")) and "192.0.2.77" not in line]
    check(not leaked, "in clear on the outside: " + "; ".join(leaked[:3]))
    check(run("tcpdump", "-n", "-r", path, "udp port 4500", check=False).count("\n") > 100, "no ESP in the capture")
