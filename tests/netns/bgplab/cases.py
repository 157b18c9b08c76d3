"""Malformed UPDATEs and what a receiver does with them, written once, from the RFCs.

An attribute's row is sent with the attribute first, in the middle and last, from an eBGP and from an iBGP neighbor. A
message's row is sent as it stands. Outcomes, of which any one listed will do:
  kept       the route is used, and the attribute goes on (an unknown one: with Partial set)
  discarded  the route is used, and the attribute does not go on
  withdrawn  the route is gone, the session stands
  disabled   one address family is given up, the session and the other family stand
  reset      NOTIFICATION, session down
"""
import dataclasses

from . import wire
from .wire import attribute, segment

KEPT, DISCARDED, WITHDRAWN, DISABLED, RESET = "kept", "discarded", "withdrawn", "disabled", "reset"
K, D, W, R = (frozenset([one]) for one in (KEPT, DISCARDED, WITHDRAWN, RESET))
F = frozenset([DISABLED, RESET])  # RFC 7606 5.3, 7.11, 7.12: either
EITHER = K | W  # a MAY

PEER = 64801  # the AS of the injectors that are not of the speaker's own
TAIL = 65102  # the last AS of the path of the UPDATE that is judged
OLD_TAIL = 65101  # of the one before
WELL_KNOWN, OPT, OPT_TRANS = 0x40, 0x80, 0xC0


@dataclasses.dataclass(frozen=True)
class Row:
    what: str
    section: str
    attribute: bytes
    ebgp: frozenset
    ibgp: frozenset
    old: bool = False  # from a neighbor with AS numbers of two octets

    @property
    def kind(self):
        return self.attribute[1]


def row(what, section, octets, ebgp, ibgp=None, **how):
    return Row(what, section, octets, ebgp, ebgp if ibgp is None else ibgp, **how)


def asn(number):
    return number.to_bytes(4, "big")


GOOD_PATH = segment(2, PEER, TAIL)


def path(value, flags=WELL_KNOWN):
    return attribute(flags, wire.AS_PATH, value)


def origin(value, flags=WELL_KNOWN):
    return attribute(flags, wire.ORIGIN, value)


def next_hop(value, flags=WELL_KNOWN):
    return attribute(flags, wire.NEXT_HOP, value)


# Nobody, on the cable between all: a third party, which is what an eBGP neighbor may name (RFC 4271 5.1.3).
HOP = bytes([10, 99, 0, 9])
HOP6 = bytes.fromhex("fd0000990000000000000000000000aa")
NLRI6 = wire.prefix("2001:db8:77::/48")


def reach6(hop=HOP6, nlri=NLRI6, flags=OPT, afi=2, safi=1, length=None):
    body = afi.to_bytes(2, "big") + bytes([safi, len(hop) if length is None else length]) + hop + b"\0" + nlri
    return attribute(flags, wire.MP_REACH, body)


def unreach(body, flags=OPT):
    return attribute(flags, wire.MP_UNREACH, body)


