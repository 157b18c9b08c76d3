"""The main job: both tunnels, routes both ways, traffic both ways."""
import json

from cgwlab import faults, plan
from harness import check, scenario


@scenario("both tunnels come up, routes go both ways, traffic goes both ways")
def dynamic(world):
    world.start()
    world.wait_vpc_route(1)
    check(world.ping() == 5, "LAN to VPC: pings are lost")
    check(world.ping("vpc", plan.LAN_HOST) == 5, "VPC to LAN: pings are lost")
    learnt = world.lab.run("cgw", "ip", "route", "show", plan.VPC_NETWORK)
    check("nhid" in learnt, f"the VPC's route points at no nexthop object: {learnt}")
    check(world.gateway.active() == 1, "tunnel 1 has the lower MED (100), and is not the active one")
    for number, endpoint in world.lab.endpoints.items():
        known = endpoint.bird.ask("show route protocol cgw")
        check(plan.LAN_NETWORK in known, f"VGW {number} has not learnt the LAN: {known}")
        check(plan.VPC_NETWORK not in known, f"VGW {number} gets its own route back: the gateway is a transit")


@scenario("what AWS learns is never passed on to the other tunnel, and its MED is followed", prefixes=300)
def med(world):
    world.start()
    world.wait_ping()
    with world.stream() as stream:
        for tunnel in (2, 1):
            faults.prefer(world.lab, tunnel)
            world.gateway.wait_active(tunnel)
            world.wait_vpc_route(tunnel)
        seen = stream.watch(1)
    check(seen["lost"] == 0, f"a change of MED lost {seen['lost']} packets")
    for endpoint in world.lab.endpoints.values():
        check(endpoint.bird.imported("cgw") == 1, "a VGW learnt more than the LAN's prefix")
    shown = json.loads(world.gateway.ask("show ip route json"))
    check(len([prefix for prefix in shown if prefix.startswith("10.128.")]) >= 256, "the extra prefixes are not shown")


@scenario("the gateway's answers have FRR's and the documented keys")
def shows(world):
    world.start()
    summary = json.loads(world.gateway.ask("show bgp summary json"))["ipv4Unicast"]
    check(summary["as"] == plan.CUSTOMER_ASN, f"as: {summary['as']}")
    for tunnel in plan.TUNNEL.values():
        peer = summary["peers"][tunnel.inside]
        check(peer["state"] == "Established" and peer["remoteAs"] == plan.AWS_ASN and peer["pfxRcd"] == 1, f"{peer}")
    text = world.gateway.ask("show vpn") + world.gateway.ask("show running-config") + world.log()
    for key in world.lab.keys().values():
        check(key not in text, "a pre-shared key is shown")
    for command in ("show vpn", "show bgp summary", "show ip route", "show running-config"):
        check(world.gateway.ask(command).strip(), f"{command} shows nothing")
        json.loads(world.gateway.ask(f"{command} json"))
