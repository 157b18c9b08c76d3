"""One tunnel between two namespaces, both ends and iperf3 on this machine: cgwd's userspace data plane beside strongSwan's
kernel-libipsec, ESP in UDP with AES-256-GCM, replay check on, a rekey every second on our side and every ten on theirs.

Both stand side by side for the whole time and are measured in turn, so that the machine's other load meets both alike.
cgwd's plane runs under plane_driver with static keys; kernel-libipsec has its largest MTU, 1400, ours 1438.
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

from cgwlab.charon import Charon
from cgwlab import processes
from cgwlab.shell import LabError, in_namespace, run, wait_for

OUTER = {"a": "198.51.100.1", "b": "198.51.100.2"}
INNER = {"a": "169.254.10.1", "b": "169.254.10.2"}
SUITE = "aes256gcm16"
IF_ID = "0x0c670001"
RUNS, SECONDS = 5, 5
PINGS = 300


def measure(settings):
    runs, seconds = (1, 2) if settings.quick else (RUNS, SECONDS)
    sides = [side for side in (Plane(settings, "openssl"), Plane(settings, "ipsec-mb"), Plane(settings, "ipsec-mb", 2), Libipsec())
             if settings.only in (None, "ours" if isinstance(side, Plane) else "theirs")]
    found = {side.name: {"tcp": [], "udp": [], "lost": 0, "sent": 0, "rtt": []} for side in sides}
    try:
        for side in sides:
            side.start()
        for number in range(runs):
            for side in sides:
                one_round(side, seconds, found[side.name])
                print(f"run {number + 1} of {runs}: {side.name}: {words(found[side.name])}", flush=True)
        for side in sides:
            print(f"{side.name}: {side.memory()} MiB RSS a side", flush=True)
    finally:
        for side in sides:
            side.stop()
    return rows(found, runs)


def one_round(side, seconds, found):
    found["tcp"].append(side.tcp(seconds))
    found["udp"].append(side.udp(seconds))
    sent, lost, rtt = side.ping_under_load(seconds)
    found["sent"] += sent
    found["lost"] += lost
    found["rtt"].append(rtt)


def words(found):
    return (f"TCP {found['tcp'][-1] / 1e9:.2f} Gbit/s, UDP {found['udp'][-1] / 1e3:.1f} kpps, "
            f"ping {found['rtt'][-1]:.1f} ms under load, {found['lost']} of {found['sent']} lost")


def rows(found, runs):
    theirs = found.get("libipsec")
    out = []
    for name, goal in (("openssl", 14), ("ipsec-mb", 20), ("ipsec-mb, 2 threads", 14)):
        ours = found.get(name)
        pairs = [("one TCP stream", "Gbit/s", "tcp", 1e9, goal)]
        pairs.append(("UDP, 1300 octets", "kpps", "udp", 1e3, 3))
        for work, unit, key, scale, least in pairs:
            a, b = (statistics.median(f[key]) / scale if f else None for f in (ours, theirs))
            ratio = a / b if a and b else None
            out.append(row(f"{work}, {name}", unit, a, b, ratio, f"> {least} x", bool(ratio) and ratio > least, runs))
        a, b = (statistics.median(f["rtt"]) if f else None for f in (ours, theirs))
        out.append(row(f"ping under TCP load, {name}: {ours['lost'] if ours else '-'} of {ours['sent'] if ours else '-'} lost",
                       "ms", a, b, a / b if a and b else None, "none lost", bool(ours) and ours["lost"] == 0, runs))
    return out


def row(work, unit, ours, theirs, ratio, goal, met, runs):
    return {"bench": "esp", "work": work, "unit": unit, "ours": ours and round(ours, 2), "peer": peer_name(),
            "theirs": theirs and round(theirs, 2), "ratio": ratio and round(ratio, 2), "goal": goal, "met": met,
            "runs": runs}


def peer_name():
    version = re.search(r"[\d.]+\d", run("swanctl", "--version", check=False))
    return f"kernel-libipsec {version[0] if version else '?'}"


class Pair:
    """Two namespaces with a cable between them, and what may be measured through a tunnel."""
    device = "tun1"

    def __init__(self, name):
        self.name = name
        self.namespace = {side: f"cgwesp{os.getpid()}{name[0]}{name[-1]}{side}" for side in "ab"}
        self.directory = tempfile.mkdtemp(prefix="cgwesp")

    def wire(self):
        for name in self.namespace.values():
            run("ip", "netns", "add", name)
            run(*in_namespace(name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"))
        a, b = self.namespace["a"], self.namespace["b"]
        run("ip", "link", "add", "v0", "netns", a, "type", "veth", "peer", "name", "v0", "netns", b)
        for side, name in self.namespace.items():
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "addr", "add", OUTER[side] + "/24", "dev", "v0")
            run("ip", "-n", name, "link", "set", "v0", "up")

    def address(self, mtu):
        for side, peer in ("ab", "ba"):
            name = self.namespace[side]
            run("ip", "-n", name, "addr", "replace", INNER[side], "peer", INNER[peer], "dev", self.device)
            run("ip", "-n", name, "link", "set", self.device, "mtu", str(mtu), "up")

    def reach(self):
        wait_for(f"a ping through {self.name}", lambda: " 0% packet loss" in run(
            *in_namespace(self.namespace["a"], "ping", "-c", "1", "-W", "1", INNER["b"]), check=False), 20, 0.2)

    def unwire(self):
        for name in self.namespace.values():
            run("ip", "netns", "del", name, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def iperf(self, seconds, *how):
        server = subprocess.Popen(in_namespace(self.namespace["b"], "iperf3", "-s", "-1", "-B", INNER["b"]),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for("iperf3's server", lambda: ":5201" in run(
                *in_namespace(self.namespace["b"], "ss", "-Hltn")), 20)
            out = run(*in_namespace(self.namespace["a"], "iperf3", "-J", "-c", INNER["b"], "-t", str(seconds), *how),
                      timeout=seconds + 60, check=False)
            return json.loads(out)["end"]
        except (ValueError, KeyError):
            raise LabError(f"iperf3 through {self.name}: {out[-300:]}") from None
        finally:
            server.kill()
            server.wait()

    def tcp(self, seconds):
        return self.iperf(seconds)["sum_received"]["bits_per_second"]

    def udp(self, seconds):
        """Packets a second that arrive when more are sent than any side can take."""
        total = self.iperf(seconds, "-u", "-l", "1300", "-b", "2000M")["sum"]
        return (total["packets"] - total["lost_packets"]) / total["seconds"]

    def ping_under_load(self, seconds):
        load = threading.Thread(target=self.iperf, args=(seconds,))
        load.start()
        time.sleep(0.5)
        count = PINGS * (seconds - 1) // 4
        out = run(*in_namespace(self.namespace["a"], "ping", "-q", "-c", str(count), "-i", "0.01", INNER["b"]),
                  check=False)
        load.join()
        sent, received = (int(n) for n in re.search(r"(\d+) packets transmitted, (\d+) received", out).groups())
        rtt = re.search(r"= [\d.]+/([\d.]+)/", out)
        return sent, sent - received, float(rtt[1]) if rtt else float("inf")


class Plane(Pair):
    """cgwd's userspace data plane at both ends, rekeyed every second."""

    def __init__(self, settings, crypto, threads=1):
        super().__init__(crypto if threads == 1 else f"{crypto}, {threads} threads")
        self.crypto = crypto
        self.threads = threads
        self.driver = os.path.join(settings.build, "tests/netns/plane_driver")
        self.process = {}
        self.stopping = threading.Event()
        self.rekeying = threading.Thread(target=self.rekey)

    def start(self):
        if not os.path.exists(self.driver):
            raise LabError(f"{self.driver} is not there: ninja -C BUILD tests/netns/plane_driver")
        self.wire()
        for side, peer in ("ab", "ba"):
            self.process[side] = subprocess.Popen(
                in_namespace(self.namespace[side], self.driver, "userspace", self.device, IF_ID, side, OUTER[side],
                             OUTER[peer], SUITE, "encap", f"threads={self.threads}"),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "CGWD_ESP": self.crypto})
            self.answer(side)
            for command in ("ensure", "in 1", "out 1"):
                self.tell(side, command)
        self.address(1438)
        self.reach()
        self.rekeying.start()

    def tell(self, side, command):
        self.process[side].stdin.write(command + "\n")
        self.process[side].stdin.flush()
        self.answer(side)

    def answer(self, side):
        line = self.process[side].stdout.readline()
        if not line.startswith("ok"):
            raise LabError(f"plane_driver {self.name}: {line.strip() or 'ended'}")

    def rekey(self):
        new = 1
        while not self.stopping.wait(1.0):
            new += 1
            for command in (f"in {new}", f"out {new}"):
                for side in "ab":
                    self.tell(side, command)
            if self.stopping.wait(0.5):
                break
            for side in "ab":
                self.tell(side, f"remove {new - 1}")

    def memory(self):
        return [rss(p.pid) for p in self.process.values()]

    def stop(self):
        self.stopping.set()
        if self.rekeying.is_alive():
            self.rekeying.join()
        for p in self.process.values():
            p.kill()
            p.wait()
        self.unwire()