WELL_KNOWN_ROWS = [
    row("ORIGIN of 0 octets", "7606 7.1", origin(b""), W),
    row("ORIGIN of 2 octets", "7606 7.1", origin(b"\0\0"), W),
    row("ORIGIN 3", "7606 7.1", origin(b"\3"), W),
    row("ORIGIN 255", "7606 7.1", origin(b"\xff"), W),
    row("ORIGIN optional", "7606 3(c)", origin(b"\0", 0xC0), W),
    row("ORIGIN not transitive", "7606 3(c)", origin(b"\0", 0x00), W),
    row("ORIGIN with an extended length", "4271 4.3", origin(b"\0", 0x50), K),
    row("ORIGIN with unused flag bits", "4271 4.3: ignored", origin(b"\0", 0x4F), K),
    row("AS_PATH with segment type 0", "7606 7.2", path(segment(0, PEER)), W),
    row("AS_PATH with segment type 5", "7606 7.2", path(segment(5, PEER)), W),
    row("AS_PATH whose segment overruns", "7606 7.2", path(segment(2, PEER, count=2)), W),
    row("AS_PATH whose segment of 255 overruns", "7606 7.2", path(segment(2, PEER, count=255)), W),
    row("AS_PATH whose second segment overruns", "7606 7.2", path(GOOD_PATH + segment(2, TAIL, count=2)), W),
    row("AS_PATH with one octet left", "7606 7.2", path(GOOD_PATH + b"\2"), W),
    row("AS_PATH with an empty segment", "7606 7.2", path(b"\2\0"), W),
    row("AS_PATH with an empty second segment", "7606 7.2", path(GOOD_PATH + b"\2\0"), W),
    row("AS_PATH of ASs of two octets", "7606 7.2, 6793", path(segment(2, PEER, size=2)), W),
    row("AS_PATH with AS 0", "7607 2", path(segment(2, PEER, 0, TAIL)), W),
    row("AS_PATH from another AS", "4271 6.3: MAY", path(segment(2, PEER + 1, TAIL)), EITHER, K),
    row("AS_PATH of 0 octets", "7606 3(j)", path(b""), EITHER, K),
    row("AS_PATH with a confederation sequence", "5065 5", path(segment(3, 65100) + GOOD_PATH), W, EITHER),
    row("AS_PATH with a confederation set", "5065 5", path(segment(4, 65100) + GOOD_PATH), W, EITHER),
    row("AS_PATH with an AS_SET", "9774 3", path(GOOD_PATH + segment(1, 65103)), W),
    row("AS_PATH with our own AS", "4271 9.1.2", path(segment(2, PEER, 65000, TAIL)), W),
    row("AS_PATH of 300 ASs in two segments", "4271 4.3",
        path(segment(2, PEER, *[65110] * 254) + segment(2, *[65110] * 45)), K),
    row("AS_PATH optional", "7606 3(c)", path(GOOD_PATH, 0xC0), W),
    row("AS_PATH not transitive", "7606 3(c)", path(GOOD_PATH, 0x00), W),
    row("NEXT_HOP of 0 octets", "7606 7.3", next_hop(b""), W),
    row("NEXT_HOP of 3 octets", "7606 7.3", next_hop(HOP[:3]), W),
    row("NEXT_HOP of 5 octets", "7606 7.3", next_hop(HOP + b"\0"), W),
    row("NEXT_HOP of 16 octets", "7606 7.3", next_hop(HOP6), W),
    row("NEXT_HOP 0.0.0.0", "4271 6.3", next_hop(bytes(4)), W),
    row("NEXT_HOP 127.0.0.1", "4271 6.3", next_hop(bytes([127, 0, 0, 1])), W),
    row("NEXT_HOP 224.0.0.1", "4271 6.3", next_hop(bytes([224, 0, 0, 1])), W),
    row("NEXT_HOP 255.255.255.255", "4271 6.3", next_hop(b"\xff" * 4), W),
    row("NEXT_HOP the receiver's own", "4271 6.3", next_hop(bytes([10, 99, 0, 1])), W),
    row("NEXT_HOP optional", "7606 3(c)", next_hop(HOP, 0xC0), W),
    row("NEXT_HOP not transitive", "7606 3(c)", next_hop(HOP, 0x00), W),
    row("LOCAL_PREF", "7606 7.5", attribute(0x40, 5, asn(1)), D, D | K),
    row("LOCAL_PREF of 0 octets", "7606 7.5", attribute(0x40, 5), D, W),
    row("LOCAL_PREF of 3 octets", "7606 7.5", attribute(0x40, 5, bytes(3)), D, W),
    row("LOCAL_PREF of 5 octets", "7606 7.5", attribute(0x40, 5, bytes(5)), D, W),
    # Section 7.5 for what comes from another AS, 3(c) for its flags: the attribute's own rule is the narrower.
    row("LOCAL_PREF optional", "7606 7.5, 3(c)", attribute(0xC0, 5, asn(1)), D | W, W),
    row("ATOMIC_AGGREGATE", "4271 5.1.6", attribute(0x40, 6), K),
    row("ATOMIC_AGGREGATE of 1 octet", "7606 7.6", attribute(0x40, 6, b"\0"), D),
    row("ATOMIC_AGGREGATE of 4 octets", "7606 7.6", attribute(0x40, 6, bytes(4)), D),
    row("ATOMIC_AGGREGATE optional", "7606 3(c)", attribute(0xC0, 6), W),
    # 3(c) names Optional and Transitive, and not Partial.
    row("ATOMIC_AGGREGATE with Partial", "7606 3(c)", attribute(0x60, 6), K | W),
    row("unknown well-known attribute", "4271 6.3, 7606 3", attribute(0x40, 99, b"\x09"), W),
    row("unknown well-known attribute of 0 octets", "4271 6.3, 7606 3", attribute(0x40, 99), W),
]

