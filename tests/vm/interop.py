"""Started by interop.sh inside the guest: cgwd against one peer with kernel ESP, suites, roles, rekeys, a peer's death.

interop.py BUILD SECONDS PEER:SUITE:ROLE...   ROLE: which side initiates, ours | theirs
"""
import json
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.normpath(os.path.join(HERE, "../../examples/lab.d")))

from cgwlab import processes  # noqa: E402
from cgwlab.gateway import program  # noqa: E402
from cgwlab.shell import LabError, run, tail, wait_for, write  # noqa: E402
from peers import CUSTOMER, CUSTOMER_INSIDE, INSIDE, OUTSIDE, PEERS  # noqa: E402

OURS = {
    "gcm-ecp384": ("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384"),
    "gcm128-ecp256": ("aes128gcm16-prfsha256-ecp256", "aes128gcm16-ecp256"),
    "sha256-ecp256": ("aes128-sha256-ecp256", "aes128-sha256-ecp256"),
    "sha256-modp2048": ("aes128-sha256-modp2048", "aes128-sha256-modp2048"),
    "sha512-modp2048": ("aes256-sha512-modp2048", "aes256-sha512-modp2048"),
    "sha512-ecp384": ("aes256-sha512-ecp384", "aes256-sha512-ecp384"),
    "esn": ("aes128gcm16-prfsha256-ecp256", "aes128gcm16-ecp256-esn aes128gcm16-ecp256"),
}
SECRET = "interop.Secret_of_the_test"
PATIENCE = 60
EVERY = 4  # seconds from one of the peer's rekeys to the next


class Bench:
    """Two namespaces, a wire, cgwd in one and the peer in the other."""

    def __init__(self, build, peer, suite, role):
        self.suite, self.ours = suite, role == "ours"
        self.directory = f"/tmp/interop-{peer}-{suite}-{role}"
        os.makedirs(self.directory)
        self.cgwd, self.cgwsh = program(build, "cgwd"), program(build, "cgwsh")
        self.log = os.path.join(self.directory, "cgwd.log")
        for name in ("cgw", "peer"):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "link", "add", "wan0", "netns", "cgw", "type", "veth", "peer", "name", "wan0", "netns", "peer")
        for name, address in (("cgw", CUSTOMER), ("peer", OUTSIDE)):
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "wan0")
            run("ip", "-n", name, "link", "set", "wan0", "up")
        self.peer = PEERS[peer](os.path.join(self.directory, "peer"), "peer", suite, SECRET)
        self.peer.prepare()
        self.record = None

    def start(self):
        ike, esp = OURS[self.suite]
        initiate = "initiate" if self.ours else "no initiate"
        write(os.path.join(self.directory, "secrets"), f"key {SECRET}\n", 0o600)
        configuration = os.path.join(self.directory, "cgwd.conf")
        write(configuration, f"""data-plane kernel
vpn connection vpn-1
 target other
 routing static
 tunnel 1
  interface cgw1
  customer-gateway outside-address {CUSTOMER}
  customer-gateway inside-address {CUSTOMER_INSIDE}/30
  vpn-gateway outside-address {OUTSIDE}
  vpn-gateway inside-address {INSIDE}
  pre-shared-key key
  ike proposal {ike}
  esp proposal {esp}
  esp rekey packets 1000
  {initiate}
""")
        self.record = processes.start("cgw", [self.cgwd, "-f", configuration, "--run-dir", self.directory], self.log)

    def shown(self):
        try:
            return json.loads(run(self.cgwsh, "--run-dir", self.directory, "-c", "show vpn json"))["connections"][0]["tunnels"][0]
        except (LabError, ValueError, KeyError, IndexError):
            return {}

    def wait_up(self, seconds=PATIENCE):
        def up():
            if not processes.alive(self.record):
                raise LabError("cgwd has ended")
            return self.shown().get("verdict") == "up"
        wait_for("the tunnel up", up, seconds, 0.2)

    def explain(self):
        return f"--- cgwd\n{tail(self.log, 40)}\n--- peer\n{tail(self.peer.log, 40)}\n--- state\n" + \
            run("ip", "-n", "cgw", "xfrm", "state", "list", "nokeys") + run("ip", "-n", "cgw", "xfrm", "policy")

    def close(self):
        for record in (self.record, self.peer.record):
            if record:
                processes.stop([record])
        for name in ("cgw", "peer"):
            run("ip", "netns", "del", name, check=False)


def check(condition, text):
    if not condition:
        raise LabError(text)


def rekeys(bench, seconds):
    """Both sides rekey every few seconds while some 300 pings a second pass: none may be lost."""
    before = bench.shown()
    ping = subprocess.Popen(["ip", "netns", "exec", "cgw", "ping", "-q", "-n", "-i", "0.003", "-w", str(seconds), "-W", "1",
                             INSIDE], stdout=subprocess.PIPE, text=True)
    end, asked = time.monotonic() + seconds - 2, 0
    while time.monotonic() < end:
        time.sleep(EVERY / 2)
        bench.peer.rekey("ike" if asked % 3 == 2 else "child")
        asked += 1
        time.sleep(EVERY / 2)
    out = ping.communicate()[0]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", out).groups())
    after = bench.shown()
    child = after["child"]["rekeys"] - before["child"]["rekeys"]
    ike = after["ike"]["rekeys"] - before["ike"]["rekeys"]
    print(f"# {sent} pings, {sent - received} lost; {child} rekeys of the Child SA, {ike} of the IKE SA, "
          f"{asked} asked for by the peer", flush=True)
    check(sent - received <= 1, f"{sent - received} of {sent} pings lost")  # the last may be under way when ping ends
    check(child > asked - asked // 3 and ike >= asked // 3, "too few rekeys: one side did not")


def settle(bench):
    """After the rekeys two SAs are left."""
    wait_for("two SAs", lambda: run("ip", "-n", "cgw", "xfrm", "state").count("proto esp") == 2, 20, 0.5)


def death(bench):
    """The peer is killed and comes back without its SAs."""
    bench.peer.kill()
    bench.peer.start()
    if not bench.ours:
        bench.peer.initiate()
    wait_for("an answer from the peer that came back", lambda: ", 0% packet loss" in run(
        "ip", "netns", "exec", "cgw", "ping", "-q", "-n", "-c", "2", "-i", "0.1", "-W", "1", INSIDE, check=False), PATIENCE, 0.3)
    bench.wait_up()


def one(build, seconds, words):
    peer, suite, role = words.split(":")
    bench = Bench(build, peer, suite, role)
    try:
        bench.peer.start()
        bench.start()
        if not bench.ours:
            wait_for("cgwd", lambda: bench.shown() or None, PATIENCE)
            bench.peer.initiate()
        bench.wait_up()
        print(f"# {words}: {bench.shown()['child']['suite']}", flush=True)
        rekeys(bench, seconds)
        settle(bench)
        death(bench)
        return True
    except LabError as error:
        print(f"{error}\n{bench.explain()}", flush=True)
        return False
    finally:
        bench.close()


def main(build, seconds, *wanted):
    passed = failed = 0
    for words in wanted:
        started = time.monotonic()
        good = one(build, int(seconds), words)
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok' if good else 'not ok'} - {words}: up, rekeys by both sides without loss, back after its death "
              f"({time.monotonic() - started:.0f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
