"""What can go wrong on AWS's side or on the way there, made on purpose."""
import signal
import time

from . import plan, processes, topology
from .shell import LabError, run, in_namespace

_TABLE = "cgwlab_faults"


def silent(lab, which, direction="both"):
    """The internet loses an endpoint's packets without a word. in: towards the gateway; out: from it."""
    numbers = plan.TUNNELS if which == "all" else (_tunnel(which),)
    rules = []
    for number in numbers:
        address = lab.options.tunnel(number).outside
        family = "ip6" if lab.options.outside == "ipv6" else "ip"
        if direction in ("both", "in"):
            rules.append(f"{family} saddr {address} counter drop")
        if direction in ("both", "out"):
            rules.append(f"{family} daddr {address} counter drop")
    topology.nft(lab.namespace("net"), f"""table inet {_TABLE} {{
  chain forward {{ type filter hook forward priority 0; }}
}}
""" + "\n".join(f"add rule inet {_TABLE} forward {rule}" for rule in rules))


def restore(lab):
    """The way is whole again, and a session that a fault took down may come back."""
    run(*in_namespace(lab.namespace("net"), "nft", "delete", "table", "inet", _TABLE), check=False)
    for endpoint in lab.endpoints.values():
        if lab.options.routing == "dynamic" and endpoint.bird.protocol("cgw")[0] == "down":
            endpoint.bird.ask("enable cgw")


def restart(lab, which, outage=1.0, graceful=False):
    """AWS replaces an endpoint: everything it knew is gone, and nobody said goodbye (unless graceful)."""
    number = _tunnel(which)
    endpoint = lab.endpoints[number]
    for name in (f"vgw{number}-charon", f"vgw{number}-bird"):
        record = lab.state.processes.pop(name, None)
        if record:
            processes.stop([record], signal.SIGTERM if graceful else signal.SIGKILL)
    endpoint.forget()
    lab.state.save()
    time.sleep(outage)
    lab.start_endpoints([number])


def bgp_down(lab, which):
    if lab.options.routing == "static":
        raise LabError("fault bgp-down: this lab is static, there is no BGP session")
    lab.endpoints[_tunnel(which)].bird.ask("disable cgw")


def prefer(lab, which):
    """AWS sends on this tunnel from here on, and says so by MED 100 there and 200 on the other."""
    lab.state.preferred = _tunnel(which)
    lab.state.save()
    for endpoint in lab.endpoints.values():
        endpoint.bird.configure(endpoint.bird_configuration())
    lab.vpc.bird.configure(lab.vpc.bird_configuration())


def maintenance(lab, which, notice=5.0, outage=5.0):
    """AWS's own order: steer to the other tunnel by MED, wait, replace this endpoint."""
    number = _tunnel(which)
    prefer(lab, 3 - number)
    time.sleep(notice)
    restart(lab, number, outage)


def _tunnel(which):
    if str(which) not in ("1", "2"):
        raise LabError(f"tunnel {which}: 1 or 2")
    return int(which)
