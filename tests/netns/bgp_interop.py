"""cgwd's BGP with the speakers that Debian has: one scenario each, the same assertions as far as the peer can do it."""
import contextlib
import signal
import time

from bgplab import bed as beds
from bgplab import cases, peers, trial, wire
from bgplab.host import Host
from bgplab.speaker import Speaker
from cgwlab import LabError
from cgwlab.shell import wait_for
from harness import check, scenario

OURS, OURS_V6, OURS_LARGE = "10.50.0.0/16", "2001:db8:50::/48", "65000:7:8"
BOTH = "10.9.0.0/16"  # of two other neighbors
ALL = "add-path,extended,enhanced,restart=60"
FEEDERS = (("10.99.0.20", 64801), ("10.99.0.21", 64802))


class Pair:
    """cgwd's speaker at one end, the peer at the other: 1 is its session over IPv4, 2 over IPv6; 3 and 4 are feeders of ours."""

    def __init__(self, made, build, peer_type):
        self.made, self.build, self.peer_type = made, build, peer_type
        self.peer = self.host = None
        self.feeders = []

    def start(self, words=ALL, key=None, **wishes):
        """Both anew."""
        self.stop()
        w = peers.Wishes(**wishes)
        self.peer = self.peer_type(self.made, w)
        self.peer.start()
        self.start_host(words, key)

    def start_host(self, words=ALL, key=None):
        w = self.peer.wishes
        key = w.md5 if key is None else key
        if self.peer_type is peers.Frr:
            key = key.replace(" ", "-")  # FRR takes no blanks
        md5 = f",md5={key}" if self.peer_type.md5 else ""
        self.host = Host(self.made, self.build, f"{peers.V4}:{w.asn},dial{md5},{words}", f"{peers.V6}:{w.asn},dial,{words}",
                         *(f"{address}:{asn}" for address, asn in FEEDERS), f"{OURS},large={OURS_LARGE}", OURS_V6)

    def feed(self):
        for number, (address, asn) in enumerate(FEEDERS, 3):
            feeder = Speaker(self.made.far, address, beds.SPEAKER, asn, beds.AS)
            check(feeder.establish(10), f"no session of {address}: {feeder.closed}")
            path = cases.path(wire.segment(2, asn, 4200000009))
            feeder.send(wire.update([cases.origin(b"\0"), path, cases.next_hop(cases.HOP)], wire.prefix(BOTH)))
            self.feeders.append(feeder)
            wait_for(f"the route of {address}", lambda n=number: self.host.routes(BOTH, n), 10, 0.1)

    def up(self):
        try:
            for number in (1, 2):
                self.host.wait_up(number)
        except LabError as error:
            raise LabError(f"{error}\n--- the peer\n{self.peer.last_words()}\n--- cgwd\n{self.host_log()}") from None

    def host_log(self):
        with open(self.host.log, errors="replace") as file:
            return "".join(file.readlines()[-10:])

    def stop(self):
        for feeder in self.feeders:
            feeder.close()
        self.feeders = []
        if self.host:
            self.host.stop()
        if self.peer:
            self.peer.stop()
        self.host = self.peer = None

    def agreed(self, number=1):
        return self.host.status(number)["agreed"]


@contextlib.contextmanager
def pair(build, peer_type):
    with beds.bed([peers.V4, peers.V6, *(address for address, _ in FEEDERS)]) as made:
        both = Pair(made, build, peer_type)
        try:
            yield both
        finally:
            both.stop()


# ---- what is asserted

def agrees(both, **expected):
    """Both sessions stand, the one over IPv4 with MD5, and have agreed on all that the peer can do."""
    both.start()
    both.up()
    for number in (1, 2):
        found = both.agreed(number)
        differing = {key: (value, found[key]) for key, value in expected.items() if found[key] != value}
        check(not differing, f"session {number} has agreed otherwise (expected, found): {differing}")