OPTIONAL_ROWS = [
    row("MED of 0 octets", "7606 7.4", attribute(OPT, 4), W),
    row("MED of 3 octets", "7606 7.4", attribute(OPT, 4, bytes(3)), W),
    row("MED of 5 octets", "7606 7.4", attribute(OPT, 4, bytes(5)), W),
    row("MED transitive", "7606 3(c)", attribute(0xC0, 4, asn(1)), W),
    row("MED well-known", "7606 3(c)", attribute(0x40, 4, asn(1)), W),
    row("AGGREGATOR", "6793 4.1", attribute(OPT_TRANS, 7, asn(65009) + HOP), K),
    row("AGGREGATOR of 0 octets", "7606 7.7", attribute(OPT_TRANS, 7), D),
    row("AGGREGATOR of 6 octets", "7606 7.7", attribute(OPT_TRANS, 7, b"\xfc\0" + HOP), D),
    row("AGGREGATOR of 9 octets", "7606 7.7", attribute(OPT_TRANS, 7, asn(65009) + HOP + b"\0"), D),
    row("AGGREGATOR with AS 0", "7607 2", attribute(OPT_TRANS, 7, asn(0) + HOP), D),
    row("AGGREGATOR not transitive", "7606 3(c)", attribute(OPT, 7, asn(65009) + HOP), W),
    row("COMMUNITIES of 0 octets", "7606 7.8", attribute(OPT_TRANS, 8), W),
    row("COMMUNITIES of 3 octets", "7606 7.8", attribute(OPT_TRANS, 8, bytes(3)), W),
    row("COMMUNITIES of 5 octets", "7606 7.8", attribute(OPT_TRANS, 8, bytes(5)), W),
    row("COMMUNITIES not transitive", "7606 3(c)", attribute(OPT, 8, b"\1\2\3\4"), W),
    row("COMMUNITIES well-known", "7606 3(c)", attribute(0x40, 8, b"\1\2\3\4"), W),
    row("COMMUNITIES with Partial", "7606 3(c)", attribute(0xE0, 8, b"\1\2\3\4"), K),
    row("ORIGINATOR_ID", "7606 7.9", attribute(OPT, 9, b"\1\2\3\4"), D, D | K),
    row("ORIGINATOR_ID of 0 octets", "7606 7.9", attribute(OPT, 9), D, W),
    row("ORIGINATOR_ID of 3 octets", "7606 7.9", attribute(OPT, 9, bytes(3)), D, W),
    row("ORIGINATOR_ID of 5 octets", "7606 7.9", attribute(OPT, 9, bytes(5)), D, W),
    row("ORIGINATOR_ID transitive", "7606 7.9, 3(c)", attribute(0xC0, 9, b"\1\2\3\4"), D | W, W),
    row("CLUSTER_LIST", "7606 7.10", attribute(OPT, 10, b"\1\2\3\4"), D, D | K),
    row("CLUSTER_LIST of 0 octets", "7606 7.10", attribute(OPT, 10), D, W),
    row("CLUSTER_LIST of 7 octets", "7606 7.10", attribute(OPT, 10, bytes(7)), D, W),
    row("CLUSTER_LIST transitive", "7606 7.10, 3(c)", attribute(0xC0, 10, b"\1\2\3\4"), D | W, W),
    row("EXTENDED COMMUNITIES of an unknown type", "7606 7.14", attribute(OPT_TRANS, 16, bytes.fromhex("3f63010203040506")), K),
    row("EXTENDED COMMUNITIES of 0 octets", "7606 7.14", attribute(OPT_TRANS, 16), W),
    row("EXTENDED COMMUNITIES of 7 octets", "7606 7.14", attribute(OPT_TRANS, 16, bytes(7)), W),
    row("EXTENDED COMMUNITIES of 12 octets", "7606 7.14", attribute(OPT_TRANS, 16, bytes(12)), W),
    row("EXTENDED COMMUNITIES not transitive", "7606 3(c)", attribute(OPT, 16, bytes.fromhex("0002fdf300000001")), W),
    row("AS4_PATH from a new speaker", "6793 6", attribute(OPT_TRANS, 17, segment(2, 70000)), D),
    row("AS4_PATH from a new speaker, malformed", "6793 6", attribute(OPT_TRANS, 17, b"\x09"), D),
    row("AS4_AGGREGATOR from a new speaker, malformed", "6793 6", attribute(OPT_TRANS, 18, b"\x09"), D),
    row("TRAFFIC ENGINEERING of 3 octets", "5543 3, 7606 7.13", attribute(OPT, 24, bytes(3)), W),
    row("IPv6 EXTENDED COMMUNITIES of 0 octets", "7606 7.15", attribute(OPT_TRANS, 25), W),
    row("IPv6 EXTENDED COMMUNITIES of 19 octets", "7606 7.15", attribute(OPT_TRANS, 25, b"\0\2" + bytes(17)), W),
    row("AIGP", "7311 3.3: not enabled", attribute(OPT, 26, bytes.fromhex("01000b0000000000000009")), D, D),
    row("AIGP malformed", "7311 3.2", attribute(OPT, 26, b"\1"), D),
    row("LARGE COMMUNITIES of 0 octets", "8092 6", attribute(OPT_TRANS, 32), W),
    row("LARGE COMMUNITIES of 11 octets", "8092 6", attribute(OPT_TRANS, 32, bytes(11)), W),
    row("LARGE COMMUNITIES of 13 octets", "8092 6", attribute(OPT_TRANS, 32, bytes(13)), W),
    row("LARGE COMMUNITIES not transitive", "7606 3(c)", attribute(OPT, 32, bytes(12)), W),
    row("ONLY_TO_CUSTOMER of 3 octets", "9234 5", attribute(OPT_TRANS, 35, bytes(3)), W),
    row("ONLY_TO_CUSTOMER of 5 octets", "9234 5", attribute(OPT_TRANS, 35, b"\0\0\0\0\1"), W),
    row("ONLY_TO_CUSTOMER of 1024 octets", "9234 5", attribute(OPT_TRANS, 35, b"\1" * 1024), W),
    row("ONLY_TO_CUSTOMER with AS 0", "7607 2", attribute(OPT_TRANS, 35, bytes(4)), W),
    row("PREFIX_SID of zeroes", "8669 6", attribute(OPT_TRANS, 40, bytes(4)), D),
    row("PREFIX_SID of 0 octets", "8669 6", attribute(OPT_TRANS, 40), D),
    row("ATTR_SET of 3 octets", "6368 5, 7606 7.16", attribute(OPT_TRANS, 128, bytes(3)), W),
    row("ATTR_SET whose attribute overruns", "6368 5, 7606 7.16", attribute(OPT_TRANS, 128, bytes.fromhex("0000fde940010900")), W),
    row("unknown optional non-transitive attribute", "4271 9", attribute(OPT, 99, b"\x09"), D),
    row("unknown optional non-transitive attribute of 0 octets", "4271 9", attribute(OPT, 99), D),
    row("unknown optional transitive attribute", "4271 9", attribute(OPT_TRANS, 99, b"\x09"), K),
    row("unknown optional transitive attribute of 0 octets", "4271 9", attribute(OPT_TRANS, 99), K),
    row("unknown optional transitive attribute of 1000 octets", "4271 9", attribute(OPT_TRANS, 99, b"\x09" * 1000), K),
    row("attribute 0", "4271 9", attribute(OPT_TRANS, 0, b"\x09"), K | D | W),
    row("attribute 11 (DPA), deprecated", "6938 2", attribute(OPT_TRANS, 11, bytes(6)), K),
    row("attribute 12 (ADVERTISER), deprecated", "6938 2", attribute(OPT_TRANS, 12, b"\1"), K),
    row("attribute 13 (RCID_PATH), deprecated", "6938 2", attribute(OPT_TRANS, 13, b"\1"), K),
    row("attribute 19 (SAFI specific), deprecated", "4271 9", attribute(OPT_TRANS, 19, b"\1"), K),
    row("attribute 20 (Connector), deprecated", "6037, 4271 9", attribute(OPT_TRANS, 20, b"\1"), K),
    row("attribute 21 (AS_PATHLIMIT), deprecated", "4271 9", attribute(OPT_TRANS, 21, b"\1"), K),
    row("attribute 28 (entropy label), deprecated, of 0 octets", "7447 2", attribute(OPT_TRANS, 28), K),
    row("attribute 28 (entropy label), deprecated, of 4 octets", "7447 2", attribute(OPT_TRANS, 28, bytes(4)), K),
    # At the edge of an AS it may be filtered (RFC 9012 11), and who does not know it passes it on.
    row("attribute 23 (tunnel encapsulation) of 1 octet", "9012 13", attribute(OPT_TRANS, 23, b"\0"), K | D | W),
]

