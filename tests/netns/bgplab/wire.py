"""BGP-4 as octets, written without cgwd's code: what is sent may be wrong on purpose, what comes is read strictly."""
import ipaddress
import struct

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
(ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF, ATOMIC_AGGREGATE, AGGREGATOR, COMMUNITIES, ORIGINATOR_ID,
 CLUSTER_LIST) = range(1, 11)
MP_REACH, MP_UNREACH, EXTENDED_COMMUNITIES, AS4_PATH, AS4_AGGREGATOR = range(14, 19)
LARGE_COMMUNITIES, OTC = 32, 35
AS_TRANS = 23456
OPTIONAL, TRANSITIVE, PARTIAL, EXTENDED = 0x80, 0x40, 0x20, 0x10


def message(kind, body=b"", marker=MARKER, length=None):
    return marker + struct.pack("!HB", 19 + len(body) if length is None else length, kind) + body


def attribute(flags, kind, value=b"", length=None):
    """With the length asked for, whatever the value's is."""
    size = len(value) if length is None else length
    if flags & EXTENDED or size > 255:
        return struct.pack("!BBH", flags | EXTENDED, kind, size) + value
    return struct.pack("!BBB", flags, kind, size) + value


def prefix(text):
    network = ipaddress.ip_network(text)
    return bytes([network.prefixlen]) + network.network_address.packed[:(network.prefixlen + 7) // 8]


def update(attributes=(), nlri=b"", withdrawn=b"", attributes_length=None, withdrawn_length=None):
    block = b"".join(attributes)
    body = struct.pack("!H", len(withdrawn) if withdrawn_length is None else withdrawn_length) + withdrawn
    body += struct.pack("!H", len(block) if attributes_length is None else attributes_length) + block + nlri
    return message(UPDATE, body)


def segment(kind, *asns, size=4, count=None):
    return bytes([kind, len(asns) if count is None else count]) + b"".join(asn.to_bytes(size, "big") for asn in asns)


def capability(code, value=b""):
    return bytes([code, len(value)]) + value


def multiprotocol(afi, safi=1):
    return capability(1, struct.pack("!HBB", afi, 0, safi))


def parameters(*capabilities):
    """Each capability in an optional parameter of its own."""
    return b"".join(bytes([2, len(one)]) + one for one in capabilities)


def open_body(asn, router_id, hold=180, optional=b"", version=4, optional_length=None):
    return struct.pack("!BHH4sB", version, asn if asn < 65536 else AS_TRANS, hold, ipaddress.ip_address(router_id).packed,
                       len(optional) if optional_length is None else optional_length) + optional


def open_message(asn, router_id, capabilities=None, **how):
    if capabilities is None:
        capabilities = (multiprotocol(1), multiprotocol(2), capability(2), capability(65, asn.to_bytes(4, "big")))
    return message(OPEN, open_body(asn, router_id, optional=parameters(*capabilities), **how))


def split(stream):
    """(messages as (kind, body), what is left)."""
    found = []
    while len(stream) >= 19:
        length, kind = struct.unpack("!HB", stream[16:19])
        if stream[:16] != MARKER or length < 19:
            raise ValueError(f"no BGP message: {stream[:24].hex()}")
        if len(stream) < length:
            break
        found.append((kind, stream[19:length]))
        stream = stream[length:]
    return found, stream


def prefixes(octets, version):
    out, size = [], 4 if version == 4 else 16
    while octets:
        bits, count = octets[0], (octets[0] + 7) // 8
        if bits > size * 8 or len(octets) < 1 + count:
            raise ValueError(f"malformed prefix {octets[:18].hex()}")
        out.append(f"{ipaddress.ip_address(octets[1:1 + count].ljust(size, bytes(1)))}/{bits}")
        octets = octets[1 + count:]
    return out


def attributes_of(block):
    """[(flags, type, value)]"""
    out = []
    while block:
        header = 4 if len(block) > 3 and block[0] & EXTENDED else 3
        if len(block) < header:
            raise ValueError(f"cut attribute {block.hex()}")
        length = int.from_bytes(block[2:header], "big")
        if len(block) < header + length:
            raise ValueError(f"attribute overruns: {block[:40].hex()}")
        out.append((block[0], block[1], block[header:header + length]))
        block = block[header + length:]
    return out


class Update:
    """An UPDATE that was received: prefixes withdrawn and announced, and the attributes in their order."""

    def __init__(self, body):
        size = int.from_bytes(body[:2], "big")
        self.withdrawn = prefixes(body[2:2 + size], 4)
        rest = body[2 + size:]
        size = int.from_bytes(rest[:2], "big")
        if len(rest) < 2 + size:
            raise ValueError("attributes run over the message")
        self.attributes = attributes_of(rest[2:2 + size])
        self.announced = prefixes(rest[2 + size:], 4)
        self.classic = bool(self.announced)
        for _, kind, value in self.attributes:
            if kind in (MP_REACH, MP_UNREACH) and value[2] == 1:
                version = 4 if value[:2] == b"\0\1" else 6
                if kind == MP_REACH:
                    self.announced += prefixes(value[5 + value[3]:], version)
                else:
                    self.withdrawn += prefixes(value[3:], version)
