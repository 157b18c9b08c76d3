"""cgwd and one peer, each in a namespace, with a router between them that may be a NAT for either; streams both ways.

  cgw 198.51.100.2 -- net -- 203.0.113.10 peer      behind a NAT: cgw 10.1.0.2, peer 10.2.0.2
"""
import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.normpath(os.path.join(HERE, "../../examples/lab.d")))

from cgwlab import processes, stream  # noqa: E402
from cgwlab.gateway import program  # noqa: E402
from cgwlab.shell import LabError, run, tail, wait_for, write  # noqa: E402
from peers import CUSTOMER, CUSTOMER_INSIDE, INSIDE, OUTSIDE, PEERS, SECRET, Side  # noqa: E402

PATIENCE = 60
NAMES = ("cgw", "net", "peer")
PRIVATE = {"cgw": "10.1.0.2", "peer": "10.2.0.2"}
PUBLIC = {"cgw": CUSTOMER, "peer": OUTSIDE}


class Bench:
    def __init__(self, build, peer, ike="", esp="", nat="", offers=(), lines=(),
                 **how):
        """ike, esp: what the peer has, empty for its best; offers: what cgwd has, if that is more; nat: who is behind one, cgw | peer | both;
        lines: more of cgwd's configuration; how: the rest of peers.Side."""
        self.directory = f"/tmp/interop-{os.getpid()}-{len(os.listdir('/tmp'))}"
        os.makedirs(self.directory)
        ike, esp = ike or PEERS[peer].SUITE[0], esp or PEERS[peer].SUITE[1]
        self.build, self.nat = build, [side for side in ("cgw", "peer") if nat in (side, "both")]
        self.cgwd, self.cgwsh = program(build, "cgwd"), program(build, "cgwsh")
        self.log = os.path.join(self.directory, "cgwd.log")
        self.offers, self.lines, self.record = offers or [(ike, esp)], lines, None
        self.make_network()
        address = PRIVATE["peer"] if "peer" in self.nat else OUTSIDE
        self.pki = how.get("pki")
        self.peer = PEERS[peer](Side(os.path.join(self.directory, "peer"), "peer", address, ike, esp, **how))
        self.peer.prepare()

    def namespace(self, role):
        return role

    def make_network(self):
        for name in NAMES:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "netns", "exec", "net", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        rules = []
        for name in ("cgw", "peer"):
            address = PRIVATE[name] if name in self.nat else PUBLIC[name]
            router = address.rsplit(".", 1)[0] + ".1"
            run("ip", "link", "add", "wan0", "netns", name, "type", "veth", "peer", "name", name, "netns", "net")
            for namespace, interface, own in ((name, "wan0", address), ("net", name, router)):
                run("ip", "-n", namespace, "addr", "add", f"{own}/24", "dev", interface)
                run("ip", "-n", namespace, "link", "set", interface, "up")
            run("ip", "-n", name, "route", "add", "default", "via", router)
            if name in self.nat:
                run("ip", "-n", "net", "addr", "add", f"{PUBLIC[name]}/32", "dev", "lo")
                rules += [f"add rule ip nat out ip saddr {address} snat to {PUBLIC[name]}",
                          f"add rule ip nat in ip daddr {PUBLIC[name]} udp dport {{ 500, 4500 }} dnat to {address}"]
        if rules:
            run("ip", "netns", "exec", "net", "nft", "-f", "-", input_text="\n".join((
                "table ip nat {", " chain in { type nat hook prerouting priority -100; }",
                " chain out { type nat hook postrouting priority 100; }", "}", *rules)) + "\n")

    def write_configuration(self, initiate):
        ikes, esps = (" ".join(dict.fromkeys(pair[i] for pair in self.offers)) for i in (0, 1))
        write(os.path.join(self.directory, "secrets"), f"key {SECRET}\n", 0o600)
        who = self.pki.rows(1) if self.pki else ["pre-shared-key key"]
        rows = ["interface cgw1", f"customer-gateway outside-address {CUSTOMER}",
                f"customer-gateway inside-address {CUSTOMER_INSIDE}/30", f"vpn-gateway outside-address {OUTSIDE}",
                f"vpn-gateway inside-address {INSIDE}", *who, f"ike proposal {ikes}", f"esp proposal {esps}",
                "initiate" if initiate else "no initiate", *self.lines]
        path = os.path.join(self.directory, "cgwd.conf")
        write(path, "data-plane kernel\nvpn connection vpn-1\n target other\n routing static\n tunnel 1\n" +
              "".join(f"  {row}\n" for row in rows))
        return path

    def start(self, initiate):
        """cgwd, when the peer is there; who does not initiate waits for the other."""
        path = self.write_configuration(initiate)
        self.record = processes.start("cgw", [self.cgwd, "-f", path, "--run-dir", self.directory], self.log)
        wait_for("cgwd", lambda: self.shown() or None, PATIENCE)
        if not initiate and not self.peer.side.starts:
            self.peer.initiate()

    def ask(self, words):
        return run(self.cgwsh, "--run-dir", self.directory, "-c", words)

    def shown(self):
        try:
            return json.loads(self.ask("show vpn json"))["connections"][0]["tunnels"][0]
        except (LabError, ValueError, KeyError, IndexError):
            return {}

    def is_up(self):
        if not processes.alive(self.record):
            raise LabError("cgwd has ended")
        shown = self.shown()
        return shown if shown.get("verdict") == "up" else None

    def wait_up(self, seconds=PATIENCE):
        return wait_for("the tunnel up", self.is_up, seconds, 0.1)

    def rekey(self, what):
        return self.ask(f"rekey vpn vpn-1 tunnel 1 {what}")

    def pings(self, count=3, size=56):
        out = run("ip", "netns", "exec", "cgw", "ping", "-q", "-n", "-c", str(count), "-i", "0.05", "-W", "2", "-s", str(size), INSIDE,
                  check=False)
        return f" {count} received" in out

    def streams(self, rate):
        """Numbered packets from us to the peer, and from it to us."""
        tool = stream.build_tool(self.build)
        return (stream.Stream(self, tool, "cgw", "peer", rate, addresses=[INSIDE], port=7000),
                stream.Stream(self, tool, "peer", "cgw", rate, addresses=[CUSTOMER_INSIDE], port=7001))

    def states(self):
        return run("ip", "-n", "cgw", "-s", "xfrm", "state", "list", "nokeys")

    def explain(self):
        """Words for the report; the whole logs stay in the results."""
        kept = os.path.join(os.environ.get("RESULTS", "/tmp"), os.path.basename(self.directory))
        os.makedirs(kept, exist_ok=True)
        for path in (self.log, self.peer.log):
            if os.path.exists(path):
                shutil.copy(path, kept)
        shown = json.dumps(self.shown().get("counters"))
        return (f"--- cgwd\n{tail(self.log, 60)}\n--- peer\n{tail(self.peer.log, 60)}\n--- state\n{self.states()}"
                f"{run('ip', '-n', 'cgw', 'xfrm', 'policy')}\n{shown}\n"
                f"{run('ip', 'netns', 'exec', 'cgw', 'cat', '/proc/net/xfrm_stat')}\n"
                f"{run('ip', 'netns', 'exec', 'peer', 'cat', '/proc/net/xfrm_stat')}")

    def close(self):
        for record in (self.record, self.peer.record):
            if record:
                processes.stop([record])
        for name in NAMES:
            run("ip", "netns", "del", name, check=False)


def check(condition, text):
    if not condition:
        raise LabError(text)


def lost(report):
    """A late packet was lost to the report before it."""
    return report["lost"] - report["late"]
