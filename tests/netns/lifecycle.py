"""Stop, start, purge: whose kernel state is whose."""
import os
import re

from cgwlab import plan
from cgwlab.shell import run, wait_for
from harness import check, scenario

FOREIGN = "10.77.0.0/16"


@scenario("SIGTERM leaves the kernel's state, the next start adopts it, --purge removes ours and nothing else")
def stop_start_purge(world):
    world.lab.run("cgw", "ip", "route", "add", FOREIGN, "via", plan.INTERNET_ADDRESS)
    world.lab.run("cgw", "ip", "route", "add", "10.78.0.0/16", "via", plan.INTERNET_ADDRESS, "proto", "static")
    world.lab.run("cgw", "ip", "nexthop", "add", "id", "7", "blackhole")
    before = world.kernel_state()
    world.start()
    world.wait_ping()
    running = ours(world)
    world.gateway.stop()
    check_left(running, ours(world))
    world.start()
    world.wait_ping()
    check(ours(world)["links"] == running["links"], "the start made new interfaces instead of adopting those there")
    check_foreign(world)
    world.gateway.stop()
    world.lab.run("cgw", world.gateway.cgwd, "-f", world.gateway.configuration, "--run-dir",
                  world.gateway.run_directory, "--purge")
    after = world.kernel_state()
    for command, lines in before.items():
        left = [line for line in after[command] if line not in lines]
        gone = [line for line in lines if line not in after[command]]
        check(not left and not gone, f"after --purge, {command} shows {left[:3]} and no longer {gone[:3]}")


@scenario("a killed cgwd comes back into control of what it left")
def kill_and_restart(world):
    world.start()
    world.wait_ping()
    world.gateway.stop(9)
    world.start()
    world.wait_ping()
    check(world.ping() == 5, "pings are lost after the restart")
    routes = world.lab.run("cgw", "ip", "route", "show", plan.VPC_NETWORK)
    nexthops = [line for line in routes.splitlines() if "blackhole" not in line]
    check(len(nexthops) == 1, f"the VPC's prefix has leftovers: {routes}")


@scenario("kernel state that is changed behind cgwd's back is repaired")
def repair(world):
    world.start()
    world.wait_ping()
    world.lab.run("cgw", "ip", "route", "flush", plan.VPC_NETWORK, check=False)
    world.lab.run("cgw", "ip", "route", "del", plan.VPC_NETWORK, check=False)
    wait_for("the VPC's route again", lambda: "nhid" in world.lab.run("cgw", "ip", "route", "show", plan.VPC_NETWORK), 5)
    world.wait_ping(5)


@scenario("an interface that is deleted behind cgwd's back is made again, with a BGP listener on the new one")
def interface_deleted(world):
    world.start()
    world.wait_ping()

    def listener():
        return world.lab.run("cgw", "ss", "-Hltn", "sport", "=", ":179")
    check("%cgw1:179" in listener(), f"no listener to begin with: {listener()}")
    world.lab.run("cgw", "ip", "link", "del", "cgw1")
    wait_for("a listener on the new interface", lambda: "%cgw1:179" in listener(), 10)
    world.gateway.wait_up(60)
    world.wait_ping()


@scenario("a second cgwd on the same run directory is refused, and the first goes on")
def second_instance(world):
    world.start()
    out = world.lab.run("cgw", world.gateway.cgwd, "-f", world.gateway.configuration, "--run-dir",
                        world.gateway.run_directory, check=False, timeout=20)
    check(re.search("another|already|running|in use", out, re.I), f"it does not say why it refuses: {out}")
    check(world.gateway.is_up(1) and world.gateway.is_up(2), "the first cgwd suffered")
    check(os.path.exists(os.path.join(world.gateway.run_directory, "cgwd.sock")), "the first one's socket is gone")
    world.wait_ping()


def check_left(running, stopped):
    """A TUN interface has no carrier without its daemon, and the kernel takes nexthops without carrier away: the
    interfaces and the blackhole stay, and close the way for clear text. (The VM's scenario is about the kernel plane.)
    """
    check(stopped["links"] == running["links"], f"SIGTERM changed the interfaces: {running} is now {stopped}")
    for line in running["routes"]:
        check("blackhole" not in line or line in stopped["routes"], f"SIGTERM took the blackhole: {stopped}")


def ours(world):
    """Interfaces with their indexes, the VPC's routes, the nexthops."""
    def show(*command):
        return sorted(re.sub(r"\s+", " ", line).strip() for line in world.lab.run("cgw", *command).splitlines())
    return {"links": [line.split(":")[:2] for line in run("ip", "-n", world.lab.namespace("cgw"), "-o", "link").splitlines()],
            "routes": show("ip", "route", "show", plan.VPC_NETWORK), "nexthops": show("ip", "nexthop")}


def check_foreign(world):
    for prefix in (FOREIGN, "10.78.0.0/16"):
        route = world.lab.run("cgw", "ip", "route", "show", prefix)
        check(plan.INTERNET_ADDRESS in route, f"a foreign route is gone: {prefix}")
    check("id 7 blackhole" in world.lab.run("cgw", "ip", "nexthop"), "a foreign nexthop is gone")
