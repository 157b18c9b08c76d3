"""Started by interop.sh inside the guest: what cgwd's kernel data plane and one peer do together.

interop.py BUILD PEER:PROOF:ROLE[:MORE]...   PEER strongswan | libreswan | openiked; ROLE, which side initiates: ours | theirs
  suites[:all]   algorithms, one pair after the other, each with a rekey of the Child SA; all: every pair
  rekeys:SECONDS both sides rekey both SAs all the time, at once or (Libreswan, OpenIKED) in turns, under traffic: no packet is lost
  auth:KIND      certificates: rsa-2048, rsa-4096, ecdsa-256, ecdsa-384
  nat:WHO        behind a NAT: cgw, peer, both
  death          the peer is killed and comes back without its SAs
  both           the peer opens the tunnel by itself while we do
"""
import concurrent.futures
import datetime
import os
import re
import sys
import time

sys.dont_write_bytecode = True
from bench import HERE, PATIENCE, Bench, check, lost  # noqa: E402
from cgwlab.pki import Pki  # noqa: E402
from cgwlab.shell import LabError, wait_for  # noqa: E402
from cgwlab.stream import add  # noqa: E402
from peers import PEERS  # noqa: E402

sys.path.insert(0, os.path.join(HERE, "../netns"))
from suites import ESP_GROUPS, FEW, GROUPS, products  # noqa: E402

RATE = 500     # packets a second, each way
EVERY = 3      # seconds between rekeys


def up(bench, role):
    bench.peer.start()
    bench.start(initiate=role == "ours")
    shown = bench.wait_up()
    check(bench.pings(), "no answer to ping")
    return shown


