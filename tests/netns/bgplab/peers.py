"""Real BGP speakers opposite cgwd: each with one session over IPv4, which cgwd opens, and one over IPv6, which both may open."""
import base64
import dataclasses
import json
import os
import re

from cgwlab import processes
from cgwlab.bird import Bird as BirdProcess
from cgwlab.shell import in_namespace, run, tail, wait_for, write

from . import bed
from .speakers import Frr as FrrPrograms

V4, V6 = "10.99.0.2", "fd00:99::2"
ROUTES = ("10.1.0.0/16", "10.1.1.0/24")
ROUTE_V6 = "2001:db8:1::/48"
LARGE = "65010:1:2"


@dataclasses.dataclass(frozen=True)
class Wishes:
    asn: int = 4200000001
    md5: str = "a key for two"
    four_octets: bool = True
    role: str = "provider"


class Peer:
    md5 = True
    mixed = True  # it sends routes of each family over a session of the other

    def __init__(self, made, wishes):
        self.bed, self.wishes = made, wishes
        self.directory = made.folder(type(self).__name__.lower())
        self.log = os.path.join(self.directory, "out")
        self.records = []

    def file(self, name, text, mode=0o644):
        path = os.path.join(self.directory, name)
        write(path, text, mode)
        return path

    def spawn(self, *command, environment=None):
        self.records.append(processes.start(self.bed.far, list(command), self.log, environment))

    def run(self, *command):
        return run(*in_namespace(self.bed.far, *command), check=False)

    def stop(self, how=None):
        processes.stop(self.records, *([how] if how else []))
        self.records = []

    def last_words(self):
        return tail(self.log, 20)


class Bird(Peer):
    def start(self):
        w = self.wishes
        self.bird = BirdProcess(self.directory, self.bed.far)
        channel = "import all; export where proto = \"s{0}\"; add paths on;"
        common = (f"enable extended messages; graceful restart on; local role {w.role}; error wait time 1, 2; connect retry time 1; "
                  f"connect delay time 1; {'' if w.four_octets else 'enable as4 off;'}"
                  f" ipv4 {{ {channel.format(4)} }}; ipv6 {{ {channel.format(6)} }}; }}\n")
        large = "bgp_large_community.add((" + LARGE.replace(":", ",") + "));"
        routes = "".join(f"route {one} blackhole {{ {large} }}; " for one in ROUTES)
        self.records.append(self.bird.start(
            f"router id {V4};\nprotocol device {{ }}\nprotocol direct {{ ipv4; ipv6; }}\n"
            f"protocol static s4 {{ ipv4; {routes} }}\nprotocol static s6 {{ ipv6; route {ROUTE_V6} blackhole; }}\n"
            f"protocol bgp four {{ local {V4} as {w.asn}; neighbor {bed.SPEAKER} as {bed.AS}; passive; password \"{w.md5}\"; {common}"
            f"protocol bgp six {{ local {V6} as {w.asn}; neighbor {bed.SPEAKER_V6} as {bed.AS}; {common}"))
        self.bird.wait_ready(self.records[0])

    def paths(self, prefix):
        text = self.bird.ask(f"show route {prefix} all protocol four")
        return [{"path": one.split(), "large": [":".join(c.split(", ")) for c in re.findall(r"\((\d+, \d+, \d+)\)", text)]}
                for one in re.findall(r"BGP\.as_path: ?(.*)", text)]

    def refresh(self):
        self.bird.ask("reload in four")

    def shutdown_text(self):
        return self.bird.ask("show protocols all four")

    def last_words(self):
        return self.bird.ask("show protocols all")


