"""What a speaker answers to malformed headers and OPENs, and to messages out of turn (RFC 4271 6, 8; 5492; 6286; 6608; 9072).

Outcomes: 'N/M', the NOTIFICATION that came; 'up', a session that stands; 'closed', without a word; 'silent', neither.
"""
import dataclasses
import time

from . import bed, cases, wire
from .speaker import pump

UP = frozenset(["up"])
GONE = frozenset(["closed"])
PEER, ID = cases.PEER, "10.98.0.1"
FOUR = wire.capability(65, cases.asn(PEER))
KEEPALIVE = wire.message(wire.KEEPALIVE)
GOOD = (wire.multiprotocol(1), wire.multiprotocol(2), wire.capability(2), FOUR)
ROUTE = wire.update([cases.origin(b"\0"), cases.path(cases.GOOD_PATH), cases.next_hop(cases.HOP)], wire.prefix("10.124.0.0/24"))


def answer(*codes):
    return frozenset(codes)


@dataclasses.dataclass(frozen=True)
class Case:
    what: str
    section: str
    state: str  # opensent | openconfirm | established: when the octets are sent
    octets: object
    expected: frozenset
    seconds: float = 1.0  # to wait for an answer
    ibgp: bool = False


def opening(what, section, body, expected, **how):
    return Case(what, section, "opensent", wire.message(wire.OPEN, body), expected, **how)


def body(optional=wire.parameters(*GOOD), asn=PEER, router_id=ID, **how):
    return wire.open_body(asn, router_id, optional=optional, **how)


def extended(parameters, length=None):
    """RFC 9072 2: 255, 255, and a length of two octets."""
    size = len(parameters) if length is None else length
    return body(b"\xff" + size.to_bytes(2, "big") + parameters, optional_length=255)


def extended_parameters(*capabilities):
    return b"".join(b"\2" + len(one).to_bytes(2, "big") + one for one in capabilities)


def in_each(what, section, octets, answers):
    return [Case(f"{what} in {name}", section, state, octets, codes) for state, name, codes in
            zip(("opensent", "openconfirm", "established"), ("OpenSent", "OpenConfirm", "Established"), answers) if codes]