MULTIPROTOCOL_ROWS = [
    row("MP_REACH of 0 octets", "7606 7.11", attribute(OPT, 14), R),
    row("MP_REACH of 2 octets", "7606 7.11", attribute(OPT, 14, b"\0\2"), R),
    row("MP_REACH of 4 octets", "7606 7.11", attribute(OPT, 14, b"\0\2\1\x10"), F),
    row("MP_REACH transitive", "7606 3(c), 4760 7", reach6(flags=0xC0), F | W),
    row("MP_REACH well-known", "7606 3(c), 4760 7", reach6(flags=0x40), F | W),
    row("MP_REACH without a next hop", "7606 7.11", reach6(hop=b""), F),
    row("MP_REACH with a next hop of 4 octets", "7606 7.11", reach6(hop=HOP), F),
    row("MP_REACH with a next hop of 15 octets", "7606 7.11", reach6(hop=HOP6[:15]), F),
    row("MP_REACH whose next hop overruns", "7606 7.11", reach6(length=255), F),
    row("MP_REACH with a prefix of 129 bits", "7606 5.3", reach6(nlri=b"\x81" + b"\1" * 17), F),
    row("MP_REACH with a prefix that overruns", "7606 5.3", reach6(nlri=b"\x40\x20\1"), F),
    row("MP_UNREACH of 0 octets", "7606 7.12", unreach(b""), R),
    row("MP_UNREACH of 2 octets", "7606 7.12", unreach(b"\0\2"), R),
    row("MP_UNREACH transitive", "7606 3(c), 4760 7", unreach(b"\0\2\1", 0xC0), F | W),
    row("MP_UNREACH with a prefix of 129 bits", "7606 5.3", unreach(b"\0\2\1\x81" + b"\1" * 17), F),
    row("MP_UNREACH with a prefix that overruns", "7606 5.3", unreach(b"\0\2\1\x40\1\2"), F),
    row("MP_REACH of a family nobody agreed on", "4760 6", attribute(OPT, 14, bytes.fromhex("0019410000")), D),
    row("MP_UNREACH of a family nobody agreed on", "4760 6", unreach(bytes.fromhex("00194109")), D),
]