def exchanges_routes(both):
    """Routes of both families over both sessions, with a four-octet AS and large communities, each way."""
    for number in (1, 2):
        for prefix in (*peers.ROUTES, peers.ROUTE_V6):
            if both.peer.mixed or (":" in prefix) == (number == 2):
                wait_for(f"{prefix} on session {number}", lambda p=prefix, n=number: both.host.routes(p, n), 15, 0.1)
    found = both.host.routes(peers.ROUTES[0], 1)[0]
    check(found["asPath"] == str(both.peer.wishes.asn), f"AS_PATH {found['asPath']}")
    check(found["large"] == [peers.LARGE], f"large communities {found['large']}")
    told = wait_for(f"{OURS} at the peer", lambda: both.peer.paths(OURS), 15, 0.1)
    check(told[0]["path"] == [str(beds.AS)], f"the peer has the path {told[0]['path']}")
    check(told[0]["large"] == [OURS_LARGE], f"the peer has the large communities {told[0]['large']}")


def takes_refresh(both):
    """The peer's ROUTE-REFRESH reaches us, and it has its routes afterwards."""
    before = both.host.status(1)
    both.peer.refresh()
    wait_for("the peer's ROUTE-REFRESH", lambda: both.host.status(1)["refreshesReceived"] > before["refreshesReceived"], 10, 0.1)
    wait_for(f"{OURS} at the peer", lambda: both.peer.paths(OURS), 10, 0.1)


def asks_for_refresh(both):
    """Our ROUTE-REFRESH makes the peer send all again."""
    before = both.host.status(1)
    both.host.tell("refresh 1")
    wait_for("the peer's routes again", lambda: both.host.status(1)["updatesReceived"] > before["updatesReceived"], 10, 0.1)
    check(both.host.status(1)["received"] == before["received"], "a refresh has changed what there is")


def sends_all_paths(both):
    """Two paths to one prefix reach a peer that takes both (RFC 7911)."""
    both.feed()
    wait_for("both paths at the peer", lambda: len({tuple(one["path"]) for one in both.peer.paths(BOTH)}) == 2, 10, 0.2)
    check(all(one["pathId"] > 0 for one in both.host.routes(peers.ROUTES[0], 1)), "the peer sends no path identifiers")


def shuts_down(both):
    """A shutdown with its message reaches the peer's operator (RFC 9003)."""
    both.host.tell("stop 1 back at noon")
    wait_for("the message at the peer", lambda: "back at noon" in both.peer.shutdown_text(), 10, 0.1)
    wait_for("the end of the session", lambda: both.host.status(1)["state"] == "Idle", 5, 0.1)


def needs_the_key(both):
    """Another key: no session; the one without MD5 stands."""
    both.start(key="another key")
    both.host.wait_up(2)
    time.sleep(2)
    check(both.host.status(1)["state"] != "Established", "a session with the wrong key")


def limits_prefixes(both):
    """One prefix too many: Cease 6/1, and again after the pause."""
    both.start(words=ALL + ",maximum=1")
    wait_for("the limit's end of the session", lambda: "Maximum Number of Prefixes" in both.host.status(1)["reset"], 20, 0.1)
    before = both.host.status(1)["established"]
    wait_for("another try after the pause", lambda: both.host.status(1)["established"] > before, 30, 0.2)


def speaks_two_octets(both):
    """A peer without four-octet AS numbers: AS_TRANS and AS4_PATH restore the path (RFC 6793)."""
    both.start(asn=65010, four_octets=False)
    both.host.wait_up(1)
    check(not both.agreed()["fourOctetAs"], "four octets were agreed on")
    both.feed()
    told = wait_for(f"{BOTH} at the peer", lambda: both.peer.paths(BOTH), 10, 0.2)
    check(all(one["path"][-1] == "4200000009" and one["path"][0] == str(beds.AS) for one in told), f"the peer has the paths {told}")


def checks_roles(both):
    """Roles that do not fit are refused with 2/11; a provider's routes carry OTC (RFC 9234)."""
    both.start(words=ALL + ",role=customer")
    both.up()
    check(both.agreed()["role"] == "provider", f"the peer's role is {both.agreed()['role']}")
    wait_for("OTC on the provider's routes", lambda: any(one["otc"] for one in both.host.routes(peers.ROUTES[0], 1)), 10, 0.1)
    both.start(words=ALL + ",role=provider")
    wait_for("Role Mismatch", lambda: "Role" in both.host.status(1)["reset"], 15, 0.1)
    check(both.host.status(1)["state"] != "Established", "two providers have a session")


