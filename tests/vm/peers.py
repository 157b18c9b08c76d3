"""The far end of a tunnel with kernel ESP: strongSwan, Libreswan or OpenIKED, started, asked for this and that, killed.

All take `Side`: who they are, who we are, how both prove it, and the algorithms in cgwd's words.
"""
import dataclasses
import os
import re
import subprocess

from cgwlab import processes
from cgwlab.charon import Charon
from cgwlab.pki import Pki
from cgwlab.shell import LabError, run, tail, wait_for, write

OUTSIDE, CUSTOMER = "203.0.113.10", "198.51.100.2"
INSIDE, CUSTOMER_INSIDE = "169.254.10.1", "169.254.10.2"
NAME = "cgw"
SECRET = "interop.Secret_of_the_test"


@dataclasses.dataclass
class Side:
    directory: str
    namespace: str
    address: str            # its own; another than OUTSIDE behind a NAT
    ike: str                # cgwd's words: aes256gcm16-prfsha384-ecp384
    esp: str
    pki: Pki = None         # certificates instead of the shared key
    starts: bool = False    # it opens the tunnel by itself
    child_seconds: int = 0  # rekeys by itself after so long (strongSwan); 0: never here
    ike_seconds: int = 0


class Strongswan:
    """An xfrm interface, 0.0.0.0/0 both ways: as AWS does it."""
    SUITE = ("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384")
    CROSSES = True      # rekeys of both sides may meet
    LACKS = "nothing"   # of what AWS's tunnel options name

    def __init__(self, side):
        self.side = side
        self.charon = Charon(side.directory, side.namespace, "kernel")
        self.record = None

    @property
    def log(self):
        return self.charon.log

    @staticmethod
    def has(ike, esp):
        return True

    def prepare(self):
        namespace = self.side.namespace
        for command in ("link add ipsec0 type xfrm dev wan0 if_id 7", "link set ipsec0 up mtu 1400",
                        f"addr add {INSIDE}/30 dev ipsec0"):
            run("ip", "-n", namespace, *command.split())
        run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.conf.ipsec0.disable_policy=1")

    def start(self):
        self.record = self.charon.start()
        self.charon.wait_ready(self.record, 60)
        self.use(self.side.ike, self.side.esp)

    def use(self, ike, esp):
        """The connection with these algorithms from now on; what is up stays."""
        side = self.side
        child_time = {"rekey_time": f"{side.child_seconds}s", "rand_time": "2s", "life_time": "1h"} if side.child_seconds else {"rekey_time": "1h"}
        ike_time = {"rekey_time": f"{side.ike_seconds}s", "rand_time": "3s", "over_time": "1h"} if side.ike_seconds else {"rekey_time": "4h"}
        connection = {
            "version": "2", "mobike": "no", "local_addrs": [side.address], "remote_addrs": [CUSTOMER], "proposals": [ike],
            "if_id_in": "7", "if_id_out": "7", "dpd_delay": "10s", "unique": "replace", "fragmentation": "yes", **ike_time,
            "children": {NAME: {"local_ts": ["0.0.0.0/0"], "remote_ts": ["0.0.0.0/0"], "esp_proposals": [esp],
                                "replay_window": "1024", "start_action": "start" if side.starts else "none", **child_time}}}
        if side.pki:
            connection |= {
                "local": {"auth": "pubkey", "id": side.pki.identity("vgw1"), "certs": [side.pki.text("vgw1.pem"), side.pki.text("sub.pem")]},
                "remote": {"auth": "pubkey", "id": side.pki.identity("cgw")}}
            self.charon.load_certificates(NAME, connection, side.pki.text("vgw1.key"), [side.pki.text("root.pem")])
        else:
            connection |= {"local": {"auth": "psk", "id": OUTSIDE}, "remote": {"auth": "psk", "id": CUSTOMER}}
            self.charon.load(NAME, connection, SECRET, [OUTSIDE, CUSTOMER])

    def initiate(self):
        self.charon.initiate(NAME)

    def terminate(self):
        self.charon.terminate(NAME)

    def rekey(self, what):
        self.charon.rekey(what, NAME)

    def fragments(self):
        """Sent and received of IKE_AUTH beyond the first."""
        with open(self.log) as file:
            log = file.read()
        return all(re.search(rf"{verb} IKE_AUTH \w+ 1 \[ EF\(2/", log) for verb in ("parsed", "generating"))

    def kill(self):
        processes.stop([self.record], 9)
        flush(self.side.namespace)


