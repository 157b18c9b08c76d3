"""What a peer may refuse: one clear line each, and the other tunnel goes on."""
import re

from cgwlab import awsxml
from cgwlab.shell import wait_for
from harness import check, scenario


@scenario("a wrong pre-shared key is named in the log, and the other tunnel goes on")
def wrong_key(world):
    with open(world.lab.xml) as file:
        text = file.read()
    keys = world.lab.keys()
    wrong = awsxml.new_key()
    other = world.lab.xml + ".wrong"
    with open(other, "w") as file:
        file.write(text.replace(keys[1], wrong))
    world.gateway.import_aws(other)
    world.start(wait=(2,))
    line = world.wait_log(r"pre-shared key|AUTHENTICATION_FAILED")
    check(names_tunnel_1(line), f"the line does not name the tunnel: {line}")
    check(re.search("pre-shared key", line, re.I), f"the line does not name the key: {line}")
    for key in (wrong, keys[1], keys[2]):
        check(key not in world.log(), "a key is in the log")
    world.wait_ping()


@scenario("a peer that proposes nothing acceptable is named in the log, and the other tunnel goes on",
          ike_proposals={"1": "aes128-sha1-modp1024"})
def no_proposal(world):
    world.start(wait=(2,))
    line = world.wait_log(r"NO_PROPOSAL_CHOSEN|proposal")
    check(names_tunnel_1(line), f"the line does not name the tunnel: {line}")
    world.wait_ping()


@scenario("a Child SA proposal that the peer refuses is named in the log", esp_proposals={"1": "aes128-sha1-modp1024"})
def no_child_proposal(world):
    world.start(wait=(2,))
    line = world.wait_log(r"NO_PROPOSAL_CHOSEN|proposal")
    check(names_tunnel_1(line), f"the line does not name the tunnel: {line}")
    world.wait_ping()


@scenario("a refused BGP OPEN is named in the log, and the other tunnel goes on", customer_asn={"1": "64999"})
def wrong_as(world):
    world.start(wait=(2,))
    line = world.wait_log(r"bad peer as|\bAS\b.*(refus|reject|expect|wrong)|(refus|reject).*\bAS\b")
    check(names_tunnel_1(line), f"the line does not name the tunnel or the neighbour: {line}")
    tunnel = world.gateway.tunnels()[1]
    check(tunnel["bgp"]["state"] != "Established", "the refused session is shown as established")
    check(tunnel["child"]["installed"], "a refused OPEN took the Child SA down")
    world.wait_ping()


@scenario("of 120 networks 100 are announced: AWS would end the session over more")
def prefix_limit(world):
    world.gateway.import_aws()
    world.gateway.edit(with_networks)
    world.start()
    world.wait_ping()
    for number, endpoint in world.lab.endpoints.items():
        wait_for(f"100 prefixes at VGW {number}", lambda e=endpoint: e.bird.imported("cgw") == 100, 10)
        check(endpoint.bird.protocol("cgw")[1] == "Established", "AWS has ended the session")
    world.wait_log(r"100|limit")


def with_networks(text):
    """119 networks more beside the LAN's."""
    lines = []
    for line in text.splitlines():
        lines.append(line)
        if line.strip().startswith("network "):
            lines += [line.replace(line.split()[1], f"192.168.{i}.0/24") for i in range(100, 219)]
    return "\n".join(lines) + "\n"


def names_tunnel_1(line):
    return re.search(r"tunnel[ -]?1|t1\b|169\.254\.10\.1|203\.0\.113\.10\b", line)
