"""The far end of a tunnel with kernel ESP: strongSwan or Libreswan, started, asked to rekey, killed."""
import os
import subprocess

from cgwlab import processes
from cgwlab.charon import Charon
from cgwlab.shell import LabError, run, tail, wait_for, write

OUTSIDE, CUSTOMER = "203.0.113.10", "203.0.113.2"
INSIDE, CUSTOMER_INSIDE = "169.254.10.1", "169.254.10.2"
NAME = "cgw"


class Strongswan:
    """An xfrm interface, 0.0.0.0/0 both ways: as AWS does it."""
    SUITES = {
        "gcm-ecp384": ("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384"),
        "sha256-ecp256": ("aes128-sha256-ecp256", "aes128-sha256-ecp256"),
        "sha512-modp2048": ("aes256-sha512-modp2048", "aes256-sha512-modp2048"),
        "esn": ("aes128gcm16-prfsha256-ecp256", "aes128gcm16-ecp256-esn"),
    }

    def __init__(self, directory, namespace, suite, secret):
        self.suite, self.secret, self.namespace = suite, secret, namespace
        self.charon = Charon(directory, namespace, "kernel")
        self.record = None

    @property
    def log(self):
        return self.charon.log

    def prepare(self):
        for command in ("link add ipsec0 type xfrm dev wan0 if_id 7", "link set ipsec0 up mtu 1400",
                        f"addr add {INSIDE}/30 dev ipsec0"):
            run("ip", "-n", self.namespace, *command.split())
        run("ip", "netns", "exec", self.namespace, "sysctl", "-qw", "net.ipv4.conf.ipsec0.disable_policy=1")

    def start(self):
        ike, esp = self.SUITES[self.suite]
        self.record = self.charon.start()
        self.charon.wait_ready(self.record, 60)
        self.charon.load(NAME, {
            "version": "2", "mobike": "no", "local_addrs": [OUTSIDE], "remote_addrs": [CUSTOMER], "proposals": [ike],
            "if_id_in": "7", "if_id_out": "7", "dpd_delay": "10s", "unique": "replace", "rekey_time": "4h",
            "local": {"auth": "psk", "id": OUTSIDE}, "remote": {"auth": "psk", "id": CUSTOMER},
            "children": {NAME: {"local_ts": ["0.0.0.0/0"], "remote_ts": ["0.0.0.0/0"], "esp_proposals": [esp],
                                "replay_window": "1024", "rekey_time": "1h"}}}, self.secret, [OUTSIDE, CUSTOMER])

    def initiate(self):
        self.charon.initiate(NAME)

    def rekey(self, what):
        self.charon.rekey(what, NAME)

    def kill(self):
        processes.stop([self.record], 9)
        for what in ("state", "policy"):
            run("ip", "-n", self.namespace, "xfrm", what, "flush")


class Libreswan:
    """Policies of its own for the two inside addresses, without an interface. The programs lie unpacked in a folder,
    since the package and strongSwan's exclude each other."""
    SUITES = {
        "gcm-ecp384": ("aes_gcm256-sha2_384-dh20", "aes_gcm256;dh20"),
        "gcm128-ecp256": ("aes_gcm128-sha2_256-dh19", "aes_gcm128;dh19"),
        "sha256-modp2048": ("aes128-sha2_256-dh14", "aes128-sha2_256;dh14"),
        "sha512-ecp384": ("aes256-sha2_512-dh20", "aes256-sha2_512;dh20"),
    }

    def __init__(self, directory, namespace, suite, secret):
        self.directory, self.namespace, self.suite, self.secret = directory, namespace, suite, secret
        self.tree = os.environ["LIBRESWAN"]
        self.log = os.path.join(directory, "pluto.log")
        self.record = None
        os.makedirs(directory, exist_ok=True)

    @property
    def environment(self):
        return {"LD_LIBRARY_PATH": os.path.join(self.tree, "usr/lib/x86_64-linux-gnu")}

    def program(self, name):
        return os.path.join(self.tree, "usr/libexec/ipsec", name)

    def path(self, name):
        return os.path.join(self.directory, name)

    def prepare(self):
        run("ip", "-n", self.namespace, "addr", "add", f"{INSIDE}/32", "dev", "lo")
        run("ip", "-n", self.namespace, "route", "add", f"{CUSTOMER_INSIDE}/32", "dev", "wan0", "src", INSIDE)
        os.makedirs(self.path("nss"), exist_ok=True)
        certutil = os.path.join(self.tree, "usr/bin/certutil")
        done = subprocess.run([certutil, "-N", "-d", f"sql:{self.path('nss')}", "--empty-password"], text=True,
                              env={**os.environ, **self.environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise LabError(f"certutil: {done.stdout}")
        ike, esp = self.SUITES[self.suite]
        write(self.path("ipsec.secrets"), f'{OUTSIDE} {CUSTOMER} : PSK "{self.secret}"\n', 0o600)
        write(self.path("ipsec.conf"), f"""config setup
\tuniqueids=no
conn {NAME}
\tauthby=secret
\tikev2=insist
\tleft={OUTSIDE}
\tleftsubnet={INSIDE}/32
\tright={CUSTOMER}
\trightsubnet={CUSTOMER_INSIDE}/32
\tnarrowing=yes
\tike={ike}
\tesp={esp}
\tpfs=yes
\treplay-window=1024
\tikelifetime=4h
\tsalifetime=1h
\tleftupdown=/bin/true
\tauto=add
""")

    def start(self):
        self.record = processes.start(self.namespace, [
            self.program("pluto"), "--nofork", "--config", self.path("ipsec.conf"), "--secretsfile",
            self.path("ipsec.secrets"), "--nssdir", self.path("nss"), "--rundir", self.directory, "--logfile", self.log,
            "--no-dnssec"], self.path("pluto.out"), self.environment)

        def ready():
            if not processes.alive(self.record):
                raise LabError("pluto ended at once: " + (tail(self.path("pluto.out")) or tail(self.log)))
            return os.path.exists(self.path("pluto.ctl"))
        wait_for("pluto", ready, 60)
        self.whack("--listen")
        self.call("addconn", "--config", self.path("ipsec.conf"), "--ctlsocket", self.path("pluto.ctl"), NAME)

    def call(self, name, *arguments):
        done = subprocess.run(["ip", "netns", "exec", self.namespace, self.program(name), *arguments], text=True,
                              env={**os.environ, **self.environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout

    def whack(self, *arguments):
        return self.call("whack", "--ctlsocket", self.path("pluto.ctl"), *arguments)

    def initiate(self):
        self.whack("--initiate", "--name", NAME, "--asynchronous")

    def rekey(self, what):
        self.whack("--rekey-ipsec" if what == "child" else "--rekey-ike", "--name", NAME, "--asynchronous")

    def kill(self):
        processes.stop([self.record], 9)
        for what in ("state", "policy"):
            run("ip", "-n", self.namespace, "xfrm", what, "flush")
        os.unlink(self.path("pluto.ctl"))


PEERS = {"strongswan": Strongswan, "libreswan": Libreswan}
