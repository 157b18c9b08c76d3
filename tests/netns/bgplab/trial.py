"""One malformed UPDATE after the other: from an injector through the speaker under test, judged by who is behind it."""
import dataclasses
import time

from cgwlab.shell import LabError

from . import bed, cases, wire
from .speaker import Speaker, pump
from .watcher import Watcher

WATCHER, READER, INSIDER = "10.99.0.2", "10.99.0.3", "10.99.0.4"
WATCHER_V6 = "fd00:99::2"
POOL = 48  # injectors of a kind; a session that was reset is not taken up again, for some speakers make it wait
NETWORK = {"ebgp": "10.99.1.", "ibgp": "10.99.2.", "old": "10.99.3."}
# Told once by each injector, to see what becomes of a family; told behind each case, to know that it is over.
BYSTANDER = {"ebgp": "2001:db8:ff01::/48", "ibgp": "2001:db8:ff02::/48", "old": "2001:db8:ff03::/48"}
MARKER = {"ebgp": "10.127.1.0/24", "ibgp": "10.127.2.0/24", "old": "10.127.3.0/24"}
PLACES = ("first", "middle", "last")
SETTLE = 0.4  # for what comes behind the marker


@dataclasses.dataclass
class Result:
    what: str
    section: str
    neighbor: str  # ebgp | ibgp | old
    place: str
    expected: frozenset
    outcome: str
    detail: str = ""  # what ended the session
    emitted: str = ""  # what was wrong with what the speaker itself has sent
    seconds: float = 0.0

    @property
    def right(self):
        return self.outcome in self.expected

    def as_json(self, rule):
        return {**{key: getattr(self, key) for key in ("what", "section", "neighbor", "place", "outcome", "right", "detail", "emitted")},
                "expected": sorted(self.expected), "rule": sorted(rule)}


def base(kind, tail=cases.TAIL, origin=0):
    size = 2 if kind == "old" else 4
    out = [cases.origin(bytes([origin])), cases.path(wire.segment(2, cases.PEER, tail, size=size)), cases.next_hop(cases.HOP),
           wire.attribute(0x80, wire.MED, cases.asn(9)), wire.attribute(0xC0, wire.COMMUNITIES, bytes.fromhex("fde80002"))]
    if kind == "ibgp":
        out.append(wire.attribute(0x40, wire.LOCAL_PREF, cases.asn(100)))
    return out


