"""How many IKE SAs with their Child SAs a responder sets up in a second of one core, and what they weigh.

The responder (cgwd, then strongSwan's charon) is pinned to one core, the initiators (bench/ike_load.cpp, on cgwd's
IkePeer) to another. Each peer does IKE_SA_INIT and IKE_AUTH once with a pre-shared key, 16 at a time. The rate is
per second of the responder's processor time: on a machine that does other things too, wall-clock time says how busy
that was; it is printed beside. Both responders run their userspace data planes.
"""
import contextlib
import json
import os
import re
import statistics
import tempfile
import time

from cgwlab import LabError, processes, topology
from cgwlab.charon import Charon
from cgwlab.gateway import program
from cgwlab.shell import in_namespace, ip_batch, run, tail, wait_for, write

SUITES = (
    ("aes256gcm16-prfsha384-ecp384", "aes256gcm16"),
    ("aes256gcm16-prfsha384-ecp256", "aes256gcm16"),
    ("aes256gcm16-prfsha384-modp2048", "aes256gcm16"),
    ("aes256gcm16-prfsha384-curve25519", "aes256gcm16"),
)
PEERS = 1000
QUICK_PEERS = 300
RUNS = 3
IN_FLIGHT = 16
KEY = "bench.ike.every.peer.has.this.key"
RESPONDER, ROUTER = "10.63.0.1", "10.63.0.2"
FIRST, POOL = "10.64.0.1", "10.64.0.0/16"
CORES = ("0", "1")   # responder, initiators
GOAL = 2.0
MEMORY_GOAL = 1.0


def measure(settings):
    peers, runs = (QUICK_PEERS, 1) if settings.quick else (PEERS, RUNS)
    rows, weights = [], []
    for ike, esp in SUITES:
        found = {}
        for name, side in (("ours", Cgwd), ("theirs", Strongswan)):
            if settings.only not in (None, name):
                continue
            found[name] = [one_run(settings.build, side, ike, esp, peers) for _ in range(runs)]
            for one in found[name]:
                print(f"{side.name}, {ike}: {words(one)}", flush=True)
        rows.append(rate_row(ike, found, runs))
        weights.append(found)
    rows.append(memory_row(weights, peers, runs))
    return rows


def rate_row(ike, found, runs):
    ours, theirs = (median(found.get(name), "rate") for name in ("ours", "theirs"))
    ratio = round(ours / theirs, 2) if ours and theirs else None
    return {"bench": "ike", "work": f"IKE_SA_INIT + IKE_AUTH as responder, {ike}", "unit": "1/s of one core",
            "ours": ours and round(ours, 1), "peer": peer_name(), "theirs": theirs and round(theirs, 1), "ratio": ratio,
            "goal": f"> {GOAL:g} x the peer", "met": bool(ratio) and ratio > GOAL, "runs": runs}


def memory_row(weights, peers, runs):
    """The whole process; cgwd's configuration has a section for every tunnel, strongSwan's one for all."""
    def mean(name):
        values = [one["rss"] / 1024 for found in weights for one in found.get(name, [])]
        return statistics.mean(values) if values else None
    ours, theirs = mean("ours"), mean("theirs")
    ratio = round(ours / theirs, 2) if ours and theirs else None
    return {"bench": "ike", "work": f"resident memory with {peers} established tunnels", "unit": "MiB",
            "ours": ours and round(ours, 1), "peer": peer_name(), "theirs": theirs and round(theirs, 1), "ratio": ratio,
            "goal": "less than the peer", "met": bool(ratio) and ratio < MEMORY_GOAL, "runs": runs * len(weights)}


def one_run(build, side_type, ike, esp, peers):
    with bed() as (directory, near, far):
        side = side_type(build, directory, near, ike, esp, peers)
        record = side.start()
        try:
            side.wait_ready(record)
            before = processor_time(record["pid"])
            load = initiators(build, far, ike, esp, peers)
            used = processor_time(record["pid"]) - before
            return {"rate": load["established"] / used, "used": used, "wall": load["seconds"], "load": load["cpu"],
                    "again": load["retransmitted"], "established": load["established"],
                    "rss": rss(record["pid"])}
        finally:
            processes.stop([record])


def initiators(build, namespace, ike, esp, peers):
    out = run(*in_namespace(namespace, "taskset", "-c", CORES[1], tool(build), RESPONDER, FIRST, str(peers),
                            str(IN_FLIGHT), ike, esp, KEY), check=False, timeout=600)
    try:
        load = json.loads(out)
    except ValueError:
        raise LabError(f"ike_load: {out.strip() or 'said nothing'}") from None
    if load["established"] != peers:
        raise LabError(f"ike_load: {load['established']} of {peers} peers are established; {load['error']}")
    return load