class Frr(Peer):
    def start(self):
        w = self.wishes
        zserv = os.path.join(self.directory, "zserv")
        sessions = ""
        for address, extra in ((bed.SPEAKER, f" neighbor {bed.SPEAKER} passive\n neighbor {bed.SPEAKER} password {w.md5.replace(' ', '-')}\n"
                                + (f" neighbor {bed.SPEAKER} dont-capability-negotiate\n" if not w.four_octets else "")),
                               (bed.SPEAKER_V6, "")):
            sessions += (f" neighbor {address} remote-as {bed.AS}\n{extra} neighbor {address} timers connect 1\n"
                         f" neighbor {address} capability extended-nexthop\n" f" neighbor {address} local-role {w.role}\n")
        families = ""
        for family, routes in (("ipv4", ROUTES), ("ipv6", (ROUTE_V6,))):
            families += f" address-family {family} unicast\n" + "".join(f"  network {one} route-map LARGE\n" for one in routes)
            families += "".join(f"  neighbor {one} activate\n  neighbor {one} addpath-tx-all-paths\n" for one in (bed.SPEAKER, bed.SPEAKER_V6))
            families += " exit-address-family\n"
        text = (f"router bgp {w.asn}\n bgp router-id {V4}\n no bgp ebgp-requires-policy\n no bgp network import-check\n"
                f" bgp graceful-restart\n bgp graceful-restart restart-time 90\n coalesce-time 0\n{sessions}{families}"
                f"route-map LARGE permit 10\n set large-community {LARGE}\n")
        self.spawn(FrrPrograms.ZEBRA, "-f", self.file("zebra.conf", ""), "-z", zserv, "-i", os.path.join(self.directory, "zebra.pid"),
                   "--vty_socket", self.directory, "-P", "0")
        wait_for("zebra's socket", lambda: os.path.exists(zserv), 10)
        self.spawn(FrrPrograms.BGPD, "-n", "-S", "-f", self.file("bgpd.conf", text), "-z", zserv, "-i",
                   os.path.join(self.directory, "bgpd.pid"), "--vty_socket", self.directory, "-P", "0")

    def vtysh(self, command):
        return self.run("vtysh", "--vty_socket", self.directory, "-c", command)

    def paths(self, prefix):
        try:
            found = json.loads(self.vtysh(f"show bgp ipv4 unicast {prefix} json"))
        except ValueError:
            return []
        return [{"path": one["aspath"]["string"].split(), "large": one.get("largeCommunity", {}).get("list", [])}
                for one in found.get("paths", []) if one["peer"].get("peerId") == bed.SPEAKER]

    def refresh(self):
        self.vtysh(f"clear bgp {bed.SPEAKER} soft in")

    def shutdown_text(self):
        return self.vtysh(f"show bgp neighbors {bed.SPEAKER} json")

    def last_words(self):
        return self.vtysh("show bgp summary") + super().last_words()


class GoBgp(Peer):
    def start(self):
        w = self.wishes
        text = f'[global.config]\n as = {w.asn}\n router-id = "{V4}"\n local-address-list = ["{V4}", "{V6}"]\n'
        for address, local, more in ((bed.SPEAKER, V4, "  passive-mode = true\n"), (bed.SPEAKER_V6, V6, "")):
            text += f'[[neighbors]]\n [neighbors.config]\n  neighbor-address = "{address}"\n  peer-as = {bed.AS}\n'
            text += f'  auth-password = "{w.md5}"\n' if local == V4 else ""
            text += (f' [neighbors.transport.config]\n  local-address = "{local}"\n{more} [neighbors.timers.config]\n  connect-retry = 1\n'
                     "  idle-hold-time-after-reset = 1\n [neighbors.graceful-restart.config]\n  enabled = true\n  restart-time = 90\n"
                     "  notification-enabled = true\n")
            for family in ("ipv4-unicast", "ipv6-unicast"):
                text += (f' [[neighbors.afi-safis]]\n  [neighbors.afi-safis.config]\n   afi-safi-name = "{family}"\n'
                         "  [neighbors.afi-safis.mp-graceful-restart.config]\n   enabled = true\n"
                         "  [neighbors.afi-safis.add-paths.config]\n   receive = true\n   send-max = 8\n")
        self.spawn("gobgpd", "-f", self.file("gobgpd.toml", text), "--api-hosts", "127.0.0.1:50051", "--pprof-disable")
        wait_for("gobgpd", lambda: "router-id" in self.run("gobgp", "global").lower(), 10, 0.2)
        for one in ROUTES:
            self.run("gobgp", "global", "rib", "add", one, "nexthop", V4, "large-community", LARGE)
        self.run("gobgp", "global", "rib", "-a", "ipv6", "add", ROUTE_V6, "nexthop", V6)

    def paths(self, prefix):
        try:
            found = json.loads(self.run("gobgp", "neighbor", bed.SPEAKER, "adj-in", prefix, "-j"))
        except ValueError:
            return []
        out = []
        for one in found.get(prefix, []):
            attributes = {attribute["type"]: attribute for attribute in one["attrs"]}
            path = [str(asn) for segment in attributes.get(2, {}).get("as_paths") or [] for asn in segment["asns"]]
            large = [f"{c['ASN']}:{c['LocalData1']}:{c['LocalData2']}" for c in attributes.get(32, {}).get("value", [])]
            out.append({"path": path, "large": large})
        return out

    def refresh(self):
        self.run("gobgp", "neighbor", bed.SPEAKER, "softresetin")

    def shutdown_text(self):
        """Its log has the data of a NOTIFICATION in base64; a Hard Reset holds another (RFC 8538 3)."""
        found = re.findall(r'"Data":"([^"]*)"', tail(self.log, 1000))
        return " ".join(base64.b64decode(one).decode(errors="replace") for one in found)

    def last_words(self):
        return self.run("gobgp", "neighbor") + super().last_words()


