"""Names, addresses and settings of a lab. All labs use the same addresses: namespaces keep them apart."""
import dataclasses
import ipaddress

from .shell import LabError

ROLES = ("lan", "cgw", "net", "vgw1", "vgw2", "vpc")

LAN_NETWORK = "192.168.77.0/24"
LAN_HOST = "192.168.77.10"
LAN_GATEWAY = "192.168.77.1"
VPC_NETWORK = "10.50.0.0/16"
VPC_HOST = "10.50.0.10"
PUBLIC_ADDRESS = "198.51.100.2"      # the customer gateway as AWS sees it
INTERNET_ADDRESS = "198.51.100.1"
PUBLIC_ADDRESS_V6 = "2001:db8:100::2"
INTERNET_ADDRESS_V6 = "2001:db8:100::1"
PRIVATE_ADDRESS = "10.99.0.2"        # the gateway's own address behind the NAT box
NAT_INSIDE = "10.99.0.1"
EXTRA_PREFIXES = "10.128.0.0/9"      # --prefixes takes its prefixes from here
AWS_ASN = 64512
CUSTOMER_ASN = 65000
TUNNEL_MTU = 1400                    # kernel-libipsec reads the MTU once, at start: more gets truncated
TUNNELS = (1, 2)


@dataclasses.dataclass(frozen=True)
class TunnelPlan:
    number: int
    outside: str          # AWS's outside address
    outside_peer: str     # the internet router's address on that link
    inside: str           # AWS's inside address
    inside_customer: str  # the customer gateway's inside address
    vpc: str              # the endpoint's address in the VPC
    outside_v6: str       # the first two once more, of IPv6
    outside_peer_v6: str


TUNNEL = {
    1: TunnelPlan(1, "203.0.113.10", "203.0.113.9", "169.254.10.1", "169.254.10.2", "10.50.0.1",
                  "2001:db8:1::10", "2001:db8:1::9"),
    2: TunnelPlan(2, "203.0.113.14", "203.0.113.13", "169.254.11.1", "169.254.11.2", "10.50.0.2",
                  "2001:db8:2::14", "2001:db8:2::13"),
}

# AWS's lists, weakest first: AWS takes the lowest suite both sides have, whatever the initiator's order.
_GROUPS = ("modp1024-modp2048-modp3072-modp4096-modp6144-modp8192-ecp256-ecp384-ecp521-"
           "modp1024s160-modp2048s224-modp2048s256")
_HASHES = "sha1-sha256-sha384-sha512"
_PRFS = "prfsha1-prfsha256-prfsha384-prfsha512"
AWS_IKE = f"aes128-aes256-{_HASHES}-{_PRFS}-{_GROUPS},aes128gcm16-aes256gcm16-{_PRFS}-{_GROUPS}"
AWS_ESP = f"aes128-aes256-{_HASHES}-modp1536-{_GROUPS},aes128gcm16-aes256gcm16-modp1536-{_GROUPS}"


@dataclasses.dataclass
class Options:
    """What 'lab up' can be asked for."""
    name: str = "cgwlab"
    directory: str = ""
    routing: str = "dynamic"        # dynamic | static
    outside: str = "ipv4"           # ipv4 | ipv6: the family of the outside addresses
    nat: bool = False
    esp: str = "auto"               # auto | kernel | libipsec
    prefixes: int = 0               # announced besides the VPC's own
    delay: float = 0.0              # round-trip milliseconds added between gateway and AWS
    ike_lifetime: int = 28800
    child_lifetime: int = 3600
    dpd: int = 10
    prefix_limit: int = 100
    ike_proposals: dict = dataclasses.field(default_factory=dict)   # tunnel number (text) -> proposals
    esp_proposals: dict = dataclasses.field(default_factory=dict)
    authentication: str = "psk"     # psk, or a kind of certificate: rsa-2048, rsa-4096, ecdsa-256, ecdsa-384
    rfc7427: bool = True            # AWS's side knows the digital signature method
    customer_asn: dict = dataclasses.field(default_factory=dict)    # what an endpoint expects, where not 65000

    def __post_init__(self):
        self.directory = self.directory or f"/run/{self.name}"

    def check(self):
        if not self.name.replace("-", "").replace("_", "").isalnum() or len(self.name) > 40:
            raise LabError(f"--name {self.name}: letters, digits, '-' and '_' only, at most 40")
        if len(self.directory) > 80:
            raise LabError(f"--dir {self.directory}: too long for the sockets in it (at most 80 characters)")
        if self.outside == "ipv6" and (self.nat or self.delay):
            raise LabError("--outside ipv6: without --nat and --delay only")
        if not 0 <= self.prefixes <= 1 << 21:
            raise LabError("--prefixes: 0 to 2097152")

    def namespace(self, role):
        return f"{self.name}-{role}"

    def roles(self):
        return ROLES + (("nat",) if self.nat else ())

    @property
    def public_address(self):
        return PUBLIC_ADDRESS_V6 if self.outside == "ipv6" else PUBLIC_ADDRESS

    @property
    def gateway_address(self):
        return PRIVATE_ADDRESS if self.nat else self.public_address

    def tunnel(self, number):
        """The plan of a tunnel, its outside addresses of this lab's family."""
        tunnel = TUNNEL[number]
        if self.outside == "ipv4":
            return tunnel
        return dataclasses.replace(tunnel, outside=tunnel.outside_v6, outside_peer=tunnel.outside_peer_v6)


def extra_prefixes(count):
    """`count` prefixes of one length out of 10.128.0.0/9, as text."""
    if count == 0:
        return []
    whole = ipaddress.ip_network(EXTRA_PREFIXES)
    length = max(24, whole.prefixlen + (count - 1).bit_length())
    step = 1 << (32 - length)
    base = int(whole.network_address)
    return [f"{ipaddress.IPv4Address(base + i * step)}/{length}" for i in range(count)]
