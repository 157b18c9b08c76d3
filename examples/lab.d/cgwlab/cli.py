"""The command line of the lab."""
import argparse
import signal
import subprocess
import sys

from . import faults, pki, plan, status
from .lab import Lab
from .plan import Options
from .reference import Reference
from .shell import LabError, in_namespace


def main(arguments=None):
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    chosen = _parser().parse_args(arguments)
    chosen.name = getattr(chosen, "name", "cgwlab")
    chosen.dir = getattr(chosen, "dir", f"/run/{chosen.name}")
    try:
        return chosen.action(chosen) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; what was begun is taken down", file=sys.stderr)
        return 130


def _interrupt(*_):
    raise KeyboardInterrupt


def _parser():
    parser = argparse.ArgumentParser(
        prog="lab", description="An AWS Site-to-Site VPN stand-in on one machine: two tunnel endpoints "
        "(strongSwan and BIRD, set as AWS sets them), a VPC, a LAN and a place for the customer gateway, "
        "in network namespaces.")
    where = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    where.add_argument("--name", help="prefix of the namespaces (default: cgwlab)")
    where.add_argument("--dir", help="state, sockets, logs and the XML (default: /run/NAME)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, action, text):
        sub = commands.add_parser(name, parents=[where], help=text, description=text)
        sub.set_defaults(action=action)
        return sub

    _up_arguments(command("up", _up, "build the lab; writes DIR/customer-gateway.xml as AWS would"))
    command("status", _status, "SAs, BGP, routes and faults, in words")
    _fault_arguments(command("fault", _fault, "break something on AWS's side or on the way there"), where)
    command("restore", _restore, "the way to AWS is whole again")
    command("down", _down, "end what the lab started and delete its namespaces")
    run = command("exec", _exec, "run a command inside a namespace: exec cgw ip route")
    run.add_argument("role", choices=plan.ROLES + ("nat",))
    run.add_argument("command", nargs=argparse.REMAINDER)
    reference = command("reference", _reference, "strongSwan and BIRD in the gateway's place")
    reference.add_argument("what", choices=("start", "stop"))
    return parser


def _up_arguments(parser):
    parser.add_argument("--routing", choices=("dynamic", "static"), default="dynamic")
    parser.add_argument("--outside", choices=("ipv4", "ipv6"), default="ipv4", help="family of the outside addresses")
    parser.add_argument("--nat", action="store_true", help="a NAT box between the gateway and the internet")
    parser.add_argument("--esp", choices=("auto", "kernel", "libipsec"), default="auto",
                        help="ESP of AWS's side (auto: the kernel's where it has xfrm interfaces)")
    parser.add_argument("--prefixes", type=int, default=0, metavar="N", help="announce N more prefixes")
    parser.add_argument("--delay", type=float, default=0, metavar="MS", help="round-trip time to AWS")
    parser.add_argument("--authentication", choices=("psk", *pki.KINDS), default="psk",
                        help="certificates of this kind instead of pre-shared keys; they are in DIR/pki")
    parser.add_argument("--no-rfc7427", action="store_true", help="AWS's side signs by the methods of RFC 7296 only")
    parser.add_argument("--ike-lifetime", type=int, default=28800, metavar="S")
    parser.add_argument("--child-lifetime", type=int, default=3600, metavar="S")
    parser.add_argument("--dpd", type=int, default=10, metavar="S", help="AWS's DPD interval")
    parser.add_argument("--prefix-limit", type=int, default=100, metavar="N",
                        help="more announced prefixes take the session down (default: 100)")
    parser.add_argument("--ike-proposals", action="append", default=[], metavar="TUNNEL=PROPOSALS",
                        help="in strongSwan's words, e.g. 1=aes128-sha1-modp1024")
    parser.add_argument("--esp-proposals", action="append", default=[], metavar="TUNNEL=PROPOSALS")
    parser.add_argument("--customer-asn", action="append", default=[], metavar="TUNNEL=ASN",
                        help="the AS that an endpoint expects of the gateway, where it is not 65000")


def _fault_arguments(parser, where):
    kinds = parser.add_subparsers(required=True, metavar="KIND")

    def kind(name, act, text, which=("1", "2")):
        sub = kinds.add_parser(name, parents=[where], help=text, description=text)
        sub.add_argument("tunnel", choices=which)
        sub.set_defaults(fault=act)
        return sub

    silent = kind("silent", lambda lab, a: faults.silent(lab, a.tunnel, a.direction),
                  "the internet drops the endpoint's packets", ("1", "2", "all"))
    silent.add_argument("--direction", choices=("both", "in", "out"), default="both",
                        help="in: towards the gateway, out: from it")
    restart = kind("restart", lambda lab, a: faults.restart(lab, a.tunnel, a.outage, a.graceful),
                   "the endpoint is replaced by one that knows nothing")
    restart.add_argument("--outage", type=float, default=1.0, metavar="S")
    restart.add_argument("--graceful", action="store_true", help="the old one says goodbye (DELETE, Cease)")
    kind("bgp-down", lambda lab, a: faults.bgp_down(lab, a.tunnel), "AWS shuts the BGP session down")
    kind("prefer", lambda lab, a: faults.prefer(lab, a.tunnel), "AWS sends on this tunnel (MED 100)")
    maintenance = kind("maintenance", lambda lab, a: faults.maintenance(lab, a.tunnel, a.notice, a.outage),
                       "AWS updates the endpoint: MED lower on the other, a wait, replacement")
    maintenance.add_argument("--notice", type=float, default=5.0, metavar="S")
    maintenance.add_argument("--outage", type=float, default=5.0, metavar="S")


def _pairs(texts, option):
    pairs = {}
    for text in texts:
        number, _, value = text.partition("=")
        if number not in ("1", "2") or not value:
            raise LabError(f"{option} {text}: TUNNEL=VALUE, with tunnel 1 or 2")
        pairs[number] = value
    return pairs


def _up(chosen):
    lab = Lab.create(Options(
        name=chosen.name, directory=chosen.dir, routing=chosen.routing, outside=chosen.outside, nat=chosen.nat, esp=chosen.esp,
        prefixes=chosen.prefixes, delay=chosen.delay, ike_lifetime=chosen.ike_lifetime,
        child_lifetime=chosen.child_lifetime, dpd=chosen.dpd, authentication=chosen.authentication,
        rfc7427=not chosen.no_rfc7427, prefix_limit=chosen.prefix_limit,
        ike_proposals=_pairs(chosen.ike_proposals, "--ike-proposals"),
        esp_proposals=_pairs(chosen.esp_proposals, "--esp-proposals"),
        customer_asn=_pairs(chosen.customer_asn, "--customer-asn")))
    print(f"lab {lab.options.name} is up ({lab.options.routing}, ESP by {lab.state.esp})\n"
          f"AWS's file: {lab.xml}\n"
          f"a shell in the gateway's place: ip netns exec {lab.namespace('cgw')} bash")


def _status(chosen):
    print(status.report(Lab.open(chosen.dir)))


def _fault(chosen):
    chosen.fault(Lab.open(chosen.dir), chosen)


def _restore(chosen):
    faults.restore(Lab.open(chosen.dir))


def _down(chosen):
    Lab.open(chosen.dir).down()


def _exec(chosen):
    if not chosen.command:
        raise LabError("exec: which command? e.g. lab exec cgw ip route")
    namespace = Lab.open(chosen.dir).namespace(chosen.role)
    return subprocess.call(in_namespace(namespace, *chosen.command))


def _reference(chosen):
    reference = Reference(Lab.open(chosen.dir))
    if chosen.what == "stop":
        reference.stop()
        return
    reference.start()
    reference.wait_up()
    print("both BGP sessions are established")
