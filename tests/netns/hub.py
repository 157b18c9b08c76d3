"""cgwd as a hub: peers without a fixed address, known by who they say they are."""
import json
import os

from cgwlab import plan, processes
from cgwlab.shell import run, wait_for, write
from harness import check, scenario

KEYS = {1: "first.spoke.Key", 2: "second.spoke.Key"}
HUB = plan.TUNNEL[1].outside


class Cgwd:
    """A cgwd in one of the lab's namespaces."""

    def __init__(self, world, name, role, text, secrets):
        self.world, self.name, self.role = world, name, role
        self.directory = world.lab.folder(name)
        self.conf, self.run_directory = os.path.join(self.directory, "cgwd.conf"), os.path.join(self.directory, "run")
        os.makedirs(self.run_directory, exist_ok=True)
        write(self.conf, text)
        write(os.path.join(self.directory, "secrets"), secrets, mode=0o600)

    @property
    def log(self):
        return os.path.join(self.directory, "cgwd.log")

    def start(self):
        self.world.lab.spawn(self.name, self.role,
                             [self.world.gateway.cgwd, "-f", self.conf, "--run-dir", self.run_directory], self.log)

    def stop(self):
        processes.stop([self.world.lab.state.processes.pop(self.name)])

    def tunnel(self, number=1):
        shown = json.loads(run(self.world.gateway.cgwsh, "--run-dir", self.run_directory, "-c", "show vpn json"))
        return next(t for t in shown["connections"][0]["tunnels"] if t["tunnel"] == number)

    def said(self):
        with open(self.log) as log:
            return log.read()


def hub_text():
    tunnels = "".join(f""" tunnel {n}
  interface hub{n}
  no initiate
  vpn-gateway outside-address any
  remote-identity fqdn spoke{n}.example
  local-identity fqdn hub.example
  vpn-gateway inside-address 169.254.{20 + n}.2
  customer-gateway inside-address 169.254.{20 + n}.1/30
  pre-shared-key spoke{n}
""" for n in KEYS)
    return f"hostname hub\nvpn connection spokes\n target other\n routing static\n{tunnels}!\n"


def spoke_text(n):
    return f"""hostname spoke{n}
vpn connection hub
 target other
 routing static
 tunnel 1
  interface spoke{n}
  vpn-gateway outside-address {HUB}
  remote-identity fqdn hub.example
  local-identity fqdn spoke{n}.example
  vpn-gateway inside-address 169.254.{20 + n}.1
  customer-gateway inside-address 169.254.{20 + n}.2/30
  pre-shared-key hub
!
"""


def up(hub, spokes):
    def all_up():
        return all(hub.tunnel(n)["ike"]["state"] == spokes[n].tunnel()["ike"]["state"] == "Established" for n in spokes)
    wait_for("both spokes at the hub", all_up, 30, 0.2)


def pings(world, spoke, n, count=20):
    out = world.lab.run(spoke.role, "ping", "-c", str(count), "-i", "0.02", "-W", "1", f"169.254.{20 + n}.1", check=False)
    return int(out.split(" received")[0].split()[-1])


@scenario("a hub for peers of unknown address: two spokes behind one NAT, known by their IDs and keys, one after a move",
          nat=True, routing="static")
def hub(world):
    for name in ("vgw1-charon", "vgw1-bird"):
        processes.stop([world.lab.state.processes.pop(name)])
    world.lab.endpoints[1].forget()
    hub = Cgwd(world, "hub", "vgw1", hub_text(), "".join(f"spoke{n} {key}\n" for n, key in KEYS.items()))
    # One spoke in the gateway's place, one on the LAN's host behind it; the same NAT box is in front of both.
    roles = {1: "cgw", 2: "lan"}
    spokes = {n: Cgwd(world, f"spoke{n}", roles[n], spoke_text(n), f"hub {KEYS[n]}\n") for n in KEYS}
    hub.start()
    route_lan(world)
    for spoke in spokes.values():
        spoke.start()
    up(hub, spokes)
    for n, spoke in spokes.items():
        ike = hub.tunnel(n)
        check(ike["outsideAddress"] == plan.PUBLIC_ADDRESS, f"spoke {n} is known at {ike['outsideAddress']}")
        check(ike["ike"]["natRemote"], f"no NAT seen in front of spoke {n}")
        check(pings(world, spoke, n) == 20, f"packets of spoke {n} are lost")
    # Killed and back, from another port: taken at once.
    before = hub.tunnel(2)["ike"]["spiInitiator"]
    spokes[2].stop()
    spokes[2].start()
    wait_for("spoke 2 again", lambda: hub.tunnel(2)["ike"].get("spiInitiator") not in (before, "0000000000000000"), 20, 0.1)
    up(hub, spokes)
    for n, spoke in spokes.items():
        check(pings(world, spoke, n) == 20, f"packets of spoke {n} are lost after spoke 2's return")
    # Whoever has the name but not the key, or a name that nobody has, is refused.
    spokes[1].stop()
    liar = Cgwd(world, "liar", "cgw", spoke_text(1), "hub not.the.Key.of.spoke1\n")
    liar.start()
    wait_for("the refusal", lambda: "pre-shared keys" in hub.said(), 20, 0.2)
    liar.stop()
    stranger = Cgwd(world, "stranger", "cgw", spoke_text(1).replace("fqdn spoke1.", "fqdn nobody."), f"hub {KEYS[1]}\n")
    stranger.start()
    wait_for("the stranger's refusal", lambda: "no tunnel with 'vpn-gateway outside-address any'" in hub.said(), 20, 0.2)
    check(pings(world, spokes[2], 2) == 20, "packets of spoke 2 are lost meanwhile")


def route_lan(world):
    """The LAN's host reaches the internet by the gateway's namespace, which forwards."""
    world.lab.run("cgw", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    world.lab.run("nat", "ip", "route", "replace", plan.LAN_NETWORK, "via", plan.PRIVATE_ADDRESS)
