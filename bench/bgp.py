"""A full table through a BGP speaker: time until a second neighbor has been told all of it, and what it weighs.

One process (bench/bgp_load.cpp) is all feeders and the one sink, in a namespace of its own; bench/bgp_table.hpp says what
the table looks like. No policy, no kernel routes. The same for BIRD and FRR as Debian ships them. On our side stands
bench/bgp_host.cpp, bgp::Speaker on sockets, with nothing of the daemon around it. Seconds are by the wall clock,
so on a machine that does other things the ratio says more than the number; processor time is printed beside.
"""
import contextlib
import os
import re
import statistics
import tempfile

from cgwlab import LabError, processes, topology
from cgwlab.shell import in_namespace, ip_batch, run, tail, write

# Words, feeders, prefixes, prefixes in an attribute set (0: one set for all).
SHAPES = (
    ("1M prefixes, 200k attribute sets", 1, 1_000_000, 5),
    ("1M prefixes, one attribute set", 1, 1_000_000, 0),
    ("1M prefixes, each with its own attributes", 1, 1_000_000, 1),
    ("4 feeders x 500k of the same prefixes", 4, 500_000, 5),
)
PHASES = ("load", "withdraw", "load", "flap")
RUNS = 3
SPEAKER, SINK, PREFIX_LENGTH = "10.99.0.1", "10.99.0.100", 24
AS, FIRST_AS = 65000, 64600
TIME_GOALS = {SHAPES[0][0]: 0.5}
MEMORY_GOALS = {SHAPES[0][0]: 0.8}
WORDS = {"load": "in and re-advertised", "withdraw": "withdrawn by the feeders", "flap": "the feeders' sessions break"}