# An eBGP neighbor without four-octet AS numbers.
OLD_ROWS = [
    row("AS4_PATH of 0 octets", "6793 6", attribute(OPT_TRANS, 17), D, old=True),
    row("AS4_PATH of 5 octets", "6793 6", attribute(OPT_TRANS, 17, segment(2, 70000)[:5]), D, old=True),
    row("AS4_PATH whose segment overruns", "6793 6", attribute(OPT_TRANS, 17, segment(2, 70000, count=2)), D, old=True),
    row("AS4_PATH with an empty segment", "6793 6", attribute(OPT_TRANS, 17, segment(2, 70000) + b"\2\0"), D, old=True),
    row("AS4_PATH with segment type 5", "6793 6", attribute(OPT_TRANS, 17, segment(5, 70000)), D, old=True),
    row("AS4_PATH with AS 0", "7607 2", attribute(OPT_TRANS, 17, segment(2, 0)), D, old=True),
    row("AS4_PATH not transitive", "7606 3(c)", attribute(OPT, 17, segment(2, 70000)), W, old=True),
    row("AS4_AGGREGATOR of 7 octets", "6793 6", attribute(OPT_TRANS, 18, bytes(7)), D, old=True),
    row("AS4_AGGREGATOR with AS 0", "7607 2", attribute(OPT_TRANS, 18, asn(0) + HOP), D, old=True),
    row("AGGREGATOR of 8 octets from an old speaker", "7606 7.7", attribute(OPT_TRANS, 7, asn(65009) + HOP), D, old=True),
    row("AGGREGATOR of 6 octets from an old speaker", "6793 4.2.3", attribute(OPT_TRANS, 7, b"\xfd\xf1" + HOP), K, old=True),
]

ATTRIBUTE_ROWS = WELL_KNOWN_ROWS + OPTIONAL_ROWS + MULTIPROTOCOL_ROWS + OLD_ROWS
