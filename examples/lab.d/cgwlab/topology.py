"""Namespaces and the links between them.

  lan 192.168.77.10 -- .1 cgw 198.51.100.2 -- .1 net .9  -- 203.0.113.10 vgw1 10.50.0.1 --+
                                              net .13 -- 203.0.113.14 vgw2 10.50.0.2 --+-- vpc 10.50.0.10
The same again in IPv6 with --outside ipv6:  cgw 2001:db8:100::2 -- ::1 net 2001:db8:1::9 -- ::10 vgw1, 2001:db8:2::13 -- ::14 vgw2.
With a NAT box:  cgw 10.99.0.2 -- 10.99.0.1 nat 198.51.100.2 -- .1 net
"""
import sys

from . import delay, plan
from .shell import LabError, in_namespace, ip_batch, run

_SYSCTLS = ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
            "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")

_MASQUERADE = """table ip nat {
  chain out {
    type nat hook postrouting priority 100;
    oifname "out0" masquerade
  }
}"""


# The address is there at once, without waiting for a duplicate.
_IPV6 = ("net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0", "net.ipv6.conf.all.forwarding=1",
         "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")


def existing_namespaces():
    return {line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.strip()}


def make_namespace(name, ipv6=False):
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    run(*in_namespace(name, "sysctl", "-q", "-w", *_SYSCTLS, *(_IPV6 if ipv6 else ())))


def link(options, role1, name1, address1, role2, name2, address2):
    """A cable: a veth pair between two namespaces, with addresses."""
    first, second = options.namespace(role1), options.namespace(role2)
    run("ip", "link", "add", "name", name1, "netns", first, "type", "veth", "peer", "name", name2, "netns", second)
    for namespace, name, address in ((first, name1, address1), (second, name2, address2)):
        lines = [f"addr add {address} dev {name}"] if address else []
        ip_batch(namespace, lines + [f"link set {name} up"])


def make_links(options):
    """All cables. Returns how the asked delay is made: netem | relay (to be started) | none."""
    link(options, "lan", "eth0", f"{plan.LAN_HOST}/24", "cgw", "lan0", f"{plan.LAN_GATEWAY}/24")
    if options.nat:
        link(options, "cgw", "wan0", f"{plan.PRIVATE_ADDRESS}/24", "nat", "in0", f"{plan.NAT_INSIDE}/24")
        delayed = _internet_link(options, "nat", "out0")
    else:
        delayed = _internet_link(options, "cgw", "wan0")
    vpc = options.namespace("vpc")
    ip_batch(vpc, ["link add br0 type bridge", f"addr add {plan.VPC_HOST}/24 dev br0", "link set br0 up"])
    for number, tunnel in plan.TUNNEL.items():
        link(options, "net", f"v{number}", f"{tunnel.outside_peer}/30", f"vgw{number}", "wan0",
             f"{tunnel.outside}/30")
        link(options, f"vgw{number}", "vpc0", f"{tunnel.vpc}/24", "vpc", f"p{number}", None)
        ip_batch(vpc, [f"link set p{number} master br0"])
    return delayed


def _internet_link(options, role, name):
    """The cable to the internet, with half of the asked round-trip time each way."""
    ours, theirs = f"{plan.PUBLIC_ADDRESS}/24", f"{plan.INTERNET_ADDRESS}/24"
    near, net = options.namespace(role), options.namespace("net")
    if not options.delay:
        link(options, role, name, ours, "net", "c0", theirs)
        return "none"
    netem = ("root", "netem", "delay", f"{options.delay / 2}ms", "limit", "100000")
    if not run("tc", "-n", net, "qdisc", "add", "dev", "lo", *netem, check=False).strip():
        run("tc", "-n", net, "qdisc", "del", "dev", "lo", "root")
        link(options, role, name, ours, "net", "c0", theirs)
        for namespace, interface in ((near, name), (net, "c0")):
            run("tc", "-n", namespace, "qdisc", "add", "dev", interface, *netem)
        return "netem"
    link(options, role, name, ours, "net", "relay0", None)
    link(options, "net", "c0", theirs, "net", "relay1", None)
    for namespace, interface in ((near, name), (net, "c0")):
        run(*in_namespace(namespace, sys.executable, delay.__file__, "plain", interface))
    return "relay"


def make_ipv6(options):
    """Addresses and routes of the outside once more, of IPv6."""
    lines = {"cgw": [f"addr add {plan.PUBLIC_ADDRESS_V6}/64 dev wan0", f"route add default via {plan.INTERNET_ADDRESS_V6}"],
             "net": [f"addr add {plan.INTERNET_ADDRESS_V6}/64 dev c0"]}
    for number, tunnel in plan.TUNNEL.items():
        lines["net"] += [f"addr add {tunnel.outside_peer_v6}/64 dev v{number}"]
        lines[f"vgw{number}"] = [f"addr add {tunnel.outside_v6}/64 dev wan0", f"route add default via {tunnel.outside_peer_v6}"]
    for role, commands in lines.items():
        ip_batch(options.namespace(role), commands)


def make_routes(options):
    ip_batch(options.namespace("lan"), [f"route add default via {plan.LAN_GATEWAY}"])
    cgw_exit = plan.NAT_INSIDE if options.nat else plan.INTERNET_ADDRESS
    ip_batch(options.namespace("cgw"), [f"route add default via {cgw_exit}"])
    if options.nat:
        ip_batch(options.namespace("nat"), [f"route add default via {plan.INTERNET_ADDRESS}"])
        nft(options.namespace("nat"), _MASQUERADE)
    for number, tunnel in plan.TUNNEL.items():
        ip_batch(options.namespace(f"vgw{number}"), [
            f"route add default via {tunnel.outside_peer}",
            f"route add {plan.EXTRA_PREFIXES} via {plan.VPC_HOST}"])
    if options.outside == "ipv6":
        make_ipv6(options)
    # Every address of the extra prefixes is the VPC host's own: traffic to any of them can be measured.
    ip_batch(options.namespace("vpc"), [f"route add local {plan.EXTRA_PREFIXES} dev lo"])


def nft(namespace, rules):
    run(*in_namespace(namespace, "nft", "-f", "-"), input_text=rules + "\n")


def esp_mode(options):
    """Kernel ESP needs xfrm interfaces; trying is the only honest test."""
    if options.esp == "libipsec":
        return "libipsec"
    run("modprobe", "-aq", "esp4", "esp6", "xfrm_user", "xfrm_interface", check=False)
    namespace = options.namespace("vgw1")
    refusal = run("ip", "-n", namespace, "link", "add", "probe0", "type", "xfrm", "dev", "lo", "if_id", "99",
                  check=False).strip()
    if not refusal:
        run("ip", "-n", namespace, "link", "del", "probe0")
        return "kernel"
    if options.esp == "kernel":
        raise LabError(f"--esp kernel: this kernel has no xfrm interfaces ({refusal}); use --esp libipsec")
    return "libipsec"
