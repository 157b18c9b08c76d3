"""Whole UPDATEs that are wrong as such: what no single attribute is to blame for (RFC 7606 3, 4, 5)."""
import dataclasses

from . import cases, wire
from .cases import D, F, HOP, HOP6, K, OPT, R, W, attribute, next_hop, origin, path, reach6, unreach

ORIGIN, PATH = origin(b"\0"), path(cases.GOOD_PATH)


@dataclasses.dataclass(frozen=True)
class Message:
    what: str
    section: str
    # (base attributes, octets of the prefix) -> the message
    build: object
    ebgp: frozenset
    ibgp: frozenset
    six: bool = False  # the route that is watched is the IPv6 one
    kind: int = 0  # the attribute whose going on is looked at


def message(what, section, build, ebgp, ibgp=None, **how):
    return Message(what, section, build, ebgp, ebgp if ibgp is None else ibgp, **how)


def without(base, kind):
    return [one for one in base if one[1] != kind]


def last(octets):
    return lambda base, nlri: wire.update([*base, octets], nlri)


def with_prefixes(octets):
    return lambda base, nlri: wire.update(base, nlri + octets)


def lacking(kind):
    return lambda base, nlri: wire.update(without(base, kind), nlri)


def six(bad, hop=HOP6):
    """An IPv6 route in MP_REACH_NLRI, and something wrong beside it."""
    return lambda base, nlri: wire.update([reach6(hop, nlri), *(one for one in without(base, wire.NEXT_HOP) if one[1] != bad[1]), bad])


def lengths(**how):
    return lambda base, nlri: wire.update(base, nlri, **how)


BAD_ORIGIN = origin(b"\x09")
MED_1, MED_2 = attribute(OPT, 4, cases.asn(1)), attribute(OPT, 4, cases.asn(2))

