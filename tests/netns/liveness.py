"""How soon a peer that has lost its SAs is noticed and the tunnel made anew."""
import time

from cgwlab import faults, plan, processes
from cgwlab.shell import wait_for
from harness import check, scenario
from wire import decode


def unlike(world, before):
    """Seconds until tunnel 1 has an IKE SA other than `before`."""
    began = time.monotonic()

    def fresh():
        ike = world.gateway.tunnels().get(1, {}).get("ike", {})
        return ike.get("state") == "Established" and ike.get("spiInitiator") != before
    wait_for("a new IKE SA of tunnel 1", fresh, 60, 0.05)
    return time.monotonic() - began


def killed(world):
    world.wait_ping()
    before = world.gateway.tunnels()[1]["ike"]["spiInitiator"]
    began = time.monotonic()
    faults.restart(world.lab, 1, outage=0)
    back = time.monotonic()
    seconds = unlike(world, before)
    print(f"endpoint back after {back - began:.1f} s, new IKE SA {seconds:.1f} s later")
    return seconds


@scenario("an endpoint that was killed and is back at once has a new IKE SA within 5 s")
def killed_endpoint(world):
    world.start()
    seconds = killed(world)
    check(seconds < 5, f"a new IKE SA only {seconds:.1f} s after the endpoint's return")


@scenario("without the probe, outgoing packets that nobody answers raise the doubt: a new IKE SA within 8 s")
def killed_endpoint_without_probe(world):
    world.gateway.import_aws()
    world.gateway.edit(no_probe)
    world.start()
    with world.stream(rate=50):
        seconds = killed(world)
    check(seconds < 8, f"a new IKE SA only {seconds:.1f} s after the endpoint's return")


def no_probe(text):
    return "".join(line + ("  no probe\n" if line.strip().startswith("tunnel ") else "") for line in text.splitlines(True))


def first(path, condition, after):
    """When the first frame of the capture after `after` meets the condition; None: never."""
    lines = decode(path, f"frame.time_epoch > {after:.6f} && {condition}", "frame.time_epoch").splitlines()
    return float(lines[0]) if lines else None


def return_of_endpoint(world, number, outage):
    """Kills endpoint 1; figures of its return, in seconds: until it says its first word of IKE, counted from when it can,
    and from that word until ESP passes both ways."""
    tunnel, ours = plan.TUNNEL[1], plan.PUBLIC_ADDRESS
    path = world.capture("net", "c0", f"return{number}", "udp port 500 or udp port 4500 or esp")
    world.lab.spawn(f"ping{number}", "cgw", ["ping", "-q", "-i", "0.01", "-I", world.interface(1), tunnel.inside],
                    path + ".ping")
    before = world.gateway.tunnels()[1]["ike"]["spiInitiator"]
    killed = time.time()
    faults.restart(world.lab, 1, outage=outage)
    ready = time.time()  # its connection is loaded
    unlike(world, before)
    world.gateway.wait_up(30)
    time.sleep(1)
    world.end_capture(f"return{number}")
    processes.stop([world.lab.state.processes.pop(f"ping{number}")])
    # NO_PROPOSAL_CHOSEN is what charon says before it has its connection.
    word = first(path, f"isakmp && ip.src == {tunnel.outside} && !(isakmp.notify.msgtype == 14)", killed + 0.1)
    there = first(path, f"esp && ip.src == {ours}", word)
    back = first(path, f"esp && ip.src == {tunnel.outside}", word)
    check(there and back, "no ESP after the endpoint's return")
    print(f"out for {outage} s: first word {word - ready:+.2f} s after its connection was loaded, ESP both ways "
          f"{max(there, back) - word:.3f} s after that")
    return word - ready, max(there, back) - word


@scenario("an endpoint that comes back and waits to be called is called within a second, and used a round trip later")
def silent_return(world):
    world.start()
    for number, outage in enumerate((0, 8)):
        called, used = return_of_endpoint(world, number, outage)
        check(called < 2.2, f"called only {called:.2f} s after its return")
        check(used < 2, f"used only {used:.2f} s after its first answer")


@scenario("an endpoint that comes back and begins IKE itself has its tunnel in that very exchange")
def calling_return(world):
    endpoint = world.lab.endpoints[1]
    plain = endpoint.connection

    def starting():
        connection = plain()
        connection["remote_addrs"] = [plan.PUBLIC_ADDRESS]
        connection["children"]["cgw"]["start_action"] = "start"
        return connection
    world.start()
    endpoint.connection = starting
    for number, outage in enumerate((0, 8)):
        _, used = return_of_endpoint(world, number, outage)
        check(used < 2, f"used only {used:.2f} s after its first word")
