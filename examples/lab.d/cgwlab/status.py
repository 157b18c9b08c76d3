"""The lab's state in words."""
from . import plan, processes
from .shell import run


def report(lab):
    lines = [f"lab {lab.options.name} in {lab.options.directory}: {lab.options.routing} routing, "
             f"ESP by {lab.state.esp}{', NAT in front of the gateway' if lab.options.nat else ''}; "
             f"AWS prefers tunnel {lab.state.preferred}"]
    for name, record in sorted(lab.state.processes.items()):
        if not processes.alive(record):
            lines.append(f"  {name} (pid {record['pid']}) has ended")
    for number, endpoint in lab.endpoints.items():
        lines.append(f"tunnel {number}: AWS {lab.options.tunnel(number).outside}, inside {plan.TUNNEL[number].inside}")
        lines += [f"  {text}" for text in _security(endpoint)]
        if lab.options.routing == "dynamic":
            state, info = endpoint.bird.protocol("cgw")
            lines.append(f"  BGP {info or state}")
    lines.append("VPC's way to the LAN: " + (vpc_route(lab) or "none"))
    faults = run("ip", "netns", "exec", lab.namespace("net"), "nft", "list", "table", "inet", "cgwlab_faults",
                 check=False)
    drops = [line.strip() for line in faults.splitlines() if "drop" in line]
    lines += [f"fault: {drop}" for drop in drops] or ["no fault on the way"]
    return "\n".join(lines)


def _security(endpoint):
    try:
        sas = endpoint.charon.sas()
    except OSError as error:
        return [f"IKE daemon does not answer ({error})"]
    if not sas:
        return ["no IKE SA: the gateway has not come yet"]
    lines = []
    for _, sa in sas:
        suite = "-".join(sa[key] for key in ("encr-alg", "encr-keysize", "integ-alg", "prf-alg", "dh-group")
                         if key in sa)
        lines.append(f"IKE SA {sa['state']} with {sa.get('remote-host', '?')}:{sa.get('remote-port', '?')}, "
                     f"since {sa.get('established', '0')} s, {suite}")
        for child in sa.get("child-sas", {}).values():
            lines.append(f"Child SA {child['state']}, SPI in {child.get('spi-in', '?')} out "
                         f"{child.get('spi-out', '?')}, in {child.get('packets-in', '0')} packets, out "
                         f"{child.get('packets-out', '0')}")
    return lines


def vpc_route(lab):
    """Which tunnel the VPC sends the LAN's packets into, from its kernel."""
    line = run("ip", "-n", lab.namespace("vpc"), "route", "show", plan.LAN_NETWORK).strip()
    for number, tunnel in plan.TUNNEL.items():
        if f"via {tunnel.vpc} " in line + " ":
            return f"tunnel {number}"
    return line