def suites(build, peer, role, which="few"):
    """every cipher, hash, PRF and group works, with a rekey of the Child SA by the other side"""
    left = [pair for pair in pairs_of(which) if PEERS[peer].has(*pair)]
    bench = Bench(build, peer, *left[0], offers=left)
    with closing(bench):
        up(bench, role)
        for ike, esp in left:
            began = time.monotonic()
            one_pair(bench, role, ike, esp)
            print(f"#   {ike:32} {esp:28} ok ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"# {len(left)} pairs; {peer} lacks {PEERS[peer].LACKS}", flush=True)


def pairs_of(which):
    if which == "few":
        return FEW
    ikes, esps = products(GROUPS, prfs=True), products(ESP_GROUPS, prfs=False)
    count = max(len(ikes), len(esps))
    return [(ikes[i % len(ikes)], esps[i % len(esps)]) for i in range(count)]


def one_pair(bench, role, ike, esp):
    bench.peer.terminate()
    bench.peer.use(ike, esp)
    if role == "theirs":
        bench.peer.initiate()

    def agreed():
        shown = bench.is_up()
        # The group comes with the first rekey.
        return shown and shown["ike"].get("suite") == ike and shown["child"].get("suite") in (esp, esp.rsplit("-", 1)[0]) and shown
    before = wait_for(f"a tunnel with {ike} and {esp}", agreed, PATIENCE, 0.1)
    check(bench.pings(), f"{ike}, {esp}: no answer to ping")
    # The group of the Child SA is used for the first time by a rekey.
    if role == "ours":
        bench.peer.rekey("child")
    else:
        bench.rekey("esp")
    wait_for(f"{esp}: a rekey of the Child SA",
             lambda: (bench.shown().get("child") or {}).get("rekeys", 0) > before["child"]["rekeys"], PATIENCE, 0.1)
    check(bench.pings(), f"{ike}, {esp}: no answer to ping after the rekey")


def rekeys(build, peer, role, seconds="20"):
    """both sides rekey both SAs all the time under traffic, and no packet is lost"""
    crosses = PEERS[peer].CROSSES
    bench = Bench(build, peer, child_seconds=7, ike_seconds=17)
    with closing(bench):
        before = up(bench, role)
        there, back = bench.streams(RATE)
        with there, back, concurrent.futures.ThreadPoolExecutor(2) as both:
            time.sleep(0.5)
            there.report(), back.report()
            sent, received = there.report(), back.report()
            end, asked = time.monotonic() + int(seconds), 0
            while time.monotonic() < end:
                what = "ike" if asked % 3 == 2 else "child"
                sides = [(bench.rekey, "ike" if what == "ike" else "esp"), (bench.peer.rekey, what)]
                for done in [both.submit(*side) for side in (sides if crosses else sides[asked // 3 % 2:][:1])]:
                    done.result()
                asked += 1
                for _ in range(EVERY * 2):
                    time.sleep(0.5)
                    look(sent, there.report(), "there", what)
                    look(received, back.report(), "back", what)
                time.sleep(asked % 5 / 20)  # not always in step with the timers
            add(sent, there.watch(1)), add(received, back.report())
        after = bench.shown()
        child, ike = (after[sa]["rekeys"] - before[sa]["rekeys"] for sa in ("child", "ike"))
        print(f"# {sent['received']} packets there, {lost(sent)} lost; {received['received']} back, {lost(received)} lost; "
              f"{child} Child SAs and {ike} IKE SAs, asked for {asked} times {'by both sides at once' if crosses else 'in turns'}", flush=True)
        check(lost(sent) == 0 and lost(received) == 0, "packets were lost")
        check(child >= asked // 2 and ike >= asked // 4, "too few rekeys")
        wait_for("two SAs", lambda: bench.states().count("proto esp") == 2 or None, 40, 0.5)
        check(bench.shown()["ike"]["spiInitiator"] is not None, "no IKE SA")


def look(total, report, way, what):
    if lost(report):
        print(f"# {datetime.datetime.utcnow():%H:%M:%S.%f} {report} {way}, the last asked for was {what}", flush=True)
    add(total, report)


def auth(build, peer, role, kind):
    """certificates"""
    place = os.path.join(os.environ["PKI"], kind)
    pki = Pki(place, kind)
    check(os.path.exists(pki.path("ca.pem")), f"no certificates in {place}: tests/vm/pki makes them")
    bench = Bench(build, peer, "aes128-sha256-ecp256", pki=pki)
    with closing(bench):
        shown = up(bench, role)["authentication"]
        print(f"# {shown['peer']}", flush=True)
        check(shown["method"] == "certificate" and kind.split("-")[1] in shown["peer"], f"authenticated by {shown}")
        if kind == "rsa-4096":
            check(bench.peer.fragments(), "IKE_AUTH was not fragmented both ways")
        bench.peer.rekey("ike")
        wait_for("a rekey of the IKE SA", lambda: bench.shown()["ike"]["rekeys"] == 1, PATIENCE, 0.1)
        check(bench.pings(), "no answer to ping after the rekey")


def nat(build, peer, role, who):
    """a NAT is found, ESP comes in UDP, rekeys of both SAs go on"""
    bench = Bench(build, peer, nat=who)
    with closing(bench):
        shown = up(bench, role)
        check(shown["ike"]["natLocal"] == (who in ("cgw", "both")), f"natLocal: {shown['ike']}")
        check(shown["ike"]["natRemote"] == (who in ("peer", "both")), f"natRemote: {shown['ike']}")
        check(bench.states().count("espinudp") == 2, f"ESP is not in UDP: {bench.states()}")
        check(bench.pings(size=1200), "no answer to ping")
        for what in ("child", "ike"):
            key = "rekeys"
            bench.peer.rekey(what)
            wait_for(f"a rekey of the {what} SA by the peer", lambda w=what: bench.shown()[w][key] >= 1, PATIENCE, 0.1)
        for what in ("esp", "ike"):
            bench.rekey(what)
            word = "child" if what == "esp" else "ike"
            wait_for(f"a rekey of the {what} SA by us", lambda w=word: bench.shown()[w][key] >= 2, PATIENCE, 0.1)
            check(bench.pings(), f"no answer to ping after our rekey of {what}")


def death(build, peer, role):
    """a peer that is killed and comes back has its tunnel again a round trip later"""
    bench = Bench(build, peer, starts=role == "theirs", lines=("hw-offload",))
    with closing(bench):
        up(bench, role)
        with open(bench.log) as log:
            said = log.read().count("hw-offload: ESP is encrypted without hardware")
        check(said == 1, f"that the interface has no ESP offload is said {said} times")
        there, back = bench.streams(100)
        with there, back:
            time.sleep(0.5)
            there.report(), back.report()
            began = time.monotonic()
            bench.peer.kill()
            bench.peer.start()
            ready = time.monotonic()
            there.report(), back.report()
            wait_for("traffic both ways", lambda: there.report()["received"] > 0 and back.report()["received"] > 0, PATIENCE, 0.02)
            done = time.monotonic()
        print(f"# back after {ready - began:.2f} s, traffic both ways {done - ready:.2f} s later", flush=True)
        bench.wait_up()
        # We call once a second, a peer that starts by itself is taken at once; the guest is slow.
        check(done - ready < 5, f"traffic only {done - ready:.1f} s after the peer's return")


def both(build, peer, role):
    """both sides open the tunnel at once: one IKE SA and one Child SA are left, and traffic never stops again"""
    bench = Bench(build, peer, starts=True)
    with closing(bench):
        bench.start(initiate=True)
        bench.peer.start()
        bench.wait_up()
        wait_for("an answer to ping", bench.pings, PATIENCE, 0.2)
        there, back = bench.streams(200)
        with there, back:
            time.sleep(0.5)
            there.report(), back.report()
            sent, received = there.watch(14), back.report()  # two IKE SAs side by side settle after 10 s
        print(f"# {sent['received']} packets there, {lost(sent)} lost; {received['received']} back, {lost(received)} lost", flush=True)
        check(lost(sent) == 0 and lost(received) == 0, "packets were lost")
        wait_for("two SAs", lambda: bench.states().count("proto esp") == 2 or None, 40, 0.5)


class closing:
    """Takes the bench down; what it knows is told when something failed."""

    def __init__(self, bench):
        self.bench = bench

    def __enter__(self):
        return self.bench

    def __exit__(self, kind, *_):
        try:
            if kind and issubclass(kind, Exception):
                print(self.bench.explain(), flush=True)
        finally:
            self.bench.close()


PROOFS = {"suites": suites, "rekeys": rekeys, "auth": auth, "nat": nat, "death": death, "both": both}


def main(build, *wanted):
    passed = failed = 0
    for words in wanted:
        began = time.monotonic()
        peer, proof, *more = words.split(":")
        try:
            PROOFS[proof](build, peer, *more)
            passed, said = passed + 1, "ok"
        except (LabError, KeyError, IndexError, TypeError) as error:
            failed, said = failed + 1, "not ok"
            print(f"{type(error).__name__}: {error}", flush=True)
        print(f"{said} - {words}: {PROOFS[proof].__doc__} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