class OpenBgpd(Peer):
    """Its Debian package knows of no TCP-MD5, and no address of the other family to name as next hop."""
    md5, mixed = False, False
    ROLES = {"provider": "provider", "customer": "customer", "rs-server": "rs", "rs-client": "rs-client", "peer": "peer"}

    def start(self):
        os.makedirs("/run/openbgpd", exist_ok=True)
        w = self.wishes
        self.control = os.path.join(self.directory, "ctl")
        text = (f'AS {w.asn}\nrouter-id {V4}\nlisten on {V4}\nlisten on {V6}\nfib-update no\nsocket "{self.control}"\n'
                "nexthop qualify via default\n")
        text += "".join(f"network {one} set {{ large-community {LARGE} }}\n" for one in ROUTES) + f"network {ROUTE_V6}\n"
        for address, local, more in ((bed.SPEAKER, V4, f' passive\n'), (bed.SPEAKER_V6, V6, "")):
            text += (f"neighbor {address} {{\n remote-as {bed.AS}\n local-address {local}\n{more} announce IPv4 unicast\n"
                     f" announce IPv6 unicast\n announce enhanced refresh yes\n announce add-path recv yes\n announce add-path send all\n"
                     f" announce policy {self.ROLES[w.role]}\n announce as-4byte {'yes' if w.four_octets else 'no'}\n}}\n")
        text += "allow from any\nallow to any\n"
        self.spawn("bgpd", "-d", "-f", self.file("bgpd.conf", text, 0o600))

    def bgpctl(self, *words):
        return self.run("bgpctl", "-s", self.control, *words)

    def paths(self, prefix):
        try:
            found = json.loads(self.bgpctl("-j", "show", "rib", "detail", prefix))
        except ValueError:
            return []
        return [{"path": one["aspath"].split(), "large": one.get("large_communities", [])} for one in found.get("rib", [])
                if one["neighbor"]["remote_addr"] == bed.SPEAKER]

    def refresh(self):
        self.bgpctl("neighbor", bed.SPEAKER, "refresh")

    def shutdown_text(self):
        return self.bgpctl("-j", "show", "neighbor", bed.SPEAKER)

    def last_words(self):
        return self.bgpctl("show") + super().last_words()


class ExaBgp(Peer):
    def start(self):
        w = self.wishes
        self.said = os.path.join(self.directory, "said")
        fifo = os.path.join(self.directory, "commands")
        if not os.path.exists(fifo):
            os.mkfifo(fifo)
            os.chmod(fifo, 0o666)
        write(self.said, "", 0o666)
        script = self.file("process", f"#!/bin/sh\ncat {fifo} &\nexec cat >> {self.said}\n", 0o755)
        self.commands = open(fifo, "r+b", buffering=0)
        text = f"process said {{ run {script}; encoder json; }}\n"
        for address, local, more in ((bed.SPEAKER, V4, f'passive true; md5-password "{w.md5}";'), (bed.SPEAKER_V6, V6, "")):
            routes = "".join(f"   route {one} path-information 0.0.0.9 next-hop {V4} large-community {LARGE};\n" for one in ROUTES)
            text += (f"neighbor {address} {{\n router-id {V4};\n local-address {local};\n local-as {w.asn};\n peer-as {bed.AS};\n {more}\n"
                     f" capability {{ asn4 {'enable' if w.four_octets else 'disable'}; route-refresh enable; graceful-restart 90; "
                     "add-path send/receive; extended-message enable; }\n"
                     " family { ipv4 unicast; ipv6 unicast; }\n add-path { ipv4 unicast; ipv6 unicast; }\n"
                     f" static {{\n{routes}   route {ROUTE_V6} next-hop {V6};\n }}\n"
                     " api { processes [ said ]; neighbor-changes; receive { parsed; update; notification; } }\n}\n")
        self.spawn("exabgp", self.file("exabgp.conf", text), environment={
            "exabgp.daemon.user": "root", "exabgp.api.cli": "false", "exabgp.tcp.bind": f"{V4} {V6}", "exabgp.log.all": "true",
            "exabgp.daemon.drop": "false"})

    def stop(self, how=None):
        super().stop(how)
        self.commands.close()

    def messages(self):
        with open(self.said, errors="replace") as file:
            return [json.loads(line) for line in file if line.startswith("{")]

    def paths(self, prefix):
        out = []
        for one in self.messages():
            update = one.get("neighbor", {}).get("message", {}).get("update", {})
            if one["neighbor"]["address"]["peer"] != bed.SPEAKER:
                continue
            for routes in update.get("announce", {}).get("ipv4 unicast", {}).values():
                for route in routes:
                    if route["nlri"] == prefix:
                        attributes = update["attribute"]
                        out.append({"path": [str(asn) for asn in attributes.get("as-path", [])], "id": route.get("path-information"),
                                    "large": [":".join(map(str, c)) for c in attributes.get("large-community", [])]})
        return out

    def refresh(self):
        self.commands.write(f"neighbor {bed.SPEAKER} announce route-refresh ipv4 unicast\n".encode())

    def shutdown_text(self):
        return json.dumps(self.messages()[-5:])


ALL = {one.__name__.lower(): one for one in (Bird, Frr, GoBgp, OpenBgpd, ExaBgp)}