ROWS = [
    message("nothing wrong", "4271 4.3", lengths(), K),
    message("ORIGIN is missing", "7606 3(d)", lacking(1), W),
    message("AS_PATH is missing", "7606 3(d)", lacking(2), W),
    message("NEXT_HOP is missing", "7606 3(d)", lacking(3), W),
    message("LOCAL_PREF is missing", "4271 6.3, 7606 3(d)", lacking(5), K, K | W),
    message("no attributes, but NLRI", "7606 3(d)", lambda base, nlri: wire.update([], nlri), W),
    message("an unknown attribute alone, but NLRI", "7606 3(d)", lambda base, nlri: wire.update([attribute(0xC0, 99, b"\1")], nlri), W),
    message("last attribute overruns", "7606 4", last(attribute(OPT, 4, cases.asn(1), length=200)), W),
    message("last attribute overruns by one octet", "7606 4", last(attribute(OPT, 4, cases.asn(1), length=5)), W),
    message("last attribute overruns, extended length", "7606 4", last(attribute(0x90, 4, b"\0", length=65535)), W),
    message("one octet is left behind the attributes", "7606 4", last(b"\x80"), W),
    message("two octets are left behind the attributes", "7606 4", last(b"\x80\4"), W),
    message("three octets with an extended length are left", "7606 4", last(b"\x90\4\0"), W),
    message("unknown attribute that overruns", "7606 4", last(attribute(0xC0, 99, b"\1", length=9)), W),
    message("Total Path Attribute Length one too large for the message", "7606 3(b)",
            lambda base, nlri: wire.update(base, nlri, attributes_length=sum(map(len, base)) + len(nlri) + 1), R),
    message("Total Path Attribute Length 65535", "7606 3(b)", lengths(attributes_length=65535), R),
    message("Withdrawn Routes Length 65535", "7606 3(b)", lengths(withdrawn_length=65535), R),
    message("UPDATE of 3 octets", "4271 6.1, 7606 3(b)", lambda base, nlri: wire.message(wire.UPDATE, bytes(3)), R),
    message("UPDATE of 0 octets", "4271 6.1", lambda base, nlri: wire.message(wire.UPDATE), R),
    message("prefix of 33 bits", "7606 5.3", with_prefixes(b"\x21\1\2\3\4\5"), R),
    message("prefix of 255 bits", "7606 5.3", with_prefixes(b"\xff"), R),
    message("prefix that overruns", "7606 5.3", with_prefixes(b"\x18\1\2"), R),
    message("withdrawn prefix of 33 bits", "7606 5.3", lambda base, nlri: wire.update(base, nlri, b"\x21\1\2\3\4\5"), R),
    message("withdrawn prefix that overruns", "7606 5.3", lambda base, nlri: wire.update(base, nlri, b"\x18\1\2"), R),
    message("prefix with bits behind its length", "4271 4.3: irrelevant", lambda base, nlri: wire.update(base, nlri + b"\x09\x0a\xff"), K),
    message("prefix withdrawn and announced at once", "4271 4.3", lambda base, nlri: wire.update(base, nlri, nlri), K),
    message("the same prefix twice", "4271 4.3", lambda base, nlri: wire.update(base, nlri + nlri), K),
    message("multicast prefix beside a good one", "4271 6.3", with_prefixes(b"\x08\xe0"), K),
    message("ORIGIN twice", "7606 3(g)", lambda base, nlri: wire.update([*base, ORIGIN], nlri), K),
    message("ORIGIN twice, the second malformed", "7606 3(g)", lambda base, nlri: wire.update([*base, BAD_ORIGIN], nlri), K),
    message("ORIGIN twice, the first malformed", "7606 3(g)", lambda base, nlri: wire.update([BAD_ORIGIN, *base], nlri), W),
    message("AS_PATH twice", "7606 3(g)", lambda base, nlri: wire.update([*base, PATH], nlri), K),
    message("NEXT_HOP twice", "7606 3(g)", lambda base, nlri: wire.update([*base, next_hop(HOP)], nlri), K),
    message("MED twice, different", "7606 3(g)", lambda base, nlri: wire.update([MED_1, *base, MED_2], nlri), K),
    message("unknown attribute twice", "7606 3(g)", lambda base, nlri: wire.update([attribute(0xC0, 99, b"\1"), *base, attribute(0xC0, 99, b"\2")], nlri), K),
    message("MP_REACH twice", "7606 3(g)", lambda base, nlri: wire.update([reach6(), *base, reach6()], nlri), R),
    message("MP_UNREACH twice", "7606 3(g)", lambda base, nlri: wire.update([unreach(b"\0\2\1"), *base, unreach(b"\0\2\1")], nlri), R),
    message("error and no route", "7606 5.2", lambda base, nlri: wire.update([BAD_ORIGIN, *without(base, 1)]), R),
    message("error and only withdrawn routes", "7606 5.2", lambda base, nlri: wire.update([BAD_ORIGIN], b"", wire.prefix("10.125.0.0/16")), R),
    message("error beside an End-of-RIB", "7606 5.2", lambda base, nlri: wire.update([unreach(b"\0\2\1"), BAD_ORIGIN]), R),
    message("discard beside only withdrawn routes", "7606 5.2", lambda base, nlri: wire.update([attribute(0x40, 6, b"\0")], b"", nlri), W),
    message("attributes without an error, and no route", "4271 4.3", lambda base, nlri: wire.update(base), frozenset(["stale"])),
    message("End-of-RIB", "4724 2", lambda base, nlri: wire.update(), frozenset(["stale"])),
    message("withdrawal and withdrawal-class error: the stronger", "7606 3(h)",
            lambda base, nlri: wire.update([attribute(0x40, 6, b"\0"), *without(base, 4), attribute(OPT, 4)], nlri), W),
    message("two discarded attributes", "7606 3(h)",
            lambda base, nlri: wire.update([attribute(0x40, 6, b"\0"), *base, attribute(0xC0, 7, b"\1")], nlri), D, kind=6),
    message("discard and withdraw and MP error: the strongest", "7606 3(h)",
            lambda base, nlri: wire.update([attribute(0x40, 6, b"\0"), *base, attribute(OPT, 4), unreach(b"\0")], nlri), R),
    message("IPv6 route in MP_REACH", "4760 3", six(ORIGIN), K, six=True),
    message("IPv6 route with a link-local next hop too", "2545 3", six(ORIGIN, HOP6 + bytes.fromhex("fe8000000000000000000000000000aa")), K, six=True),
    message("IPv6 route and a malformed ORIGIN", "7606 7.1", six(BAD_ORIGIN), W, six=True),
    message("IPv6 route and a malformed MED", "7606 7.4", six(attribute(OPT, 4)), W, six=True),
    message("IPv6 route and malformed LARGE COMMUNITIES", "8092 6", six(attribute(0xC0, 32, b"\1")), W, six=True),
    message("IPv6 route and a malformed AGGREGATOR", "7606 7.7", six(attribute(0xC0, 7, b"\1")), D, six=True, kind=7),
    message("IPv6 route and an attribute that overruns", "7606 4", six(attribute(OPT, 4, cases.asn(1), length=200)), W, six=True),
    message("IPv6 route without AS_PATH", "7606 3(d)",
            lambda base, nlri: wire.update([reach6(HOP6, nlri), *without(without(base, 2), 3)]), W, six=True),
    message("IPv6 route with NEXT_HOP beside", "4760 3: ignored",
            lambda base, nlri: wire.update([reach6(HOP6, nlri), *base]), K, six=True),
    message("IPv6 route with the next hop ::", "4271 6.3", six(ORIGIN, bytes(16)), W | F, six=True),
    message("IPv6 route with the next hop ::1", "4271 6.3", six(ORIGIN, bytes(15) + b"\1"), W | F, six=True),
    message("IPv6 route with a multicast next hop", "4271 6.3", six(ORIGIN, b"\xff\2" + bytes(13) + b"\1"), W | F, six=True),
]