def survives_restart(both):
    """The peer dies without a word and comes again: its routes stay meanwhile (RFC 4724)."""
    both.start()
    both.up()
    wait_for("routes", lambda: both.host.routes(peers.ROUTES[0], 1), 10, 0.1)
    both.peer.stop(signal.SIGKILL)
    wait_for("the end of the session", lambda: both.host.status(1)["state"] != "Established", 10, 0.1)
    time.sleep(0.5)
    check(both.host.routes(peers.ROUTES[0], 1), "the routes of a restarting neighbor are gone")
    both.peer = type(both.peer)(both.made, both.peer.wishes)
    both.peer.start()
    both.up()
    wait_for("routes", lambda: both.host.routes(peers.ROUTES[0], 1), 10, 0.1)


def restarts(both):
    """We die without a word and come again: the peer keeps our routes meanwhile."""
    both.start()
    both.up()
    wait_for(f"{OURS} at the peer", lambda: both.peer.paths(OURS), 15, 0.1)
    both.host.kill()
    time.sleep(1)
    check(both.peer.paths(OURS), "the peer has dropped our routes while we restart")
    both.start_host(ALL + ",restarted")
    both.up()
    wait_for(f"{OURS} at the peer", lambda: both.peer.paths(OURS), 15, 0.1)


# ---- the scenarios

def run(build, peer_type, agreed, *assertions):
    with pair(build, peer_type) as both:
        agrees(both, v4=True, v6=True, fourOctetAs=True, refresh=True, addPathReceive=True, addPathSend=True, **agreed)
        for one in assertions:
            try:
                one(both)
            except LabError as error:
                raise LabError(f"{one.__name__}: {error}\n--- the peer\n{both.peer.last_words()}\n--- cgwd\n{both.host_log()}") from None


@scenario("BGP with BIRD: MD5, both families each way, four-octet and two-octet AS, refresh, add-path, limits, roles, restart of either", lab=False)
def bgp_bird(build):
    run(build, peers.Bird, {"enhanced": True, "extended": True, "restart": 120, "role": "provider"},
        exchanges_routes, takes_refresh, asks_for_refresh, sends_all_paths, shuts_down, needs_the_key, limits_prefixes,
        speaks_two_octets, checks_roles, survives_restart, restarts)


@scenario("BGP with FRR: MD5, both families each way, four-octet AS, refresh, add-path, limits, roles, restart of either", lab=False)
def bgp_frr(build):
    # It can do without four-octet AS numbers only when it does without all capabilities, and then passes AS4_PATH over.
    run(build, peers.Frr, {"enhanced": True, "extended": True, "restart": 90, "role": "provider"},
        exchanges_routes, takes_refresh, asks_for_refresh, sends_all_paths, shuts_down, needs_the_key, limits_prefixes, checks_roles,
        survives_restart, restarts)


@scenario("BGP with GoBGP: MD5, both families each way, four-octet AS, refresh, add-path, limits, restart of either", lab=False)
def bgp_gobgp(build):
    # It has no enhanced refresh, extended messages and roles, and no command that sends a ROUTE-REFRESH.
    run(build, peers.GoBgp, {"enhanced": False, "extended": False, "restart": 90, "role": ""},
        exchanges_routes, asks_for_refresh, sends_all_paths, shuts_down, needs_the_key, limits_prefixes, survives_restart, restarts)


@scenario("BGP with OpenBGPD: both families, four-octet and two-octet AS, refresh, add-path, limits, roles", lab=False)
def bgp_openbgpd(build):
    # 7.7 answers nobody's ROUTE-REFRESH, BIRD's neither: "AID IPv4 unicast not negotiated".
    run(build, peers.OpenBgpd, {"enhanced": True, "extended": False, "restart": 0, "role": "provider"},
        exchanges_routes, takes_refresh, sends_all_paths, shuts_down, limits_prefixes, speaks_two_octets, checks_roles)


@scenario("BGP with ExaBGP: MD5, both families each way, four-octet and two-octet AS, refresh, add-path, limits", lab=False)
def bgp_exabgp(build):
    # 4.2.21 fails over the text of any shutdown: it formats bytes as text.
    run(build, peers.ExaBgp, {"enhanced": True, "extended": True, "restart": 90, "role": ""},
        exchanges_routes, takes_refresh, asks_for_refresh, sends_all_paths, needs_the_key, limits_prefixes, speaks_two_octets)
