"""One tunnel endpoint as AWS runs it: strongSwan that never initiates, BIRD with AS 64512 behind it."""
import os

from . import plan
from .bird import Bird
from .charon import Charon, lifetimes, tunnel_mtu_commands
from .pki import Pki
from .shell import ip_batch, run, wait_for, write, in_namespace

CONNECTION = "cgw"


class Endpoint:
    def __init__(self, state, number):
        self.options = state.options
        self.state = state
        self.number = number
        self.tunnel = self.options.tunnel(number)
        self.name = f"vgw{number}"
        self.namespace = self.options.namespace(self.name)
        self.directory = os.path.join(self.options.directory, self.name)
        self.charon = Charon(self.directory, self.namespace, state.esp, rfc7427=self.options.rfc7427)
        self.bird = Bird(self.directory, self.namespace)

    def start_charon(self):
        self._write_updown()
        return self.charon.start()

    def prepare(self, secret):
        """After charon answers: the tunnel interface's address, then the connection."""
        if self.state.esp == "kernel":
            ip_batch(self.namespace, [f"link add ipsec0 type xfrm dev wan0 if_id {self.number}"])
            run(*in_namespace(self.namespace, "sysctl", "-qw", "net.ipv4.conf.ipsec0.disable_policy=1"))
        wait_for(f"ipsec0 in {self.namespace}",
                 lambda: "ipsec0" in run("ip", "-n", self.namespace, "-br", "link", check=False), 10)
        ip_batch(self.namespace, tunnel_mtu_commands("ipsec0", self.tunnel.inside))
        if secret is None:
            self.load_certificates()
        else:
            self.charon.load(CONNECTION, self.connection(), secret, [self.tunnel.outside, self.options.public_address])

    def load_certificates(self):
        """The endpoint's certificate as it lies in the lab's folder now; it trusts the root, so that the gateway has to
        send its intermediate CA."""
        pki = self._pki()
        self.charon.load_certificates(CONNECTION, self.connection(), pki.text(f"{self.name}.key"), [pki.text("root.pem")])

    def start_bird(self):
        return self.bird.start(self.bird_configuration())

    def forget(self):
        """What an ended endpoint may leave in its namespace."""
        if self.state.esp == "kernel":
            for what in ("state", "policy"):
                run("ip", "-n", self.namespace, "xfrm", what, "flush", check=False)
            run("ip", "-n", self.namespace, "link", "del", "ipsec0", check=False)
        run("ip", "-n", self.namespace, "route", "flush", "proto", "bird", check=False)

    def connection(self):
        """As charon's vici wants it."""
        ike, child = lifetimes(self.options)
        number = str(self.number)
        marks = {"if_id_in": number, "if_id_out": number} if self.state.esp == "kernel" else {}
        by_key = self.options.authentication == "psk"
        # A certificate serves a gateway whose address is not known; to call it, one has to be.
        remote = "%any" if by_key else self.options.public_address
        return {
            "version": "2", "mobike": "no", "encap": "yes" if self.state.esp == "libipsec" else "no",
            "local_addrs": [self.tunnel.outside], "remote_addrs": [remote],
            "proposals": self._proposals(self.options.ike_proposals, plan.AWS_IKE),
            "dpd_delay": f"{self.options.dpd}s", "unique": "replace", "fragmentation": "yes", **ike, **marks,
            **(self._shared_key() if by_key else self._certificates()),
            "children": {CONNECTION: {
                "local_ts": ["0.0.0.0/0"], "remote_ts": ["0.0.0.0/0"], "mode": "tunnel",
                "esp_proposals": self._proposals(self.options.esp_proposals, plan.AWS_ESP),
                "replay_window": "1024", "start_action": "none", "dpd_action": "clear", "close_action": "none",
                "updown": os.path.join(self.directory, "updown"), **child}},
        }

    def _shared_key(self):
        return {"local": {"auth": "psk", "id": self.tunnel.outside}, "remote": {"auth": "psk", "id": self.options.public_address}}

    def _certificates(self):
        pki = self._pki()
        return {"local": {"auth": "pubkey", "id": pki.identity(self.name), "certs": [pki.text(f"{self.name}.pem")]},
                "remote": {"auth": "pubkey", "id": pki.identity("cgw")}}

    def _pki(self):
        return Pki(os.path.join(self.options.directory, "pki"), self.options.authentication)

    def _proposals(self, overrides, default):
        return overrides.get(str(self.number), default).split(",")

    def _write_updown(self):
        """A tunnel whose last Child SA is gone is down for AWS: its routes go at once, not at the hold time."""
        alive = os.path.join(self.directory, "sas")
        os.makedirs(alive, exist_ok=True)
        for name in os.listdir(alive):
            os.unlink(os.path.join(alive, name))
        static = self.options.routing == "static"
        on, off = ("enable lan", "disable lan") if static else ("show status", "restart cgw")
        write(os.path.join(self.directory, "updown"), f"""#!/bin/sh
sa={alive}/$PLUTO_UNIQUEID-$PLUTO_REQID
case $PLUTO_VERB in
  up-*) : >"$sa"; birdc -s {self.bird.socket} {on} ;;
  down-*) rm -f "$sa"; [ -n "$(ls -A {alive})" ] || birdc -s {self.bird.socket} {off} ;;
esac >/dev/null 2>&1
exit 0
""", mode=0o755)

    def bird_configuration(self):
        return f"""router id {self.tunnel.inside};
protocol device {{}}
protocol direct {{ ipv4; interface "vpc0"; }}
protocol kernel {{ ipv4 {{ export where source = RTS_BGP || proto = "lan"; import none; }}; }}
{self._static_side() if self.options.routing == "static" else self._dynamic_side()}
"""

    def _dynamic_side(self):
        med = 100 if self.state.preferred == self.number else 200
        asn = self.options.customer_asn.get(str(self.number), plan.CUSTOMER_ASN)
        extra = os.path.join(self.options.directory, "prefixes.conf")
        return f"""protocol static vpc {{ ipv4; route {plan.VPC_NETWORK} unreachable;
  include "{extra}";
}}
protocol bgp cgw {{
  local {self.tunnel.inside} as {plan.AWS_ASN}; neighbor {self.tunnel.inside_customer} as {asn};
  hold time 30; keepalive time 10; connect retry time 5; connect delay time 1; error wait time 2,10;
  ipv4 {{
    import limit {self.options.prefix_limit} action disable;
    import all;
    export filter {{ if proto = "vpc" then {{ bgp_med = {med}; accept; }} reject; }};
    next hop self;
  }};
}}
protocol bgp vpcrouter {{
  local {self.tunnel.vpc} as {plan.AWS_ASN}; neighbor {plan.VPC_HOST} as {plan.AWS_ASN};
  connect retry time 2; connect delay time 1; error wait time 1,5;
  ipv4 {{ import none; export where proto = "cgw"; next hop self; }};
}}"""

    def _static_side(self):
        """The customer's prefix stands while a Child SA does: the updown script switches protocol `lan`."""
        return f"""protocol static lan {{ {"" if self._has_child() else "disabled;"} ipv4;
  route {plan.LAN_NETWORK} via "ipsec0"; }}
protocol bgp vpcrouter {{
  local {self.tunnel.vpc} as {plan.AWS_ASN}; neighbor {plan.VPC_HOST} as {plan.AWS_ASN};
  connect retry time 2; connect delay time 1; error wait time 1,5;
  ipv4 {{ import none; export where proto = "lan"; next hop self; }};
}}"""

    def _has_child(self):
        alive = os.path.join(self.directory, "sas")
        return os.path.isdir(alive) and bool(os.listdir(alive))
