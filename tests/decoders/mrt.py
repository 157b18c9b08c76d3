#!/usr/bin/env python3
"""mrt.py WRITE_MRT: bgpdump reads the MRT files that the program writes, record by record as they were meant."""
import os, shutil, subprocess, sys, tempfile

if shutil.which("bgpdump") is None:
    print("SKIPPED: bgpdump is not here (tools/install test)")
    sys.exit(77)

ATTRIBUTES = "64512 4200000001|IGP|{hop}|{pref}|100|64512:7 no-export|64512:1:2|AG|64512 192.0.2.1||"
AT = "1700000000"
V4 = ATTRIBUTES.format(hop="169.254.10.1", pref=0)
V6 = ATTRIBUTES.format(hop="2001:db8::1", pref=0)
INTERNAL = ATTRIBUTES.format(hop="169.254.10.1", pref=200)


def update(what, prefix, attributes=""):
    return f"BGP4MP_ET|{AT}.250000|{what}|169.254.10.1|64512|{prefix}" + ("|" + attributes if attributes else "")


EXPECTED = {
    "updates": [
        f"BGP4MP_ET|{AT}.250000|STATE|169.254.10.1|64512|5|6",
        update("A", "10.50.0.0/16", V4), update("A", "0.0.0.0/0", V4),
        update("W", "10.50.0.0/16"), update("W", "0.0.0.0/0"),
        update("A", "2001:db8:50::/48", V6), update("W", "2001:db8:50::/48"),
        update("A", "10.51.0.0/16", V4),
        f"BGP4MP_ET|{AT}.250000|STATE|fd00::1|4200000001|6|1",
    ],
    "table": [
        f"TABLE_DUMP2|{AT}|B|fd00::1|64512|10.50.0.0/16|{INTERNAL}",
        f"TABLE_DUMP2|{AT}|B|169.254.10.1|64512|10.50.0.0/16|{V4}",
        f"TABLE_DUMP2|{AT}|B|0.0.0.0|65000|10.60.0.0/16||IGP|192.0.2.1|0|0|||NAG|||",
        f"TABLE_DUMP2|{AT}|B|fd00::1|64512|2001:db8:50::/48|{V6}",
    ],
    "table.addpath": [
        f"TABLE_DUMP2_AP|{AT}|B|fd00::1|64512|10.50.0.0/16|0|{INTERNAL}",
        f"TABLE_DUMP2_AP|{AT}|B|169.254.10.1|64512|10.50.0.0/16|17|{V4}",
        f"TABLE_DUMP2|{AT}|B|0.0.0.0|65000|10.60.0.0/16||IGP|192.0.2.1|0|0|||NAG|||",
        f"TABLE_DUMP2|{AT}|B|fd00::1|64512|2001:db8:50::/48|{V6}",
    ],
}


def dump(path, *options):
    run = subprocess.run(["bgpdump", "-v", *options, path], capture_output=True, text=True, timeout=30,
                         env={**os.environ, "TZ": "UTC"})
    # What it does not understand it says on the other stream, and goes on.
    complaints = [line for line in run.stderr.splitlines() if "logging to" not in line]
    return run.stdout.splitlines(), complaints, run.returncode


bad = 0
with tempfile.TemporaryDirectory() as d:
    subprocess.run([sys.argv[1], d], check=True, timeout=30)
    for name, expected in EXPECTED.items():
        lines, complaints, status = dump(f"{d}/{name}", "-m", "-l", "-u")
        if lines != expected or complaints or status != 0:
            bad += 1
            print(f"{name}: status {status}", *complaints, "expected:", *expected, "read:", *lines, sep="\n  ")
    lines, complaints, _ = dump(f"{d}/table", "-H")
    # When a route came, and from whom.
    for wanted in ("ORIGINATED: 11/14/23 22:11:40", "ORIGINATED: 11/14/23 22:12:30", "SEQUENCE: 2", "ORIGINATOR_ID: 10.0.0.9",
                   "FROM: 169.254.10.1 AS64512"):
        if wanted not in lines:
            bad += 1
            print(f"table: no line {wanted!r} in", *lines, sep="\n  ")
sys.exit(1 if bad else 0)