def placed(row, kind, place):
    others = [one for one in base(kind) if one[1] != row.kind]
    at = {"first": 0, "middle": len(others) // 2, "last": len(others)}[place]
    return others[:at] + [row.attribute] + others[at:]


class Bench:
    """The speaker under test with its neighbors: injectors, BIRD as judge, one of another AS and one of its own that read."""

    def __init__(self, made, side):
        self.bed, self.side = made, side
        self.number, self.marker = 0, 0
        self.sessions, self.used, self.crashes = {}, {}, 0
        made.add_addresses([WATCHER, READER, INSIDER, WATCHER_V6]
                           + [f"{net}{n}" for net in NETWORK.values() for n in range(1, POOL + 1)])
        self.reader = Speaker(made.far, READER, bed.SPEAKER, bed.OUTSIDE_AS + 1, bed.AS)
        self.insider = Speaker(made.far, INSIDER, bed.SPEAKER, bed.AS, bed.AS)
        self.watcher = None
        self.begin()

    def neighbors(self):
        fixed = [(WATCHER, bed.OUTSIDE_AS), (READER, bed.OUTSIDE_AS + 1), (INSIDER, bed.AS)]
        return fixed + [(f"{net}{n}", bed.AS if kind == "ibgp" else cases.PEER) for kind, net in NETWORK.items()
                        for n in range(1, POOL + 1)]

    def begin(self):
        """Starts the speaker and all that listens to it; again after a crash, and when the injectors are used up."""
        self.close_sessions()
        self.side.stop()
        self.side.start(self.neighbors())
        if self.watcher is None:
            self.watcher = Watcher(self.bed, WATCHER, bed.OUTSIDE_AS)
        self.used = {kind: 0 for kind in NETWORK}
        # A speaker may listen before it has read all of its configuration, and begin anew when it has.
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            for one in (self.reader, self.insider):
                if one.socket is None or one.closed:
                    end = time.monotonic() + 0.5
                    if not one.establish(30):
                        raise LabError(f"no session with {self.side.name}: {one.closed or 'no answer'}\n{self.side.last_words()}")
            pump(self.everybody(), 0.1)
        self.watcher.wait_established()

    def close(self):
        self.close_sessions()
        self.side.stop()
        if self.watcher:
            self.watcher.close()

    def close_sessions(self):
        for one in (*self.sessions.values(), self.reader, self.insider):
            one.close()
        self.sessions = {}

    def everybody(self):
        return [self.reader, self.insider, *self.sessions.values()]

    def injector(self, kind):
        """One that has not been used since the speaker started; no session yet."""
        if self.used[kind] == POOL:
            self.begin()
        self.used[kind] += 1
        asn = bed.AS if kind == "ibgp" else cases.PEER
        four_octets = () if kind == "old" else (wire.capability(65, cases.asn(asn)),)
        return Speaker(self.bed.far, f"{NETWORK[kind]}{self.used[kind]}", bed.SPEAKER, asn, bed.AS,
                       (wire.multiprotocol(1), wire.multiprotocol(2), wire.capability(2), *four_octets))

    def session(self, kind):
        """An injector whose session stands."""
        have = self.sessions.get(kind)
        if have and not have.closed:
            return have
        made = self.injector(kind)
        if not made.establish(15, self.everybody()):
            raise LabError(f"no session of {made.source} with {self.side.name}: {made.closed or 'no answer'}\n{self.side.last_words()}")
        self.sessions[kind] = made
        made.send(self.update6(kind, wire.prefix(BYSTANDER[kind])))
        return made

    def update6(self, kind, nlri, origin=0):
        return wire.update([cases.reach6(nlri=nlri), *(one for one in base(kind, cases.OLD_TAIL, origin) if one[1] != wire.NEXT_HOP)])

    def wait(self, condition, seconds):
        """Until all are of one mind, or the time is over; nobody is waited for by a dead speaker."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or not self.side.alive():
                return condition()
            pump(self.everybody(), 0.002)
        return True

    def send_marker(self, session, kind):
        self.marker = self.marker % 60000 + 1
        path = cases.path(wire.segment(2, cases.PEER, self.marker, size=2 if kind == "old" else 4))
        session.send(wire.update([path if one[1] == wire.AS_PATH else one for one in base(kind)], wire.prefix(MARKER[kind])))

    def marked(self, kind):
        told, read = self.watcher.path(MARKER[kind]), self.reader.routes.get(MARKER[kind])
        return bool(told) and told[0][-1:] == [str(self.marker)] and read is not None and _tail(read) == self.marker

    # ---- one case

    def run(self, row, kind, place, expected):
        began = time.monotonic()
        self.number += 1
        six = getattr(row, "six", False)
        prefix = f"2001:db8:{self.number:x}::/48" if six else f"10.{128 + self.number // 256}.{self.number % 256}.0/24"
        session = self.session(kind)
        old = self.update6(kind, wire.prefix(prefix), 2) if six else wire.update(base(kind, cases.OLD_TAIL, 2), wire.prefix(prefix))
        session.send(old)
        if not self.wait(lambda: (self.watcher.path(prefix) or (0, 0))[1] == "Incomplete" and self.insider_has(kind, prefix), 10):
            return Result(row.what, row.section, kind, place, expected, "unseen", "the good route did not come through")
        octets = row.build(base(kind), wire.prefix(prefix)) if place == "-" else \
            wire.update(placed(row, kind, place), wire.prefix(prefix))
        session.send(octets)
        self.send_marker(session, kind)
        self.wait(lambda: session.closed or self.marked(kind), 10)
        outcome = self.outcome(row, session, kind, prefix, place)
        end = time.monotonic() + SETTLE
        while outcome not in expected and time.monotonic() < end and self.side.alive() and not session.closed:
            pump(self.everybody(), 0.02)
            outcome = self.outcome(row, session, kind, prefix, place)
        detail, emitted = session.closed or "", self.emitted()
        if outcome in ("disabled", "reset", "crashed") or session.closed:
            session.close()
            self.sessions.pop(kind, None)
        if outcome == "crashed":
            self.crashes += 1
            self.begin()
        return Result(row.what, row.section, kind, place, expected, outcome, detail, emitted, time.monotonic() - began)

    def insider_has(self, kind, prefix):
        return kind == "ibgp" or prefix in self.insider.routes

    def emitted(self):
        said = self.reader.complaints + self.insider.complaints
        self.reader.complaints, self.insider.complaints = [], []
        return "; ".join(dict.fromkeys(said))

    def outcome(self, row, session, kind, prefix, place):
        if not self.side.alive():
            return "crashed"
        session.read()
        if session.closed:
            return "reset"
        told = self.watcher.path(prefix)
        if told is None:
            # BIRD may have refused what the speaker has passed on; the octets say that it did.
            return "kept" if _is_new(row, self.reader.routes.get(prefix), place) else "withdrawn"
        new = told[0][-1:] == [str(cases.TAIL)] if row.kind == wire.ORIGIN or place == "-" else told[1] == "IGP"
        if not new:
            return "stale"
        if row.kind in (wire.MP_REACH, wire.MP_UNREACH) and self.watcher.path(BYSTANDER[kind]) is None:
            return "disabled"
        return self.passed_on(row, prefix, place)

    def passed_on(self, row, prefix, place):
        """Whether the attribute has gone on, by the octets that the readers were sent."""
        if row.kind == 0 and place == "-" or row.kind in (wire.ORIGIN, wire.AS_PATH, wire.NEXT_HOP, wire.MP_REACH, wire.MP_UNREACH):
            return "discarded" if row.kind in (wire.MP_REACH, wire.MP_UNREACH) else "kept"
        for one in (self.reader, self.insider):
            for flags, kind, value in one.routes.get(prefix, ()):
                if kind != row.kind or kind == wire.LOCAL_PREF and value != cases.asn(1):
                    continue
                if kind in (99, 11, 12, 13, 19, 20, 21, 28) and not flags & wire.PARTIAL:
                    return "kept without Partial"
                return "kept"
        return "discarded"


def _is_new(row, attributes, place):
    if attributes is None:
        return False
    values = {kind: value for _, kind, value in attributes}
    by_path = row.kind == wire.ORIGIN or place == "-"
    return values.get(wire.AS_PATH, b"")[-4:] == cases.asn(cases.TAIL) if by_path else values.get(wire.ORIGIN) == b"\0"


def _tail(attributes):
    value = next(value for _, kind, value in attributes if kind == wire.AS_PATH)
    return int.from_bytes(value[-4:], "big")


def plan(chosen_places=PLACES, words=()):
    """[(row, kind, place, expected)]: all of one session kind behind each other."""
    from . import messages
    out = []
    for kind in ("ebgp", "ibgp"):
        for row in cases.ATTRIBUTE_ROWS:
            expected = row.ebgp if kind == "ebgp" else row.ibgp
            if row.old and kind == "ibgp":
                continue
            out += [(row, "old" if row.old else kind, place, expected) for place in chosen_places]
        out += [(row, kind, "-", row.ebgp if kind == "ebgp" else row.ibgp) for row in messages.ROWS]
    return [one for one in out if all(word.lower() in one[0].what.lower() for word in words)]


def allowed(side, row, expected):
    """Who does not know an attribute treats it as unknown (RFC 4271 9): it goes on, or not when it is non-transitive."""
    if row.kind not in side.unknown or not row.attribute[0] & wire.OPTIONAL:
        return expected
    return expected | (cases.K if row.attribute[0] & wire.TRANSITIVE else cases.D)
