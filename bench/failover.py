"""How long no packet arrives after the active tunnel silently dies, under 1000 packets a second.

One run: AWS prefers tunnel 1 or 2 in turn, the gateway sends there; the internet drops that endpoint's packets
both ways; the stream goes on over the other tunnel; the way is restored; both tunnels are up again and have been
for a while. The outage is the longest time without a delivery. The same for strongSwan and BIRD in cgwd's place.
"""
import concurrent.futures
import os
import re
import statistics
import sys
import time

from cgwlab import Lab, Options, faults, plan
from cgwlab.gateway import Gateway
from cgwlab.reference import Reference
from cgwlab.shell import run, wait_for
from cgwlab.stream import Stream, build_tool

RATE = 1000
STABLE = 10.0          # seconds both tunnels are up before the next run
GOAL_MS = 500
SIZES = ((1, 200), (1_000, 20), (100_000, 20))   # prefixes, runs
PEER_RUNS = 3


def measure(settings):
    rows, first = [], None
    for prefixes, runs in SIZES:
        runs = max(1, runs // 10) if settings.quick else runs
        ours = theirs = None
        if settings.only != "theirs":
            ours = outages(settings, prefixes, runs, OurSide)
        if settings.only != "ours" and not (settings.quick and prefixes != 1):
            theirs = outages(settings, prefixes, 1 if settings.quick else PEER_RUNS, PeerSide)
        for name, found in (("cgwd", ours), (peer_name(), theirs)):
            if found:
                print(f"{name}, {prefixes} prefixes, {len(found)} runs: {summary(found)}", flush=True)
        first = first or ours
        rows.append(row(prefixes, ours, theirs, first))
    return rows


def row(prefixes, ours, theirs, first):
    """1 prefix is judged by its 99th percentile, the larger ones by their worst and by growth."""
    worst = percentile(ours, 99) if ours and prefixes == 1 else max(ours) if ours else None
    peer = statistics.median(theirs) if theirs else None
    grown = bool(ours) and statistics.median(ours) > statistics.median(first) + 100
    which = "p99" if prefixes == 1 else "max"
    return {
        "bench": "failover", "work": f"silent loss of the active tunnel, {prefixes} prefixes, {which}",
        "unit": "ms", "ours": worst and round(worst, 1), "peer": peer_name(),
        "theirs": peer and round(peer, 1), "ratio": round(worst / peer, 4) if worst and peer else None,
        "goal": f"< {GOAL_MS} ms" + ("" if prefixes == 1 else ", no growth with prefixes"),
        "met": bool(worst) and worst < GOAL_MS and not grown, "runs": len(ours or [])}


def outages(settings, prefixes, runs, side_type):
    """The runs, shared among --labs labs side by side, each in a process of its own."""
    labs = min(settings.labs, runs)
    shares = [runs // labs + (1 if i < runs % labs else 0) for i in range(labs)]
    if labs == 1:
        return in_one_lab(settings, prefixes, runs, side_type)
    with concurrent.futures.ProcessPoolExecutor(labs) as pool:
        waiting = [pool.submit(in_one_lab, settings, prefixes, share, side_type) for share in shares]
        return [outage for done in waiting for outage in done.result()]


def in_one_lab(settings, prefixes, runs, side_type):
    tool = build_tool(settings.build)
    with Lab.create(Options(name=f"cgwbench{os.getpid()}", prefixes=prefixes - 1)) as lab:
        side = side_type(lab, settings.build)
        side.wait_ready(prefixes)
        with Stream(lab, tool, rate=RATE, addresses=destinations(prefixes)) as stream:
            found = []
            for number in range(runs):
                found.append(one_run(lab, side, stream, plan.TUNNELS[number % 2], prefixes))
                progress(f"{side.name}, {prefixes} prefixes: run {number + 1} of {runs}: {found[-1]:.1f} ms")
        progress("")
    return found


def one_run(lab, side, stream, tunnel, prefixes):
    faults.prefer(lab, tunnel)
    side.wait_active(tunnel)
    stable(side, prefixes)
    stream.report()
    faults.silent(lab, tunnel)
    seen = stream.watch(120, until=lambda total: total["longest_run"] > 5)
    after = stream.watch(2.0)
    outage = max(seen["gap_ms"], after["gap_ms"])
    faults.restore(lab)
    side.wait_ready(prefixes)
    return outage


def stable(side, prefixes):
    """Both tunnels up without a break for STABLE seconds."""
    since = time.monotonic()
    while time.monotonic() - since < STABLE:
        time.sleep(0.5)
        if not side.ready(prefixes):
            side.wait_ready(prefixes)
            since = time.monotonic()


class OurSide:
    name = "cgwd"

    def __init__(self, lab, build):
        self.gateway = Gateway(lab, build)
        self.gateway.import_aws()
        self.gateway.start()

    def ready(self, prefixes):
        tunnels = self.gateway.tunnels()
        return bool(tunnels) and all(self.gateway.is_up(number, tunnels) and received(tunnels[number]) >= prefixes
                                     for number in plan.TUNNELS)

    def wait_ready(self, prefixes):
        wait_for("both tunnels up", lambda: self.ready(prefixes), 120, 0.2)

    def wait_active(self, tunnel):
        self.gateway.wait_active(tunnel, 60)


class PeerSide:
    name = "strongSwan + BIRD"

    def __init__(self, lab, _):
        self.lab = lab
        self.reference = Reference(lab)
        self.reference.start()

    def ready(self, prefixes):
        return self.reference.up() and all(
            self.reference.bird.imported(f"t{number}") >= prefixes for number in plan.TUNNELS)

    def wait_ready(self, prefixes):
        wait_for("both tunnels up", lambda: self.ready(prefixes), 180, 0.5)

    def wait_active(self, tunnel):
        route = f"dev ipsec{tunnel - 1}"
        wait_for(f"tunnel {tunnel} active", lambda: route in run(
            "ip", "-n", self.lab.namespace("cgw"), "route", "show", plan.VPC_NETWORK), 60, 0.2)


def received(tunnel):
    """How many prefixes the tunnel's BGP session has given."""
    return int((tunnel.get("bgp") or {}).get("prefixesReceived", 0))


def destinations(prefixes):
    """Hosts all over the announced prefixes, so that the stream sees all of them move."""
    extra = plan.extra_prefixes(prefixes - 1)
    step = max(1, len(extra) // 60)
    return [plan.VPC_HOST] + [prefix.split("/")[0] for prefix in extra[::step]]


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-len(ordered) * percent // 100) - 1)]


def summary(values):
    return (f"min {min(values):.1f}, median {statistics.median(values):.1f}, p99 {percentile(values, 99):.1f}, "
            f"max {max(values):.1f} ms")


def peer_name():
    strongswan = re.search(r"[\d.]+\d", run("swanctl", "--version", check=False))
    bird = re.search(r"[\d.]+\d", run("bird", "--version", check=False))
    return f"strongSwan {strongswan[0] if strongswan else '?'} + BIRD {bird[0] if bird else '?'}"


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
