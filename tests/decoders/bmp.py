#!/usr/bin/env python3
"""bmp.py WRITE_BMP: tshark takes the BMP stream that the program writes apart, without a complaint and as it was meant."""
import json, shutil, struct, subprocess, sys, tempfile

if shutil.which("tshark") is None:
    print("SKIPPED: tshark is not here (tools/install test)")
    sys.exit(77)

STATION = 11019
# Type, address, flags of the view, and what the message brings.
V4, V6 = "169.254.10.1", "fd00::1"
EXPECTED = [
    ("Initiation", None, None, "cgwd cgw"),
    ("Peer Up Notification", V4, (0, 0), "64512"),
    ("Peer Up Notification", V6, (0, 0), "64512"),
    ("Route Monitoring", V4, (0, 0), "10.50.0.0 0.0.0.0"),
    ("Route Monitoring", V4, (1, 0), "10.50.0.0"),
    ("Route Monitoring", V4, (1, 1), "10.60.0.0"),
    ("Route Monitoring", V4, (0, 0), "10.50.0.0"),
    ("Route Monitoring", V6, (0, 0), "2001:db8:50::"),
    ("Route Monitoring", V6, (0, 0), "2001:db8:50::"),
    ("Route Monitoring", "0.0.0.0", None, "2001:db8:60::"),
    ("Route Monitoring", V4, (0, 0), ""),
    ("Route Monitoring", V6, (0, 0), ""),
    ("Statistics Report", V4, (0, 0), "3 1050 940 2"),
    ("Peer Down Notification", V4, (0, 0), "1"),
    ("Peer Down Notification", V4, (0, 0), "2"),
    ("Peer Down Notification", V4, (0, 0), "3"),
    ("Peer Down Notification", V6, (0, 0), "4"),
    ("Peer Down Notification", V6, (0, 0), "5"),
    ("Termination", None, None, "0"),
]
TYPES = ["Route Monitoring", "Statistics Report", "Peer Down Notification", "Peer Up Notification", "Initiation",
         "Termination"]


def capture(stream, path):
    """One TCP segment of the stream, in a capture of raw IP packets."""
    tcp = struct.pack("!HHIIBBHHH", 40000, STATION, 1, 1, 5 << 4, 0x18, 65535, 0, 0) + stream
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    packet = ip + tcp
    with open(path, "wb") as f:
        f.write(struct.pack("!IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        f.write(struct.pack("!IIII", 1, 0, len(packet), len(packet)) + packet)


def fields(path):
    """Field by field in the order of the stream, from tshark's PDML-like JSON with duplicate keys kept."""
    run = subprocess.run(["tshark", "-r", path, "-d", f"tcp.port=={STATION},bmp", "-T", "json"], capture_output=True,
                         text=True, timeout=60, check=True)
    out = []

    def walk(pairs):
        for key, value in pairs:
            if isinstance(value, list) and value and isinstance(value[0], tuple):
                out.append((key, None))
                walk(value)
            elif isinstance(value, list):
                for v in value:
                    walk([(key, v)])
            else:
                out.append((key, value))
        return pairs

    for packet in json.loads(run.stdout, object_pairs_hook=list):
        walk(packet)
    return out


def messages(found):
    """What of each message is in EXPECTED."""
    names = {"bmp.init.info", "bgp.open.myas", "bgp.nlri_prefix", "bgp.withdrawn_prefix", "bgp.mp_reach_nlri_ipv6_prefix",
             "bgp.mp_unreach_nlri_ipv6_prefix", "bmp.stats.data.prefix_rej", "bmp.stats.data.update_treat",
             "bmp.stats.data.routes_adj_rib_in", "bmp.stats.data.routes_loc_rib", "bmp.peer.down.reason", "bmp.term.reason"}
    out = []
    for key, value in found:
        if key == "bmp.type":
            out.append([TYPES[int(value)], None, {}, []])
        elif key in ("bmp.peer.ip.addr", "bmp.peer.ipv6.addr"):
            out[-1][1] = value
        elif key in ("bmp.peer.flags.post_policy", "bmp.peer.flags.adj_rib_out"):
            out[-1][2][key.rsplit(".", 1)[1]] = value in ("1", True)
        elif key in names:
            out[-1][3].append(value)
    return out


with tempfile.TemporaryDirectory() as d:
    subprocess.run([sys.argv[1], f"{d}/bmp"], check=True, timeout=30)
    with open(f"{d}/bmp", "rb") as f:
        capture(f.read(), f"{d}/pcap")
    found = fields(f"{d}/pcap")
bad = [f for f in found if f[0].startswith(("_ws.malformed", "_ws.expert")) or "unknown" in str(f[0]).lower()]
for f in bad:
    print("tshark complains:", *f)
read = messages(found)
for i in range(max(len(read), len(EXPECTED))):
    is_there = read[i] if i < len(read) else None
    wanted = EXPECTED[i] if i < len(EXPECTED) else None
    if is_there and wanted:
        kind, address, flags, what = is_there
        flags = (int(flags.get("post_policy", 0)), int(flags.get("adj_rib_out", 0)))
        # An OPEN of each side; the neighbor's AS is the second one.
        text = what[-1] if kind == "Peer Up Notification" else " ".join(str(w) for w in what)
        if (kind, address) == wanted[:2] and wanted[2] in (None, flags) and text == wanted[3]:
            continue
    bad.append(i)
    print(f"message {i}: read {is_there}, meant {wanted}")
sys.exit(1 if bad else 0)
