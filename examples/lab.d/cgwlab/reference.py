"""strongSwan and BIRD in the customer gateway's place: what cgwd is measured against, and a check of the lab itself."""
import signal

from . import plan, processes
from .bird import Bird
from .charon import Charon, tunnel_mtu_commands
from .shell import LabError, in_namespace, ip_batch, run, wait_for

_IKE = "aes256gcm16-prfsha384-ecp384"
_ESP = "aes256gcm16-ecp384"


class Reference:
    def __init__(self, lab):
        self.lab = lab
        self.options = lab.options
        self.namespace = lab.namespace("cgw")
        self.kernel = lab.state.esp == "kernel"
        self.bird = Bird(lab.folder("ref"), self.namespace)

    def charon(self, number):
        """libipsec has one policy table, in which two 0/0 children collide: there each tunnel has its own daemon,
        the second on ephemeral ports."""
        name = "ref" if self.kernel else f"ref{number}"
        return Charon(self.lab.folder(name), self.namespace, self.lab.state.esp,
                      ephemeral_ports=not self.kernel and number == 2)

    def start(self):
        if self.options.routing == "static":
            raise LabError("the reference gateway speaks BGP: it needs a lab with --routing dynamic")
        for number in plan.TUNNELS:
            self._start_tunnel(number)
        record = self.bird.start(self._bird_configuration())
        self.lab.remember("ref-bird", record)
        self.bird.wait_ready(record)

    def stop(self):
        names = [name for name in self.lab.state.processes if name.startswith("ref-")]
        processes.stop([self.lab.state.processes[name] for name in names], signal.SIGTERM)
        for name in names:
            del self.lab.state.processes[name]
        self.lab.state.save()
        for number in plan.TUNNELS:
            run("ip", "-n", self.namespace, "link", "del", f"aws{number}", check=False)

    def wait_up(self, seconds=60):
        wait_for("strongSwan and BIRD in the gateway's place", self.up, seconds, 0.2)

    def up(self):
        return all(self.bird.protocol(f"t{number}")[1] == "Established" for number in plan.TUNNELS)

    def _start_tunnel(self, number):
        charon = self.charon(number)
        process = "ref-charon" if self.kernel else f"ref-charon{number}"
        if process not in self.lab.state.processes:
            self.lab.remember(process, charon.start())
        charon.wait_ready(self.lab.state.processes[process])
        tunnel = self.options.tunnel(number)
        interface = self._interface(number)
        ip_batch(self.namespace, tunnel_mtu_commands(interface, tunnel.inside_customer))
        charon.load(f"aws{number}", self._connection(number), self.lab.keys()[number], [tunnel.outside])
        charon.initiate(f"aws{number}")

    def _interface(self, number):
        if self.kernel:
            name = f"aws{number}"
            ip_batch(self.namespace, [f"link add {name} type xfrm dev wan0 if_id {number}"])
            run(*in_namespace(self.namespace, "sysctl", "-qw", f"net.ipv4.conf.{name}.disable_policy=1"))
            return name
        name = f"ipsec{number - 1}"
        wait_for(name, lambda: name in run("ip", "-n", self.namespace, "-br", "link"), 10)
        return name

    def _connection(self, number):
        tunnel = self.options.tunnel(number)
        marks = {"if_id_in": str(number), "if_id_out": str(number)} if self.kernel else {}
        return {
            "version": "2", "mobike": "no", "encap": "no" if self.kernel else "yes",
            "local_addrs": [self.options.gateway_address], "remote_addrs": [tunnel.outside],
            "proposals": [_IKE], "dpd_delay": "10s", "keyingtries": "0", "rekey_time": "28000s", **marks,
            "local": {"auth": "psk", "id": self.options.public_address},
            "remote": {"auth": "psk", "id": tunnel.outside},
            "children": {f"aws{number}": {
                "local_ts": ["0.0.0.0/0"], "remote_ts": ["0.0.0.0/0"], "esp_proposals": [_ESP],
                "rekey_time": "3000s", "start_action": "start", "dpd_action": "restart",
                "close_action": "start", "mode": "tunnel", "replay_window": "1024"}},
        }

    def _bird_configuration(self):
        sessions = "\n".join(
            f"protocol bgp t{n} from aws {{ source address {t.inside_customer}; "
            f"neighbor {t.inside} as {plan.AWS_ASN}; }}" for n, t in plan.TUNNEL.items())
        return f"""router id {plan.PUBLIC_ADDRESS};
protocol device {{}}
protocol direct {{ ipv4; interface "lan0"; }}
protocol kernel {{ ipv4 {{ export where source = RTS_BGP; import none; }}; }}
template bgp aws {{
  local as {plan.CUSTOMER_ASN}; hold time 30; keepalive time 10;
  connect retry time 5; connect delay time 1; error wait time 2,10;
  ipv4 {{ import all; export where net = {plan.LAN_NETWORK}; next hop self; }};
}}
{sessions}
"""
