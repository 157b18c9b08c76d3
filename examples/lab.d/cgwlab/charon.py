"""One strongSwan daemon (charon-systemd) inside a namespace, loaded over its control socket."""
import os

from . import plan, processes
from .shell import LabError, tail, wait_for, write
from .vici import Vici

_PLUGINS = ("random nonce openssl sha1 sha2 hmac kdf gcm cmac curve25519 gmp pem pkcs1 pkcs8 x509 pubkey "
            "constraints {esp} kernel-netlink socket-default vici updown")


class Charon:
    def __init__(self, directory, namespace, esp, ephemeral_ports=False, rfc7427=True, bench=False):
        self.directory = directory
        self.namespace = namespace
        self.esp = esp                          # libipsec | kernel
        self.ephemeral_ports = ephemeral_ports  # for a second daemon in one namespace
        self.rfc7427 = rfc7427
        self.bench = bench                      # thousands of peers: no log, tables for them

    @property
    def socket(self):
        return os.path.join(self.directory, "charon.vici")

    @property
    def log(self):
        return os.path.join(self.directory, "charon.log")

    def start(self, before=()):
        """Starts the daemon, behind the words of `before` (taskset ...); the process record is returned."""
        os.makedirs(self.directory, exist_ok=True)
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        configuration = os.path.join(self.directory, "strongswan.conf")
        write(configuration, self._settings())
        record = processes.start(self.namespace, [*before, "/usr/sbin/charon-systemd"],
                                 os.path.join(self.directory, "charon.out"), {"STRONGSWAN_CONF": configuration})
        return record

    def wait_ready(self, record, seconds=20):
        def ready():
            if not processes.alive(record):
                raise LabError(f"charon in {self.namespace} ended at once: "
                               + (tail(os.path.join(self.directory, "charon.out"), 3) or "no output"))
            return self._answers()
        wait_for(f"charon in {self.namespace}", ready, seconds)

    def _answers(self):
        try:
            with Vici(self.socket) as vici:
                vici.call("version")
            return True
        except OSError:
            return False

    def load(self, name, connection, secret, owners):
        with Vici(self.socket) as vici:
            vici.call("load-shared", {"id": name, "type": "IKE", "data": secret, "owners": owners})
            vici.call("load-conn", {name: connection})

    def load_certificates(self, name, connection, key, authorities):
        """A connection whose certificates are in it, the key to them, and the CAs that others' must lead to."""
        with Vici(self.socket) as vici:
            vici.call("clear-creds")
            for authority in authorities:
                vici.call("load-cert", {"type": "x509", "flag": "CA", "data": authority})
            vici.call("load-key", {"type": "any", "data": key})
            vici.call("load-conn", {name: connection})

    def initiate(self, name):
        """Asks for the connection's child without waiting for it."""
        with Vici(self.socket) as vici:
            vici.call("initiate", {"child": name, "ike": name, "timeout": "-1", "init-limits": "no"})

    def sas(self):
        """The IKE SAs, each as charon describes it, by name."""
        with Vici(self.socket) as vici:
            return [(name, sa) for event in vici.stream("list-sas", "list-sa", {"noblock": "yes"})
                    for name, sa in event.items()]

    def rekey(self, what, name):
        with Vici(self.socket) as vici:
            vici.call("rekey", {what: name})

    def terminate(self, name):
        with Vici(self.socket) as vici:
            vici.call("terminate", {"ike": name, "timeout": "-1"})

    def _settings(self):
        libipsec = self.esp == "libipsec"
        ports = "port = 0\n  port_nat_t = 0" if self.ephemeral_ports else ""
        # libipsec: the IKE sockets carry a mark, and kernel-netlink's policy rule asks for another one,
        # so it never matches: the lab's own routes over the TUN device decide.
        marks = "socket-default { fwmark = 0x42 }\n    kernel-netlink { fwmark = 0x7777 }" if libipsec else ""
        tables = "ikesa_table_size = 1024\n  ikesa_table_segments = 16\n  init_limit_half_open = 0" if self.bench else ""
        levels = "default = -1" if self.bench else "default = 1\n     ike = 2"
        return f"""charon-systemd {{
  load = {_PLUGINS.format(esp="kernel-libipsec" if libipsec else "")}
  install_routes = {"yes" if libipsec else "no"}
  retransmit_timeout = 5.0
  retransmit_tries = 3
  retransmit_base = 1.0
  threads = 16
  signature_authentication = {"yes" if self.rfc7427 else "no"}
  {ports}
  {tables}
  plugins {{
    vici {{ socket = unix://{self.socket} }}
    {marks}
    kernel-libipsec {{ allow_peer_ts = yes }}
  }}
  filelog {{ main {{ path = {self.log}
     time_format = %H:%M:%S
     time_add_ms = yes
     append = yes
     flush_line = yes
     {levels} }} }}
}}
"""


def lifetimes(options):
    """AWS's margins: rekey 270 to 540 s before the end, less for short lifetimes."""
    def margin(life):
        return min(270, max(1, life // 10))
    ike, child = margin(options.ike_lifetime), margin(options.child_lifetime)
    return ({"rekey_time": f"{options.ike_lifetime - ike}s", "rand_time": f"{ike}s", "over_time": f"{ike}s"},
            {"life_time": f"{options.child_lifetime}s", "rekey_time": f"{options.child_lifetime - child}s",
             "rand_time": f"{child}s"})


def tunnel_mtu_commands(interface, address):
    return [f"link set {interface} mtu {plan.TUNNEL_MTU} up", f"addr replace {address}/30 dev {interface}"]
