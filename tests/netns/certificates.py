"""Certificates instead of pre-shared keys, against strongSwan: tunnel 1 is opened by us, tunnel 2 by AWS's side."""
import re

from cgwlab import plan
from cgwlab.shell import wait_for
from harness import check, scenario


def both_roles(world):
    """Both tunnels up, AWS's side initiating the second."""
    world.gateway.import_aws()
    world.gateway.use_certificates()
    world.gateway.edit(lambda text: re.sub(r"(?m)^( *)tunnel 2$", r"\1tunnel 2\n\1 no initiate", text))
    world.start(wait=(1,))
    world.lab.endpoints[2].charon.initiate("cgw")
    world.gateway.wait_up(45)
    world.wait_ping()
    tunnels = world.gateway.tunnels()
    check(tunnels[1]["ike"]["initiator"] and not tunnels[2]["ike"]["initiator"], "the roles are not as asked for")
    shown = world.gateway.ask("show vpn")
    for number, tunnel in tunnels.items():
        about = tunnel["authentication"]
        check(about["method"] == "certificate", f"tunnel {number}: method {about['method']}")
        check(about["certificate"]["subject"] == "O=Lab, CN=cgw.lab", f"ours is {about['certificate']}")
        check(about["peerCertificate"]["subject"] == f"O=Lab, CN=vgw{number}.lab", f"its is {about['peerCertificate']}")
        check(295 <= about["certificate"]["daysLeft"] <= 300, f"{about['certificate']['daysLeft']} days left")
        check(f"'O=Lab, CN=vgw{number}.lab' until 20" in shown, "show vpn does not tell the certificate's end")
    return [tunnels[number]["authentication"]["peer"] for number in plan.TUNNELS]


@scenario("RSA-2048 certificates and DN identities, in both roles", authentication="rsa-2048")
def certificates_rsa_2048(world):
    for peer in both_roles(world):
        check(re.search(r"RSA-2048, RSASSA-(PSS|PKCS1-v1_5) with SHA2-", peer), f"authenticated by {peer}")


@scenario("RSA-4096 certificates travel in IKE fragments both ways, in both roles", authentication="rsa-4096")
def certificates_rsa_4096(world):
    both_roles(world)
    for number, endpoint in world.lab.endpoints.items():
        with open(endpoint.charon.log) as file:
            log = file.read()
        check(re.search(r"parsed IKE_AUTH \w+ 1 \[ EF\(2/", log), f"VGW {number} got no second fragment of ours")
        check(re.search(r"generating IKE_AUTH \w+ 1 \[ EF\(2/", log), f"VGW {number} sent no second fragment")


@scenario("ECDSA P-256 certificates and DN identities, in both roles", authentication="ecdsa-256")
def certificates_ecdsa_256(world):
    for peer in both_roles(world):
        check(peer == "certificate, ECDSA P-256, ECDSA with SHA2-256", f"authenticated by {peer}")


@scenario("ECDSA P-384 certificates and DN identities, in both roles", authentication="ecdsa-384")
def certificates_ecdsa_384(world):
    for peer in both_roles(world):
        check(peer == "certificate, ECDSA P-384, ECDSA with SHA2-384", f"authenticated by {peer}")


@scenario("a peer without RFC 7427 is met by the older RSA method, in both roles", authentication="rsa-2048", rfc7427=False)
def certificates_rsa_classic(world):
    for peer in both_roles(world):
        check(peer == "certificate, RSA-2048, RSASSA-PKCS1-v1_5 with SHA-1", f"authenticated by {peer}")


@scenario("a peer without RFC 7427 is met by the older ECDSA method, in both roles", authentication="ecdsa-384", rfc7427=False)
def certificates_ecdsa_classic(world):
    for peer in both_roles(world):
        check(peer == "certificate, ECDSA P-384, ECDSA with SHA2-384", f"authenticated by {peer}")


@scenario("a certificate of a wrong CA, an expired and a revoked one are refused by one clear line each, and the other "
          "tunnel goes on", authentication="ecdsa-256")
def certificates_refused(world):
    pki = world.lab.pki
    world.gateway.import_aws()
    imported = world.gateway.text()
    pki.revoke("vgw1")
    pki.write_crl()
    for rows, words in (({"ca-certificate": pki.foreign_root()}, "leads to no CA in 'ca-certificate'"),
                        ({"crl": pki.path("crl.pem")}, "is revoked by the list in 'crl'")):
        refused(world, imported, rows, words)
    pki.issue("vgw1", days=-1)
    world.lab.endpoints[1].load_certificates()
    refused(world, imported, {}, "has expired on 20")


def refused(world, imported, rows, words):
    """Tunnel 1's peer is refused with these words, said once; tunnel 2 works."""
    world.gateway.edit(lambda _: imported)
    world.gateway.use_certificates(tunnel_1=rows)
    before = len(world.log())
    world.gateway.start()
    world.gateway.wait_up(45, (2,))
    wait_for(f"a line with '{words}'", lambda: words in world.log()[before:], 15)
    lines = [line for line in world.log()[before:].splitlines() if words in line and "IKE attempt failed" in line]
    check(len(lines) == 1, f"{len(lines)} lines say it")
    check("tunnel 1" in lines[0] and "CN=vgw1.lab" in lines[0], f"the line does not say who: {lines[0]}")
    check(not world.gateway.tunnels()[1]["child"]["installed"], "a refused peer has a Child SA")
    world.wait_ping()
    world.gateway.stop()