@contextlib.contextmanager
def bed():
    """Two namespaces and a cable; all initiators' addresses are local to the second."""
    near, far = f"cgwike{os.getpid()}-r", f"cgwike{os.getpid()}-i"
    with tempfile.TemporaryDirectory(prefix="cgwike") as directory:
        try:
            for namespace in (near, far):
                topology.make_namespace(namespace)
            run("ip", "link", "add", "name", "wan0", "netns", near, "type", "veth", "peer", "name", "net0", "netns", far)
            ip_batch(near, [f"addr add {RESPONDER}/24 dev wan0", "link set wan0 up", f"route add default via {ROUTER}"])
            ip_batch(far, [f"addr add {ROUTER}/24 dev net0", "link set net0 up", f"route add local {POOL} dev lo"])
            yield directory, near, far
        finally:
            for namespace in (near, far):
                run("ip", "netns", "del", namespace, check=False)


class Cgwd:
    name = "cgwd"

    def __init__(self, build, directory, namespace, ike, esp, peers):
        self.build, self.directory, self.namespace, self.peers = build, directory, namespace, peers
        self.file = os.path.join(directory, "cgwd.conf")
        write(self.file, "data-plane userspace\n" + "".join(tunnel(i, ike, esp) for i in range(peers)))
        write(os.path.join(directory, "secrets"), f"bench {KEY}\n", mode=0o600)

    def start(self):
        return processes.start(self.namespace, ["taskset", "-c", CORES[0], program(self.build, "cgwd"), "-f", self.file,
                                                "--run-dir", self.directory, "--log-level", "error"], self.log)

    @property
    def log(self):
        return os.path.join(self.directory, "cgwd.out")

    def wait_ready(self, record):
        """Every tunnel's interface is there, and the daemon rests."""
        def made():
            if not processes.alive(record):
                raise LabError(f"cgwd has ended: {tail(self.log, 3) or 'it said nothing'}")
            return run("ip", "-n", self.namespace, "-br", "link").count("\n") >= self.peers + 2
        wait_for("all interfaces", made, 120, 0.2)
        wait_for("cgwd at rest", lambda: idle(record["pid"]), 60, 0)


class Strongswan:
    name = "strongSwan"

    def __init__(self, build, directory, namespace, ike, esp, peers):
        self.ike, self.esp, self.peers = ike, esp, peers
        self.charon = Charon(directory, namespace, "libipsec", bench=True)

    def start(self):
        return self.charon.start(before=("taskset", "-c", CORES[0]))

    def wait_ready(self, record):
        self.charon.wait_ready(record)
        self.charon.load("bench", {
            "version": "2", "mobike": "no", "encap": "yes", "local_addrs": [RESPONDER], "remote_addrs": ["%any"],
            "proposals": [self.ike], "dpd_delay": "0s", "unique": "no", "rekey_time": "0s",
            "local": {"auth": "psk", "id": RESPONDER}, "remote": {"auth": "psk", "id": "%any"},
            "children": {"bench": {"local_ts": ["0.0.0.0/0"], "remote_ts": ["dynamic"], "mode": "tunnel",
                                   "esp_proposals": [self.esp], "rekey_time": "0s"}}}, KEY, ["%any"])


def tunnel(i, ike, esp):
    """One peer: its outside address is the i-th of the pool, its inside subnet the i-th /30 of 172.16.0.0/12."""
    def address(base, n):
        return ".".join(str(base + n >> shift & 255) for shift in (24, 16, 8, 0))
    outside, inside = address(0x0a400001, i), 0xac100000 + 4 * i
    return f"""vpn connection vpn-{i:017x}
 target other
 routing static
 tunnel 1
  interface t{i}
  customer-gateway outside-address {RESPONDER}
  customer-gateway inside-address {address(inside, 2)}/30
  vpn-gateway outside-address {outside}
  vpn-gateway inside-address {address(inside, 1)}
  pre-shared-key bench
  ike proposal {ike}
  esp proposal {esp}
  dpd interval 3600
  no initiate
  no probe
"""


def processor_time(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(pid):
    before = processor_time(pid)
    time.sleep(1)
    return processor_time(pid) - before < 0.1


def rss(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1])


def tool(build):
    path = os.path.join(os.path.abspath(build), "tests/netns/ike_load")
    if not os.path.exists(path):
        raise LabError(f"no ike_load in {build}: build it first (ninja -C {build} tests/netns/ike_load)")
    return path


def median(runs, key):
    return statistics.median(one[key] for one in runs) if runs else None


def words(one):
    busy = 100 * one["used"] / one["wall"] if one["wall"] else 0
    return (f"{one['established']} in {one['wall']:.2f} s, {one['used']:.2f} s of the responder's core ({busy:.0f} %), "
            f"{one['load']:.2f} s of the initiators'; {one['rate']:.0f} a second of the core; "
            f"{one['again']} datagrams sent again; {one['rss'] / 1024:.1f} MiB resident")


def peer_name():
    version = re.search(r"[\d.]+\d", run("swanctl", "--version", check=False))
    return f"strongSwan {version[0] if version else '?'}"