HEADERS = [
    *in_each("a marker that is not all ones", "4271 6.1", wire.message(4, marker=b"\xff" * 15 + b"\xfe"), [answer("1/1")] * 3),
    *in_each("a length of 18", "4271 6.1", wire.message(4, length=18), [answer("1/2")] * 3),
    *in_each("a length of 0", "4271 6.1", wire.message(4, length=0), [answer("1/2")] * 3),
    *in_each("a length of 4097", "4271 6.1, 8654 4", wire.message(2, bytes(4078), length=4097), [answer("1/2")] * 3),
    *in_each("a message of type 0", "4271 6.1", wire.message(0), [answer("1/3")] * 3),
    *in_each("a message of type 6", "4271 6.1", wire.message(6), [answer("1/3")] * 3),
    *in_each("a KEEPALIVE of 20 octets", "4271 4.4", wire.message(4, b"\0"), [answer("1/2")] * 3),
    Case("an OPEN of 28 octets", "4271 4.2", "opensent", wire.message(1, bytes(9)), answer("1/2")),
]
OPENS = [
    opening("version 3", "4271 6.2", body(version=3), answer("2/1")),
    opening("version 5", "4271 6.2", body(version=5), answer("2/1")),
    opening("another AS than configured", "4271 6.2", body(asn=PEER + 1, optional=b""), answer("2/2")),
    opening("another four-octet AS than configured", "6793 4.2.3", body(wire.parameters(*GOOD[:3], wire.capability(65, cases.asn(PEER + 1)))), answer("2/2")),
    opening("AS 0", "7607 2", body(asn=0, optional=b""), answer("2/2")),
    opening("four-octet AS 0", "7607 2", body(wire.parameters(*GOOD[:3], wire.capability(65, bytes(4)))), answer("2/2")),
    opening("hold time 1", "4271 6.2", body(hold=1), answer("2/6")),
    opening("hold time 2", "4271 6.2", body(hold=2), answer("2/6")),
    opening("hold time 0", "4271 4.2", body(hold=0), UP),
    opening("hold time 3", "4271 4.2", body(hold=3), UP),
    opening("hold time 65535", "4271 4.2", body(hold=65535), UP),
    opening("identifier 0.0.0.0", "6286 2.2", body(router_id="0.0.0.0"), answer("2/3")),
    opening("the receiver's identifier, from another AS", "6286 2.1", body(router_id=bed.SPEAKER), UP),
    opening("the receiver's identifier, from its own AS", "6286 2.2",
            body(wire.parameters(*GOOD[:3], wire.capability(65, cases.asn(bed.AS))), bed.AS, bed.SPEAKER), answer("2/3"), ibgp=True),
    opening("an identifier that is multicast", "6286 2.1", body(router_id="224.0.0.1"), UP),
    opening("no optional parameters", "4271 4.2", body(b""), UP),
    opening("an optional parameter without capabilities", "5492 4", body(b"\2\0" + wire.parameters(*GOOD)), UP),
    opening("all capabilities in one parameter", "5492 4", body(wire.parameters(b"".join(GOOD))), UP),
    opening("a capability twice", "5492 4", body(wire.parameters(*GOOD, *GOOD)), UP),
    opening("an unknown capability", "5492 3", body(wire.parameters(*GOOD, wire.capability(250, b"\1\2\3"))), UP),
    opening("an unknown capability of 0 octets", "5492 3", body(wire.parameters(*GOOD, wire.capability(250))), UP),
    opening("optional parameter 1", "4271 6.2", body(b"\1\1\0"), answer("2/4", "2/5")),
    opening("optional parameter 3", "4271 6.2", body(b"\3\1\0"), answer("2/4")),
    opening("a parameter that overruns", "4271 6.2", body(b"\2\x20\1\4\0\1\0\1"), answer("2/0")),
    opening("a capability that overruns its parameter", "5492 4, 4271 6.2", body(b"\2\6\1\x20\0\1\0\1"), answer("2/0")),
    opening("one octet of a parameter", "4271 6.2", body(wire.parameters(*GOOD) + b"\2"), answer("2/0")),
    opening("Optional Parameters Length too large", "4271 6.2", body(optional_length=200), answer("2/0")),
    opening("Optional Parameters Length too small", "4271 6.2", body(optional_length=4), answer("2/0")),
    opening("a four-octet AS capability of 2 octets", "6793 3", body(wire.parameters(wire.multiprotocol(1), wire.capability(65, b"\xfd\x21"))), answer("2/0") | UP),
    opening("a multiprotocol capability of 3 octets", "4760 8", body(wire.parameters(wire.capability(1, b"\0\1\1"), FOUR)), answer("2/0") | UP),
    opening("a graceful restart capability of 1 octet", "4724 3, 5492 3", body(wire.parameters(*GOOD, wire.capability(64, b"\1"))), UP | answer("2/0")),
    opening("an add-path capability of 3 octets", "7911 4, 5492 3", body(wire.parameters(*GOOD, wire.capability(69, b"\0\1\1"))), UP | answer("2/0")),
    opening("an add-path capability of value 9", "7911 4", body(wire.parameters(*GOOD, wire.capability(69, b"\0\1\1\x09"))), UP),
    opening("an FQDN capability whose name overruns", "5492 3", body(wire.parameters(*GOOD, wire.capability(73, b"\x20ab"))), UP | answer("2/0")),
    opening("only families nobody has", "5492 5", body(wire.parameters(wire.multiprotocol(25, 65), FOUR)), answer("2/7") | UP | GONE),
    opening("extended parameters, short", "9072 2", extended(extended_parameters(*GOOD)), UP),
    opening("extended parameters of more than 255 octets", "9072 2",
            extended(extended_parameters(*GOOD, *[wire.capability(250, bytes(100))] * 4)), UP),
    opening("extended parameters that overrun", "9072 2", extended(extended_parameters(*GOOD), length=400), answer("2/0")),
    opening("extended parameters with a length of 0 and octets behind", "9072 2", extended(extended_parameters(*GOOD), length=0), answer("2/0")),
    opening("extended parameters, one that overruns", "9072 2", extended(b"\2\1\0\1\4"), answer("2/0")),
]
STATES = [
    Case("KEEPALIVE before OPEN", "6608 3: 5/1", "opensent", KEEPALIVE, answer("5/1")),
    Case("UPDATE before OPEN", "6608 3: 5/1", "opensent", ROUTE, answer("5/1")),
    Case("ROUTE-REFRESH before OPEN", "6608 3: 5/1", "opensent", wire.message(5, b"\0\1\0\1"), answer("5/1")),
    Case("NOTIFICATION before OPEN", "4271 8.2.2", "opensent", wire.message(3, b"\6\4"), GONE),
    Case("UPDATE before KEEPALIVE", "6608 3: 5/2", "openconfirm", ROUTE, answer("5/2")),
    Case("ROUTE-REFRESH before KEEPALIVE", "6608 3: 5/2", "openconfirm", wire.message(5, b"\0\1\0\1"), answer("5/2")),
    Case("a second OPEN in OpenConfirm", "4271 8.2.2, 6608 3", "openconfirm", wire.message(1, body()), answer("5/2", "6/7")),
    Case("NOTIFICATION in OpenConfirm", "4271 8.2.2", "openconfirm", wire.message(3, b"\6\4"), GONE),
    Case("an OPEN in Established", "4271 8.2.2, 6608 3", "established", wire.message(1, body()), answer("5/3", "6/7")),
    Case("a NOTIFICATION", "4271 6.4", "established", wire.message(3, b"\6\4"), GONE),
    Case("a NOTIFICATION of an unknown code", "4271 6.4", "established", wire.message(3, b"\x63\x63\1"), GONE),
    Case("a NOTIFICATION of 20 octets", "4271 6.1", "established", wire.message(3, b"\6"), GONE | answer("1/2")),
    Case("a shutdown message that overruns", "9003 2", "established", wire.message(3, b"\6\2\xff\x61"), GONE),
    Case("ROUTE-REFRESH of 3 octets", "7313 5, 4271 6.1", "established", wire.message(5, b"\0\1\0"), answer("7/1", "1/2")),
    Case("ROUTE-REFRESH of a family nobody has", "2918 4: ignored", "established", wire.message(5, b"\0\x19\0\x41"), UP),
    Case("ROUTE-REFRESH of subtype 7", "7313 5: ignored", "established", wire.message(5, b"\0\1\7\1"), UP),
    Case("ROUTE-REFRESH with an ORF that overruns", "5291 5", "established", wire.message(5, b"\0\1\0\1\1\x40\0\x20"), UP | answer("7/1", "1/2", "3/0")),
    Case("a thousand KEEPALIVEs", "4271 4.4", "established", KEEPALIVE * 1000, UP),
    Case("an UPDATE of 4096 octets", "4271 4.1", "established",
         wire.update([cases.origin(b"\0"), cases.path(cases.GOOD_PATH), cases.next_hop(cases.HOP)], b"".join(
             b"\x20" + (0x0A7B0000 + i).to_bytes(4, "big") for i in range(809)) + wire.prefix("10.124.1.0/24")), UP),
    Case("no KEEPALIVE for the hold time, in OpenConfirm", "4271 6.5", "openconfirm-3", b"", answer("4/0"), seconds=6.0),
    Case("no KEEPALIVE for the hold time, in Established", "4271 6.5", "established-3", b"", answer("4/0"), seconds=6.0),
    Case("the connection is shut after OPEN", "4271 8.2.2", "openconfirm", None, GONE),
]
ALL = HEADERS + OPENS + STATES


