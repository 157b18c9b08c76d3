"""A NAT box between the gateway and the internet."""
import time

from cgwlab.shell import run
from harness import check, scenario


@scenario("behind a NAT both tunnels come up under the public identity and carry 30 MB each way", nat=True)
def behind_nat(world):
    from throughput import transfer
    path = world.capture("net", "c0", "outside", "udp")
    world.start()
    world.wait_ping()
    for number, endpoint in world.lab.endpoints.items():
        for _, sa in endpoint.charon.sas():
            check(sa["remote-host"] == "198.51.100.2" and sa["remote-id"] == "198.51.100.2", f"VGW {number} sees {sa}")
    check(world.gateway.tunnels()[1]["ike"]["natLocal"], "the NAT in front of the gateway is not noticed")
    for direction in ((), ("-R",)):
        transfer(world, 30_000_000, *direction)
    world.end_capture("outside")
    check(not run("tcpdump", "-n", "-r", path, "ip proto 50", check=False).count("ESP(spi"), "ESP without UDP")


@scenario("an idle tunnel behind a NAT sends keepalives", nat=True, routing="static", dpd=300)
def keepalives(world):
    world.gateway.import_aws()
    world.gateway.edit(quiet)
    # NAT keepalive: one octet 0xFF in UDP 4500 [RFC 3948 2.3]
    path = world.capture("nat", "out0", "keepalive", "udp dst port 4500 and udp[4:2] = 9 and udp[8] = 0xff")
    world.start(wait=())
    time.sleep(26)
    world.end_capture("keepalive")
    seen = run("tcpdump", "-n", "-r", path, check=False)
    for address in ("203.0.113.10", "203.0.113.14"):
        check(address in seen, f"no keepalive to {address} within 26 s")
    check(len([line for line in seen.splitlines() if address in line]) < 5, "keepalives come too often")


def quiet(text):
    """No probes and no DPD, of either side: nothing but keepalives holds the NAT's mapping."""
    lines = []
    for line in text.splitlines():
        lines.append(line)
        if line.strip().startswith("tunnel "):
            lines += ["  no probe", "  dpd interval 120"]
    return "\n".join(lines) + "\n"