class Libipsec(Pair):
    """strongSwan's own userspace ESP at both ends."""
    device = "ipsec0"

    def __init__(self):
        super().__init__("libipsec")
        self.charon = {side: Charon(os.path.join(self.directory, side), self.namespace[side], "libipsec")
                       for side in "ab"}
        self.records = {}

    def start(self):
        self.wire()
        for side, charon in self.charon.items():
            self.records[side] = charon.start()
        for side, charon in self.charon.items():
            charon.wait_ready(self.records[side])
            wait_for("ipsec0", lambda name=self.namespace[side]: "ipsec0" in run("ip", "-n", name, "-br", "link"), 10)
        self.address(1400)
        for side, peer in ("ab", "ba"):
            self.charon[side].load("t", self.connection(side, peer), "not a secret", list(OUTER.values()))
        self.charon["a"].initiate("t")
        self.reach()

    @staticmethod
    def connection(side, peer):
        everything = ["0.0.0.0/0"]
        return {"version": "2", "local_addrs": [OUTER[side]], "remote_addrs": [OUTER[peer]], "encap": "yes",
                "mobike": "no", "proposals": ["aes256gcm16-prfsha384-ecp256"],
                "local": {"auth": "psk", "id": OUTER[side]}, "remote": {"auth": "psk", "id": OUTER[peer]},
                "children": {"t": {"local_ts": everything, "remote_ts": everything, "esp_proposals": ["aes256gcm16"],
                                   "replay_window": "1024", "mode": "tunnel",
                                   "rekey_time": "10s" if side == "a" else "0", "rand_time": "0"}}}

    def memory(self):
        return [rss(record["pid"]) for record in self.records.values()]

    def stop(self):
        processes.stop(list(self.records.values()))
        self.unwire()


def rss(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) // 1024