class Libreswan:
    """Policies of its own for the two inside addresses, without an interface. The programs lie unpacked in a folder,
    since the package and strongSwan's exclude each other."""
    GROUPS = {"modp1536": "dh5", "modp2048": "dh14", "modp3072": "dh15", "modp4096": "dh16", "modp6144": "dh17", "modp8192": "dh18",
              "ecp256": "dh19", "ecp384": "dh20", "ecp521": "dh21", "curve25519": "dh31"}
    SUITE = Strongswan.SUITE
    # Its 4.10 confuses message IDs when a request of ours comes while it prepares one of its own ("EXPECTATION FAILED:
    # ... recv == ... sent"): that exchange is never answered.
    CROSSES = False
    LACKS = "groups 2, 22, 23 and 24, a PRF other than the integrity algorithm's hash"

    def __init__(self, side):
        self.side = side
        self.tree = os.environ["PEER_PACKAGES"]
        self.log = self.path("pluto.log")
        self.record = None
        os.makedirs(side.directory, exist_ok=True)

    @property
    def environment(self):
        return {"LD_LIBRARY_PATH": os.path.join(self.tree, "usr/lib/x86_64-linux-gnu")}

    def program(self, name):
        return os.path.join(self.tree, "usr/libexec/ipsec", name)

    def path(self, name):
        return os.path.join(self.side.directory, name)

    @classmethod
    def has(cls, ike, esp):
        return all(suite.split("-")[-1] in cls.GROUPS for suite in (ike, esp.removesuffix("-esn"))) and not re.search(r"-sha\d+-prfsha", ike)

    def prepare(self):
        add_inside(self.side.namespace)
        os.makedirs(self.path("nss"), exist_ok=True)
        self.nss("certutil", "-N", "--empty-password")
        if self.side.pki:
            self.load_certificates()
        write(self.path("ipsec.secrets"), "" if self.side.pki else f'{OUTSIDE} {CUSTOMER} : PSK "{SECRET}"\n', 0o600)

    def load_certificates(self):
        pki, bundle = self.side.pki, self.path("vgw1.p12")
        run("openssl", "pkcs12", "-export", "-in", pki.path("vgw1.pem"), "-inkey", pki.path("vgw1.key"), "-name", "vgw1",
            "-passout", "pass:", "-out", bundle)
        self.nss("pk12util", "-i", bundle, "-W", "", "-K", "")
        for name, trust in (("root", "CT,,"), ("sub", ",,")):
            self.nss("certutil", "-A", "-n", name, "-t", trust, "-i", pki.path(f"{name}.pem"))

    def nss(self, name, *arguments):
        done = subprocess.run([os.path.join(self.tree, "usr/bin", name), *arguments, "-d", f"sql:{self.path('nss')}"], text=True,
                              env={**os.environ, **self.environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise LabError(f"{name}: {done.stdout}")

    @classmethod
    def words(cls, suite, esp):
        """aes256gcm16-prfsha384-ecp384 as Libreswan writes it: aes_gcm256-sha2_384-dh20."""
        parts = suite.split("-")
        group = cls.GROUPS[parts.pop()] if parts[-1] in cls.GROUPS else ""
        cipher = re.sub(r"^aes(\d+)gcm16$", r"aes_gcm\1", parts[0])
        hashes = [re.sub(r"^(prf)?sha(\d{3})$", r"sha2_\2", re.sub(r"^(prf)?sha1$", "sha1", part)) for part in parts[1:]]
        return "-".join([cipher, *hashes]) + ((";" if esp else "-") + group if group else "")

    def write_connection(self, ike, esp):
        side = self.side
        with_esn = "yes" if esp.endswith("-esn") else "no"
        if side.pki:
            authby = "ecdsa" if side.pki.kind.startswith("ecdsa") else "rsa-sha2"
            who = (f"authby={authby}", f'leftid="{side.pki.identity("vgw1")}"', f'rightid="{side.pki.identity("cgw")}"',
                   "leftcert=vgw1", "leftsendcert=always", "rightca=%same")
        else:
            who = ("authby=secret", f"leftid={OUTSIDE}", f"rightid={CUSTOMER}")
        rows = ("ikev2=insist", f"left={side.address}", f"leftsubnet={INSIDE}/32", f"right={CUSTOMER}",
                f"rightsubnet={CUSTOMER_INSIDE}/32", "narrowing=yes", f"ike={self.words(ike, False)}",
                f"esp={self.words(esp.removesuffix('-esn'), True)}", f"esn={with_esn}", "pfs=yes", "replay-window=1024",
                "leftupdown=/bin/true", "fragmentation=yes", "auto=add", "ikelifetime=4h", "salifetime=1h", *who)
        write(self.path("ipsec.conf"), "config setup\n\tuniqueids=no\n" + f"conn {NAME}\n" + "".join(f"\t{row}\n" for row in rows))

    def start(self):
        self.write_connection(self.side.ike, self.side.esp)
        self.record = processes.start(self.side.namespace, [
            self.program("pluto"), "--nofork", "--config", self.path("ipsec.conf"), "--secretsfile",
            self.path("ipsec.secrets"), "--nssdir", self.path("nss"), "--rundir", self.side.directory, "--logfile", self.log,
            "--no-dnssec"], self.path("pluto.out"), self.environment)

        def ready():
            if not processes.alive(self.record):
                raise LabError("pluto ended at once: " + (tail(self.path("pluto.out")) or tail(self.log)))
            return os.path.exists(self.path("pluto.ctl"))
        wait_for("pluto", ready, 60)
        self.whack("--listen")
        self.add()
        if self.side.starts:
            self.initiate()

    def add(self):
        said = self.call("addconn", "--config", self.path("ipsec.conf"), "--ctlsocket", self.path("pluto.ctl"), NAME)
        if f'"{NAME}"' not in self.whack("--status"):
            raise LabError(f"Libreswan refuses the connection: {said.strip()} {tail(self.log, 5)}")

    def use(self, ike, esp):
        self.write_connection(ike, esp)
        self.whack("--delete", "--name", NAME)
        self.add()

    def call(self, name, *arguments):
        done = subprocess.run(["ip", "netns", "exec", self.side.namespace, self.program(name), *arguments], text=True,
                              env={**os.environ, **self.environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout

    def whack(self, *arguments):
        return self.call("whack", "--ctlsocket", self.path("pluto.ctl"), *arguments)

    def initiate(self):
        self.whack("--initiate", "--name", NAME, "--asynchronous")

    def terminate(self):
        self.whack("--terminate", "--name", NAME)

    def rekey(self, what):
        self.whack("--rekey-ipsec" if what == "child" else "--rekey-ike", "--name", NAME, "--asynchronous")

    def fragments(self):
        return True  # pluto's log does not tell

    def kill(self):
        processes.stop([self.record], 9)
        flush(self.side.namespace)
        os.unlink(self.path("pluto.ctl"))


class Openiked:
    """Debian's port, through PF_KEY. It rekeys by its own clock only."""
    GROUPS = ("modp1024", "modp1536", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192", "ecp256", "ecp384", "ecp521",
              "curve25519")
    CHILD_SECONDS, IKE_SECONDS = 9, 30
    SUITE = ("aes256gcm16-prfsha384-ecp384", "aes256-sha384-ecp384")
    CROSSES = False
    # PF_KEY of Linux knows no AEAD, and truncates SHA2-256 to 96 bits.
    LACKS = "AES-GCM and SHA2-256 for ESP, ESN, groups 22, 23 and 24"

    def __init__(self, side):
        self.side = side
        self.tree = os.environ["PEER_PACKAGES"]
        self.log = self.path("iked.log")
        self.record = None
        os.makedirs(side.directory, exist_ok=True)

    def path(self, name):
        return os.path.join(self.side.directory, name)

    @property
    def environment(self):
        return {"LD_LIBRARY_PATH": os.path.join(self.tree, "usr/lib/x86_64-linux-gnu")}

    def prepare(self):
        """The guest's /etc is nobody else's."""
        run("modprobe", "af_key")
        add_inside(self.side.namespace)
        with open("/etc/passwd") as file:
            if "_iked:" not in file.read():
                run("adduser", "--system", "--home", "/var/empty", "--no-create-home", "--force-badname", "--group", "_iked")
        for name in ("ca", "certs", "crls", "private", "pubkeys"):
            os.makedirs(f"/etc/iked/{name}", exist_ok=True)
        os.makedirs("/var/empty", exist_ok=True)
        pki = self.side.pki
        if pki:
            write("/etc/iked/private/local.key", pki.text("vgw1.key"), 0o600)
            write("/etc/iked/certs/vgw1.crt", pki.text("vgw1.pem"))
            write("/etc/iked/certs/sub.crt", pki.text("sub.pem"))
            write("/etc/iked/ca/ca.crt", pki.text("ca.pem"))
        else:
            run("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "/etc/iked/private/local.key")
        run("openssl", "pkey", "-in", "/etc/iked/private/local.key", "-pubout", "-out", "/etc/iked/local.pub")

    @classmethod
    def has(cls, ike, esp):
        return not re.search("gcm|sha256|esn", esp) and all(suite.split("-")[-1] in cls.GROUPS for suite in (ike, esp))

    @staticmethod
    def words(suite):
        """aes256-sha384-ecp384 as iked.conf has it."""
        parts = suite.split("-")
        cipher = re.sub(r"^aes(\d+)(gcm)?(16)?$", lambda m: f"aes-{m[1]}" + ("-gcm" if m[2] else ""), parts.pop(0))
        rows, known = [f"enc {cipher}"], {"sha1": "hmac-sha1", "sha256": "hmac-sha2-256", "sha384": "hmac-sha2-384", "sha512": "hmac-sha2-512"}
        for part in parts:
            if part.startswith("prf"):
                rows.append(f"prf {known[part[3:]]}")
            elif part in known:
                rows.append(f"auth {known[part]}")
            else:
                rows.append(f"group {part}")
        return rows

    def write_connection(self, ike, esp):
        side = self.side
        first, second = self.words(ike), self.words(esp)
        if not any(row.startswith("prf") for row in first):
            first += [row.replace("auth", "prf") for row in first if row.startswith("auth")]
        who = (f'srcid "/O=Lab/CN=vgw1.lab" dstid "/O=Lab/CN=cgw.lab"' if side.pki else f"srcid {OUTSIDE} dstid {CUSTOMER}")
        proof = "rfc7427" if side.pki else f'psk "{SECRET}"'
        write(self.path("iked.conf"), "set nomobike\nset enforcesingleikesa\nset fragmentation\n" + " ".join((
            f'ikev2 "{NAME}" {"active" if side.starts else "passive"} esp from {INSIDE} to {CUSTOMER_INSIDE}',
            f"local {side.address} peer {CUSTOMER}", "ikesa", *first, "childsa", *second, "noesn", who,
            f"ikelifetime {side.ike_seconds or self.IKE_SECONDS} lifetime {side.child_seconds or self.CHILD_SECONDS}", proof)) + "\n", 0o600)

    def start(self):
        self.write_connection(self.side.ike, self.side.esp)
        self.record = processes.start(self.side.namespace, [
            os.path.join(self.tree, "usr/sbin/iked"), "-dvv", "-f", self.path("iked.conf"), "-s", self.path("iked.sock")],
            self.log, self.environment)

        def ready():
            if not processes.alive(self.record):
                raise LabError("iked ended at once: " + tail(self.log))
            return os.path.exists(self.path("iked.sock"))
        wait_for("iked", ready, 60)

    def control(self, *arguments):
        return run("ip", "netns", "exec", self.side.namespace, "env", *(f"{k}={v}" for k, v in self.environment.items()),
                   os.path.join(self.tree, "usr/sbin/ikectl"), "-s", self.path("iked.sock"), *arguments)

    def use(self, ike, esp):
        self.side.ike, self.side.esp = ike, esp
        self.write_connection(ike, esp)
        self.control("reload")

    def initiate(self):
        """Only a policy that is active opens a tunnel."""
        self.side.starts = True
        self.use(self.side.ike, self.side.esp)

    def terminate(self):
        self.control("reset", "sa")

    def rekey(self, what):
        """Its lifetimes do that."""

    def fragments(self):
        with open(self.log) as file:
            return "FRAGMENTATION_SUPPORTED" in file.read()

    def kill(self):
        processes.stop([self.record], 9)
        flush(self.side.namespace)


def add_inside(namespace):
    """The inside address of a peer without an interface for the tunnel."""
    run("ip", "-n", namespace, "addr", "add", f"{INSIDE}/32", "dev", "lo")
    run("ip", "-n", namespace, "route", "add", f"{CUSTOMER_INSIDE}/32", "dev", "wan0", "src", INSIDE)


def flush(namespace):
    for what in ("state", "policy"):
        run("ip", "-n", namespace, "xfrm", what, "flush")


PEERS = {"strongswan": Strongswan, "libreswan": Libreswan, "openiked": Openiked}
