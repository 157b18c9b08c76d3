#!/usr/bin/env python3
"""updates.py WRITE_UPDATES COUNT: scapy reads in random UPDATEs what our own decoder reads in them."""
import ipaddress, json, os, struct, subprocess, sys

try:
    import scapy  # noqa: F401
except ImportError:
    # Debian's packages belong to Debian's interpreter, whichever comes first on the path.
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
    print("SKIPPED: python3-scapy is not here (tools/install test)")
    sys.exit(77)

import logging

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.contrib import bgp  # noqa: E402

bgp.bgp_module_conf.use_2_bytes_asn = False


def numbers(octets, form):
    return [v[0] if len(v) == 1 else list(v) for v in struct.iter_unpack(form, octets)]


def prefixes(routes):
    return [r.prefix for r in routes]


def mp_reach(reach, out):
    out["announced"] += prefixes(reach.nlri)
    if reach.nh_addr_len in (16, 32):
        out["next_hop"] = reach.nh_v6_addr if reach.nh_addr_len == 16 else reach.nh_v6_global
    if reach.nh_addr_len == 32:
        out["link_local"] = reach.nh_v6_link_local


def attribute(a, out):
    """One attribute, by scapy's fields where it has some, else by the octets that it cuts out."""
    kind, value = a.type_code, a.attribute
    octets = b"" if value is None else bytes(value)
    if kind == 1:
        out["origin"] = value.origin
    elif kind == 2:
        out["as_path"] = [[s.segment_type, list(s.segment_value)] for s in (value.segments if octets else [])]
    elif kind == 3:
        out["next_hop"] = value.next_hop
    elif kind == 4:
        out["med"] = value.med
    elif kind == 5:
        out["local_pref"] = value.local_pref
    elif kind == 6:
        out["atomic"] = True
    elif kind == 7:
        # Scapy knows AS numbers of two octets here.
        out["aggregator"] = [numbers(octets[:4], "!I")[0], str(ipaddress.ip_address(octets[4:]))]
    elif kind == 8:
        out["communities"] = numbers(octets, "!I")
    elif kind == 9:
        out["originator"] = value.originator_id
    elif kind == 10:
        out["clusters"] = [str(ipaddress.ip_address(n)) for n in numbers(octets, "!I")]
    elif kind == 14:
        mp_reach(value, out)
    elif kind == 15:
        out["withdrawn"] += prefixes(value.afi_safi_specific.withdrawn_routes)
    elif kind == 16:
        out["extended"] = numbers(octets, "!Q")
    elif kind == 32:
        out["large"] = numbers(octets, "!III")
    elif kind == 35:
        out["otc"] = numbers(octets, "!I")[0]
    else:
        out["unknown"].append([kind, octets.hex()])


def read(octets):
    message = bgp.BGP(octets)
    if bgp.BGPUpdate not in message:
        return None
    update = message[bgp.BGPUpdate]
    out = {"withdrawn": prefixes(update.withdrawn_routes), "announced": prefixes(update.nlri), "as_path": [],
           "link_local": None, "med": None, "local_pref": None, "atomic": False, "aggregator": None, "communities": [],
           "extended": [], "large": [], "originator": None, "clusters": [], "otc": None, "unknown": []}
    for a in update.path_attr:
        attribute(a, out)
    return out


def same(theirs, ours):
    """Addresses and prefixes as what they are, not as they are written."""
    def plain(x):
        if isinstance(x, dict):
            return {k: plain(v) for k, v in x.items()}
        if isinstance(x, list):
            return [plain(v) for v in x]
        if isinstance(x, str) and (":" in x or x.count(".") == 3):
            return ipaddress.ip_network(x, strict=False) if "/" in x else ipaddress.ip_address(x)
        return x
    return plain(theirs) == plain(ours)


run = subprocess.run(sys.argv[1:3], capture_output=True, text=True, timeout=60, check=True)
bad, count, given_up = 0, 0, 0
for line in run.stdout.splitlines():
    octets, text = line.split("\t")
    ours = json.loads(text)
    theirs = read(bytes.fromhex(octets))
    if theirs is None:
        given_up += 1  # some extended communities are too much for scapy
        continue
    # A withdrawal has no attributes to speak of.
    theirs = {k: v for k, v in theirs.items() if k in ours}
    count += 1
    if not same(theirs, ours):
        bad += 1
        print(octets, *[f"  {k}: scapy {theirs.get(k)}, ours {v}" for k, v in ours.items() if theirs.get(k) != v], sep="\n")
print(f"{count} UPDATEs, {bad} read otherwise, {given_up} more that scapy cannot read")
sys.exit(1 if bad or given_up * 10 > count or count < int(sys.argv[2]) // 2 else 0)
