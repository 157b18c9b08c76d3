"""BGP speakers under test: each started with the same neighbors, no policy, both families, no kernel routes."""
import os
import re

from cgwlab import processes
from cgwlab.shell import LabError, run, tail, wait_for, write

from . import bed


class Speaker:
    """neighbors: [(address, AS)], all of which call."""

    unknown = frozenset()  # path attributes with an RFC of their own that this one does not implement

    def __init__(self, made, build):
        self.bed, self.build = made, build
        self.directory = made.folder(type(self).__name__.lower())
        self.log = os.path.join(self.directory, "out")
        self.records = []

    def start(self, neighbors):
        self.records = [processes.start(self.bed.near, self.command(neighbors), self.log)]

    def alive(self):
        return bool(self.records) and all(processes.alive(one) for one in self.records)

    def stop(self):
        processes.stop(self.records)
        self.records = []

    def file(self, name, text):
        path = os.path.join(self.directory, name)
        write(path, text)
        return path

    def last_words(self):
        return tail(self.log, 30)


class Bird(Speaker):
    name = "BIRD"
    unknown = frozenset([24, 25, 40, 128])

    def command(self, neighbors):
        sessions = "".join(
            f"protocol bgp n{i} {{ local {bed.SPEAKER} as {bed.AS}; neighbor {address} as {asn}; passive; "
            "ipv4 { import all; export all; }; ipv6 { import all; export all; }; }\n"
            for i, (address, asn) in enumerate(neighbors))
        text = f"router id {bed.SPEAKER};\nprotocol device {{ }}\nprotocol direct {{ ipv4; ipv6; }}\n{sessions}"
        return ["bird", "-f", "-c", self.file("bird.conf", text), "-s", os.path.join(self.directory, "ctl")]

    @staticmethod
    def version():
        return _version("BIRD", "bird", "--version")


class Frr(Speaker):
    name = "FRR"
    unknown = frozenset([24, 26, 128])
    BGPD, ZEBRA = "/usr/lib/frr/bgpd", "/usr/lib/frr/zebra"

    def start(self, neighbors):
        """With zebra, from which bgpd has its IPv6 address for next hops."""
        if not os.path.exists(self.BGPD):
            raise LabError("frr is not installed: run tools/install test")
        zserv = os.path.join(self.directory, "zserv")
        zebra = [self.ZEBRA, "-f", self.file("zebra.conf", ""), "-z", zserv, "-i", os.path.join(self.directory, "zebra.pid"),
                 "--vty_socket", self.directory, "-P", "0"]
        self.records = [processes.start(self.bed.near, zebra, self.log)]
        wait_for("zebra's socket", lambda: os.path.exists(zserv), 10)
        self.records.append(processes.start(self.bed.near, [*self.command(neighbors), "-z", zserv], self.log))

    def command(self, neighbors):
        sessions, v6 = "", ""
        for address, asn in neighbors:
            sessions += f" neighbor {address} remote-as {asn}\n neighbor {address} passive\n"
            v6 += f"  neighbor {address} activate\n"
        text = (f"router bgp {bed.AS}\n bgp router-id {bed.SPEAKER}\n no bgp ebgp-requires-policy\n coalesce-time 0\n{sessions}"
                f" address-family ipv6 unicast\n{v6} exit-address-family\n")
        return [self.BGPD, "-n", "-S", "-f", self.file("bgpd.conf", text), "-i", os.path.join(self.directory, "pid"),
                "--vty_socket", self.directory, "-P", "0"]

    @staticmethod
    def version():
        return _version("FRR", Frr.BGPD, "--version")


# Of itself it would name ::ffff:10.99.0.1, which is nobody's address.
_GOBGP_NEXT_HOP = f"""[[policy-definitions]]
 name = "next-hop"
 [[policy-definitions.statements]]
  name = "ipv6"
  [policy-definitions.statements.conditions.bgp-conditions]
   afi-safi-in-list = ["ipv6-unicast"]
  [policy-definitions.statements.actions.bgp-actions]
   set-next-hop = "{bed.SPEAKER_V6}"
[global.apply-policy.config]
 export-policy-list = ["next-hop"]
 default-export-policy = "accept-route"
"""


class GoBgp(Speaker):
    name = "GoBGP"
    unknown = frozenset([24, 35, 128])

    def command(self, neighbors):
        text = f'[global.config]\n as = {bed.AS}\n router-id = "{bed.SPEAKER}"\n local-address-list = ["{bed.SPEAKER}"]\n'
        for address, asn in neighbors:
            text += (f'[[neighbors]]\n [neighbors.config]\n  neighbor-address = "{address}"\n  peer-as = {asn}\n'
                     f' [neighbors.transport.config]\n  passive-mode = true\n  local-address = "{bed.SPEAKER}"\n'
                     ' [neighbors.error-handling.config]\n  treat-as-withdraw = true\n')
            for family in ("ipv4-unicast", "ipv6-unicast"):
                text += f' [[neighbors.afi-safis]]\n  [neighbors.afi-safis.config]\n   afi-safi-name = "{family}"\n'
        text += _GOBGP_NEXT_HOP
        return ["gobgpd", "-f", self.file("gobgpd.toml", text), "--api-hosts", "127.0.0.1:50051", "--pprof-disable"]

    @staticmethod
    def version():
        return _version("GoBGP", "gobgpd", "--version")


class OpenBgpd(Speaker):
    name = "OpenBGPD"
    unknown = frozenset([24, 25, 26, 40, 128])

    def command(self, neighbors):
        os.makedirs("/run/openbgpd", exist_ok=True)
        text = (f'AS {bed.AS}\nrouter-id {bed.SPEAKER}\nlisten on {bed.SPEAKER}\nfib-update no\n'
                f'socket "{os.path.join(self.directory, "ctl")}"\nnexthop qualify via default\n')
        for address, asn in neighbors:
            text += (f"neighbor {address} {{\n remote-as {asn}\n passive\n announce IPv4 unicast\n announce IPv6 unicast\n"
                     f" local-address {bed.SPEAKER}\n}}\n")
        text += "allow from any\nallow to any\n"
        return ["bgpd", "-d", "-f", self.file("bgpd.conf", text)]

    @staticmethod
    def version():
        found = re.search(r"^Version: ([\d.]+)", run("dpkg", "-s", "openbgpd", check=False), re.M)
        return f"OpenBGPD {found[1] if found else '?'}"


class Cgwd(Speaker):
    """The routing core on sockets (bench/bgp_host.cpp)."""
    name = "cgwd"

    def command(self, neighbors):
        path = os.path.join(os.path.abspath(self.build), "tests/netns/bgp_host")
        if not os.path.exists(path):
            raise LabError(f"no bgp_host in {self.build}: build it first")
        return [path, f"{bed.SPEAKER},{bed.SPEAKER_V6}", str(bed.AS), *(f"{address}:{asn}" for address, asn in neighbors)]

    @staticmethod
    def version():
        return "cgwd"


ALL = {one.__name__.lower(): one for one in (Cgwd, Bird, Frr, GoBgp, OpenBgpd)}


def _version(name, *command):
    found = re.search(r"[\d.]+\d", run(*command, check=False))
    return f"{name} {found[0] if found else '?'}"