def measure(settings):
    rows = []
    divisor, runs = (10, 1) if settings.quick else (1, RUNS)
    for words, feeders, prefixes, per_set in SHAPES:
        found = {}
        for side in (Cgwd, Bird, Frr):
            if settings.only == "ours" and side is not Cgwd or settings.only == "theirs" and side is Cgwd:
                continue
            found[side] = [one_run(settings.build, side, feeders, prefixes // divisor, per_set) for _ in range(runs)]
            for one in found[side]:
                print(f"{side.name}, {words}: {line(one)}", flush=True)
        rows += shape_rows(words if divisor == 1 else f"{words} (a tenth)", words, found, runs)
    return rows


def shape_rows(work, shape, found, runs):
    rows = []
    for peer in (Bird, Frr):
        for phase, goal in (("load", TIME_GOALS.get(shape, 1.0)), ("withdraw", None), ("flap", None)):
            rows.append(row(f"{work}: {WORDS[phase]}", "s", found, peer, lambda one, key=phase: one["phases"][key], goal, runs))
        rows.append(row(f"{work}: memory", "MiB", found, peer, lambda one: one["rss"] / 1024,
                        MEMORY_GOALS.get(shape, 1.0), runs))
    return rows


def row(work, unit, found, peer, value, goal, runs):
    ours, theirs = (statistics.median(map(value, found[side])) if found.get(side) else None for side in (Cgwd, peer))
    ratio = round(ours / theirs, 2) if ours and theirs else None
    return {"bench": "bgp", "work": work, "unit": unit, "ours": ours and round(ours, 2), "peer": peer.version(),
            "theirs": theirs and round(theirs, 2), "ratio": ratio, "goal": f"< {goal:g} x the peer" if goal else "-",
            "met": bool(ratio) and ratio < (goal or 1.0), "runs": runs}


def line(one):
    phases = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in one["phases"].items())
    said = f"; {one['said']}" if one["said"] else ""
    return f"{phases}; {one['cpu']:.2f} s of processor time in all; {one['rss'] / 1024:.1f} MiB{said}"


def one_run(build, side_type, feeders, prefixes, per_set):
    with bed(feeders) as (directory, near, far):
        side = side_type(build, directory, near, feeders)
        record = side.start()
        try:
            out = run(*in_namespace(far, tool(build, "bgp_load"), SPEAKER, str(AS), SINK, str(feeders), str(prefixes),
                                    str(per_set), *PHASES), check=False, timeout=900)
            if not processes.alive(record):
                raise LabError(f"{side.name} has ended: {tail(side.log, 3) or 'it said nothing'}")
            phases = {}
            for name, seconds in re.findall(r"^(load|withdraw|flap) ([\d.]+)", out, re.M):
                phases.setdefault(name, float(seconds))
            if set(phases) != set(PHASES):
                raise LabError(f"bgp_load with {side.name}: {out.strip() or 'said nothing'}")
            pid = side.speaker(record)
            result = {"phases": phases, "rss": peak(pid), "cpu": processor_time(pid), "said": ""}
        finally:
            processes.stop([record])
        result["said"] = side.last_words()
        return result


@contextlib.contextmanager
def bed(feeders):
    """Two namespaces and a cable; the sink and the feeders are addresses of the second."""
    near, far = f"cgwbgp{os.getpid()}-s", f"cgwbgp{os.getpid()}-f"
    with tempfile.TemporaryDirectory(prefix="cgwbgp") as directory:
        try:
            for namespace in (near, far):
                topology.make_namespace(namespace)
            run("ip", "link", "add", "name", "s0", "netns", near, "type", "veth", "peer", "name", "f0", "netns", far)
            ip_batch(near, [f"addr add {SPEAKER}/{PREFIX_LENGTH} dev s0", "link set s0 up"])
            ip_batch(far, [f"addr add {address}/{PREFIX_LENGTH} dev f0" for address, _ in neighbors(feeders)]
                     + ["link set f0 up"])
            yield directory, near, far
        finally:
            for namespace in (near, far):
                run("ip", "netns", "del", namespace, check=False)


def neighbors(feeders):
    """Address and AS of the sink, then of each feeder."""
    head, last = SINK.rsplit(".", 1)
    return [(f"{head}.{int(last) + i}", FIRST_AS + i) for i in range(feeders + 1)]


class Side:
    def __init__(self, build, directory, namespace, feeders):
        self.build, self.directory, self.namespace, self.feeders = build, directory, namespace, feeders
        self.log = os.path.join(directory, "speaker.out")

    def speaker(self, record):
        return record["pid"]

    def last_words(self):
        return ""


class Cgwd(Side):
    name = "cgwd's core"

    def start(self):
        listed = [f"{address}:{number}" for address, number in neighbors(self.feeders)]
        return processes.start(self.namespace, [tool(self.build, "bgp_host"), SPEAKER, str(AS), *listed], self.log)

    def last_words(self):
        return tail(self.log, 1)


class Bird(Side):
    name = "BIRD"

    def start(self):
        file = os.path.join(self.directory, "bird.conf")
        sessions = "".join(f"protocol bgp n{i} {{ local {SPEAKER} as {AS}; neighbor {address} as {number}; passive; "
                           "ipv4 { import all; export all; }; }\n" for i, (address, number) in enumerate(neighbors(self.feeders)))
        write(file, f"router id {SPEAKER};\nprotocol device {{ }}\n{sessions}")
        return processes.start(self.namespace, ["bird", "-f", "-c", file, "-s", os.path.join(self.directory, "ctl")], self.log)

    @staticmethod
    def version():
        found = re.search(r"[\d.]+\d", run("bird", "--version", check=False))
        return f"BIRD {found[0] if found else '?'}"


class Frr(Side):
    name = "FRR"
    BGPD = "/usr/lib/frr/bgpd"

    def start(self):
        if not os.path.exists(self.BGPD):
            raise LabError("frr is not installed: apt-get install frr")
        file = os.path.join(self.directory, "bgpd.conf")
        sessions = "".join(f" neighbor {address} remote-as {number}\n neighbor {address} passive\n neighbor {address} timers 60 240\n"
                           for address, number in neighbors(self.feeders))
        write(file, f"router bgp {AS}\n bgp router-id {SPEAKER}\n no bgp ebgp-requires-policy\n{sessions}")
        os.chmod(self.directory, 0o777)
        return processes.start(self.namespace, [self.BGPD, "-n", "-Z", "-S", "-f", file, "-i", os.path.join(self.directory, "pid"),
                                                "--vty_socket", self.directory, "-P", "0"], self.log)

    @staticmethod
    def version():
        found = re.search(r"version ([\d.]+\d)", run(Frr.BGPD, "--version", check=False))
        return f"FRR {found[1] if found else '?'}"


def processor_time(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1])


def tool(build, name):
    path = os.path.join(os.path.abspath(build), "tests/netns", name)
    if not os.path.exists(path):
        raise LabError(f"no {name} in {build}: build it first (ninja -C {build} tests/netns/{name})")
    return path