def run(bench, case):
    """The outcome of one, with an injector of its own."""
    speaker = bench.injector("ibgp" if case.ibgp else "ebgp")
    end = time.monotonic() + 15
    while not speaker.connect():
        if time.monotonic() > end:
            return "no connection"
        time.sleep(0.1)
    others = bench.everybody()
    if case.state != "opensent":
        hold = 3 if case.state.endswith("-3") else 180
        speaker.mute = case.state.startswith("openconfirm")  # no KEEPALIVE: the peer stays in OpenConfirm
        speaker.send(wire.message(wire.OPEN, body(hold=hold)))
        ready = (lambda: speaker.opened) if speaker.mute else (lambda: speaker.established)
        _until(bench, [speaker, *others], lambda: speaker.closed or ready() and wire.KEEPALIVE in speaker.heard, 5)
        speaker.mute = True
    if case.octets is None:
        speaker.socket.shutdown(1)
    elif not speaker.closed:
        speaker.send(case.octets)
    wants_up = "up" in case.expected and case.state == "opensent"
    _until(bench, [speaker, *others], lambda: speaker.closed or wants_up and speaker.established, case.seconds)
    outcome = _outcome(bench, speaker)
    speaker.close()
    return outcome


def _until(bench, speakers, condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end and bench.side.alive():
        pump(speakers, 0.02)


def _outcome(bench, speaker):
    if not bench.side.alive():
        bench.crashes += 1
        bench.begin()
        return "crashed"
    if speaker.notification:
        return f"{speaker.notification[0]}/{speaker.notification[1]}"
    if speaker.closed:
        return "closed"
    return "up" if speaker.established else "silent"
