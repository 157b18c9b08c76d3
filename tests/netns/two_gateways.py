"""cgwd to cgwd: the responder's side of everything."""
import json
import os
import signal
import time

from cgwlab import plan, processes
from cgwlab.shell import run, wait_for, write
from harness import check, scenario

PEER = "peer"


class PeerGateway:
    """A second cgwd, in the place of VGW 1."""

    def __init__(self, world, initiate, suites=""):
        self.world, self.lab = world, world.lab
        for name in ("vgw1-charon", "vgw1-bird"):
            processes.stop([self.lab.state.processes.pop(name)])
        self.lab.endpoints[1].forget()
        self.directory = self.lab.folder(PEER)
        self.conf = os.path.join(self.directory, "cgwd.conf")
        self.run_directory = os.path.join(self.directory, "run")
        os.makedirs(self.run_directory, exist_ok=True)
        one = plan.TUNNEL[1]
        # No local network of its own is needed: the inside addresses are enough to ping.
        write(self.conf, f"""hostname peer
vpn connection vpn-00000000000000001
 routing static
 tunnel 1
  interface cgwpeer
  {"" if initiate else "no "}initiate
  vpn-gateway outside-address {plan.PUBLIC_ADDRESS}
  customer-gateway outside-address {one.outside}
  vpn-gateway inside-address {one.inside_customer}
  customer-gateway inside-address {one.inside}/30
  pre-shared-key cgw
{suites}!
""")
        write(os.path.join(self.directory, "secrets"), f"cgw {self.lab.keys()[1]}\n", mode=0o600)
        self.cgwd, self.cgwsh = world.gateway.cgwd, world.gateway.cgwsh

    def start(self):
        self.lab.spawn(PEER, "vgw1", [self.cgwd, "-f", self.conf, "--run-dir", self.run_directory],
                       os.path.join(self.directory, "cgwd.log"))

    def kill(self, how):
        processes.stop([self.lab.state.processes.pop(PEER)], how)

    def ask(self, command):
        return run(self.cgwsh, "--run-dir", self.run_directory, "-c", command)

    def tunnel(self):
        return json.loads(self.ask("show vpn json"))["connections"][0]["tunnels"][0]


def ours(world):
    return world.gateway.tunnels().get(1, {}).get("ike", {})


def settled(world, peer):
    def same():
        a, b = ours(world), peer.tunnel()["ike"]
        return a.get("state") == b.get("state") == "Established" and a["spiInitiator"] == b["spiInitiator"]
    wait_for("both gateways on one IKE SA", same, 30, 0.1)


def ping_inside(world, count=20):
    return world.ping(source="cgw", target=plan.TUNNEL[1].inside, count=count)


@scenario("cgwd answers cgwd: the tunnel is up, carries packets, and a restarted initiator is taken back at once")
def responder(world):
    peer = PeerGateway(world, initiate=False)
    peer.start()
    world.start(wait=())
    settled(world, peer)
    check(ours(world)["initiator"] and not peer.tunnel()["ike"]["initiator"], "the wrong side initiated")
    check(ping_inside(world) == 20, "packets are lost")
    world.gateway.stop(signal.SIGKILL)
    world.gateway.start()
    began = time.monotonic()
    settled(world, peer)
    seconds = time.monotonic() - began
    print(f"taken back after {seconds:.2f} s")
    check(seconds < 5, f"taken back only after {seconds:.1f} s")
    check(ping_inside(world) == 20, "packets are lost after the restart")


@scenario("two cgwd that both initiate settle on one IKE SA without losing a packet", routing="static")
def both_initiate(world):
    peer = PeerGateway(world, initiate=True)
    peer.start()
    world.start(wait=())
    wait_for("a ping", lambda: ping_inside(world, 1) == 1, 20, 0.2)
    # 15 s, past the time after which one of two IKE SAs side by side is deleted.
    check(ping_inside(world, 300) >= 300, "packets were lost while two IKE SAs became one")
    settled(world, peer)


IKE, ESP = "aes256gcm16-prfsha384-ecp384-ke1_ecp256-ke2_curve25519", "aes256gcm16-ecp384-ke1_ecp521"
MORE = f"  ike proposal {IKE}\n  esp proposal {ESP}\n"


@scenario("additional key exchanges between two cgwd, when the SAs are made and when either side rekeys them",
          routing="static")
def additional_key_exchanges(world):
    peer = PeerGateway(world, initiate=False, suites=MORE)
    world.gateway.import_aws()
    world.gateway.edit(lambda text: text.replace("\n tunnel 1\n", "\n tunnel 1\n" + MORE, 1))
    peer.start()
    world.start(wait=())
    settled(world, peer)
    check(ours(world)["suite"] == IKE, f"the IKE SA has {ours(world)['suite']}")
    check(ping_inside(world) == 20, "packets are lost")
    for number, ask in enumerate((world.gateway.ask, peer.ask), start=1):
        name = json.loads(ask("show vpn json"))["connections"][0]["id"]
        for what in ("ike", "child"):
            ask(f"rekey vpn {name} tunnel 1 {'esp' if what == 'child' else what}")
            wait_for(f"rekey {number} of {what}",
                     lambda what=what, number=number: world.gateway.tunnels()[1][what]["rekeys"] >= number, 10, 0.1)
            check(ping_inside(world) == 20, f"packets are lost after rekey {number} of {what}")
    settled(world, peer)
    check(ours(world)["suite"] == IKE, f"the rekeyed IKE SA has {ours(world)['suite']}")
    child = world.gateway.tunnels()[1]["child"]["suite"]
    check(child == ESP, f"the rekeyed Child SA has {child}")
