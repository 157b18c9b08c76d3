"""How soon a peer that has lost its SAs is noticed and the tunnel made anew."""
import time

from cgwlab import faults
from cgwlab.shell import wait_for
from harness import check, scenario


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
