"""Every rule an UPDATE must keep that somebody sends: RFC 4271, RFC 7606 and the attributes' own RFCs, read as a receiver would."""
from . import wire

# Optional and Transitive as they must be, and whether a length will do.
_RULES = {
    wire.ORIGIN: (0x40, lambda v: len(v) == 1 and v[0] <= 2),
    wire.NEXT_HOP: (0x40, lambda v: len(v) == 4 and 0 < v[0] < 224 and v[0] != 127),
    wire.MED: (0x80, lambda v: len(v) == 4),
    wire.LOCAL_PREF: (0x40, lambda v: len(v) == 4),
    wire.ATOMIC_AGGREGATE: (0x40, lambda v: not v),
    wire.AGGREGATOR: (0xC0, lambda v: len(v) == 8 and any(v[:4])),
    wire.COMMUNITIES: (0xC0, lambda v: v and len(v) % 4 == 0),
    wire.ORIGINATOR_ID: (0x80, lambda v: len(v) == 4),
    wire.CLUSTER_LIST: (0x80, lambda v: v and len(v) % 4 == 0),
    wire.MP_REACH: (0x80, lambda v: len(v) >= 5 and v[3] in (4, 16, 32) and v[4 + v[3]] == 0),
    wire.MP_UNREACH: (0x80, lambda v: len(v) >= 3),
    wire.EXTENDED_COMMUNITIES: (0xC0, lambda v: v and len(v) % 8 == 0),
    25: (0xC0, lambda v: v and len(v) % 20 == 0),
    wire.LARGE_COMMUNITIES: (0xC0, lambda v: v and len(v) % 12 == 0),
    wire.OTC: (0xC0, lambda v: len(v) == 4 and any(v)),
}
_IBGP_ONLY = (wire.LOCAL_PREF, wire.ORIGINATOR_ID, wire.CLUSTER_LIST)


def complaints(body, ebgp, sender):
    """What is wrong with an UPDATE from a four-octet speaker of AS `sender`, in words."""
    if len(body) > 4096 - 19:
        return [f"a message of {len(body) + 19} octets"]
    try:
        update = wire.Update(body)
    except (ValueError, IndexError) as error:
        return [str(error)]
    found = []
    kinds = [kind for _, kind, _ in update.attributes]
    found += [f"attribute {kind} twice" for kind in sorted(set(kinds)) if kinds.count(kind) > 1]
    for flags, kind, value in update.attributes:
        found += _attribute(flags, kind, value, ebgp)
    reach = wire.MP_REACH in kinds
    if update.classic or reach:
        needed = (wire.ORIGIN, wire.AS_PATH) + ((wire.NEXT_HOP,) if update.classic else ()) + (() if ebgp else (wire.LOCAL_PREF,))
        found += [f"attribute {kind} is missing" for kind in needed if kind not in kinds]
    path = next((value for _, kind, value in update.attributes if kind == wire.AS_PATH), None)
    if path is not None:
        found += _path(path, ebgp, sender)
    if set(update.announced) & set(update.withdrawn):
        found.append("a prefix announced and withdrawn at once")
    return found


def _attribute(flags, kind, value, ebgp):
    if flags & 0x0F:
        return [f"attribute {kind} with unused flag bits {flags:02x}"]
    if not flags & wire.OPTIONAL and flags & wire.PARTIAL:
        return [f"attribute {kind}: well-known and Partial"]
    if ebgp and kind in _IBGP_ONLY:
        return [f"attribute {kind} towards another AS"]
    if kind in (wire.AS4_PATH, wire.AS4_AGGREGATOR):
        return [f"attribute {kind} to a four-octet neighbor"]
    if kind == wire.AS_PATH:
        return [] if flags & 0xC0 == 0x40 else [f"AS_PATH with flags {flags:02x}"]
    if kind in _RULES:
        right, fits = _RULES[kind]
        if flags & 0xC0 != right:
            return [f"attribute {kind} with flags {flags:02x}"]
        return [] if fits(value) else [f"attribute {kind} is malformed: {value[:32].hex()}"]
    if not flags & wire.OPTIONAL:
        return [f"unknown well-known attribute {kind}"]
    if not flags & wire.TRANSITIVE:
        return [f"unknown attribute {kind}, which is not transitive"]
    return []


def _path(octets, ebgp, sender):
    first = None
    while octets:
        if len(octets) < 2 or octets[0] not in (1, 2, 3, 4) or octets[1] == 0 or len(octets) < 2 + 4 * octets[1]:
            return [f"malformed AS_PATH at {octets[:16].hex()}"]
        asns = [int.from_bytes(octets[2 + 4 * i:6 + 4 * i], "big") for i in range(octets[1])]
        if 0 in asns:
            return ["AS 0 in AS_PATH"]
        if ebgp and octets[0] in (3, 4):
            return ["confederation segments towards another AS"]
        if octets[0] in (1, 4):
            return ["an AS_SET"]
        first = asns[0] if first is None else first
        octets = octets[2 + 4 * len(asns):]
    return [f"AS_PATH does not begin with {sender}"] if ebgp and first != sender else []
