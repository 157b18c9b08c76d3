"""What is on the wire, by another program's eyes."""
import re

from cgwlab import faults
from cgwlab.shell import run
from harness import check, scenario


@scenario("tshark decodes every IKE, ESP and BGP packet without a malformed mark")
def tshark(world):
    outside = world.capture("net", "c0", "outside", "udp port 500 or udp port 4500 or esp")
    inside = world.capture("cgw", "any", "inside", "tcp port 179")
    world.start()
    world.wait_ping()
    charon = world.lab.endpoints[1].charon
    for what in ("child", "ike"):
        charon.rekey(what, "cgw")
    faults.restart(world.lab, 2, outage=0.5, graceful=True)
    world.gateway.wait_up(60)
    world.gateway.stop()
    for name in ("outside", "inside"):
        world.end_capture(name)
    for path, protocols in ((outside, ("isakmp", "esp")), (inside, ("bgp",))):
        for protocol in protocols:
            check(frames(path, protocol) > 5, f"no {protocol} in the capture")
        bad = decode(path, "_ws.malformed || isakmp.version < 0x20")
        check(not bad, f"tshark marks as malformed: {bad[:400]}")
    errors = decode(inside, "bgp && _ws.expert.severity == error")
    check(not errors, f"tshark finds errors in BGP: {errors[:400]}")
    check(re.search(r"(?m)^OPEN", decode(inside, "bgp.type == 1", "bgp.type", "OPEN")), "no OPEN seen")


def frames(path, display_filter):
    return len(decode(path, display_filter).splitlines())


def decode(path, display_filter, field=None, word=""):
    """tshark's one-line summaries of the frames that match; with a field, a word for each instead."""
    command = ["tshark", "-n", "-r", path, "-Y", display_filter]
    if field:
        command += ["-T", "fields", "-e", field]
    out = run(*command, timeout=60)
    lines = [line for line in out.splitlines() if line.strip() and "Running as user" not in line]
    return "\n".join(word + line if field else line for line in lines)
