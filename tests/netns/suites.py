"""Every algorithm AWS's tunnel options name, between cgwd and strongSwan, in both roles.

cgwd offers and accepts all suites; strongSwan is given one at a time. On tunnel 1 cgwd initiates, on tunnel 2
strongSwan does; there the Child SA is rekeyed too, for its own Diffie-Hellman group is first used then.
"""
import concurrent.futures
import re
import time

from cgwlab import LabError, plan
from cgwlab.endpoint import CONNECTION
from cgwlab.shell import wait_for
from cgwlab.vici import Vici
from harness import Failure, check, scenario

HASHES = ("sha1", "sha256", "sha384", "sha512")
GROUPS = ("modp1024", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192", "ecp256", "ecp384", "ecp521",
          "modp1024s160", "modp2048s224", "modp2048s256", "curve25519")
ESP_GROUPS = GROUPS + ("modp1536",)

# Each cipher with each hash and PRF, each group, at least once.
FEW = (
    ("aes128-sha1-modp1024", "aes128-sha1-modp1536"),
    ("aes256-sha256-modp2048", "aes256-sha256-modp2048"),
    ("aes128-sha384-modp3072", "aes128-sha384-modp3072"),
    ("aes256-sha512-modp4096", "aes256-sha512-modp4096"),
    ("aes128gcm16-prfsha1-ecp256", "aes128gcm16-ecp256"),
    ("aes256gcm16-prfsha256-ecp384", "aes256gcm16-ecp384"),
    ("aes128gcm16-prfsha384-ecp521", "aes128gcm16-ecp521"),
    ("aes256gcm16-prfsha512-modp6144", "aes256-sha1-modp6144"),
    ("aes256-sha1-modp8192", "aes256gcm16-modp1024"),
    ("aes128-sha256-modp1024s160", "aes128-sha256-modp1024s160"),
    ("aes256-sha384-modp2048s224", "aes256-sha384-modp2048s224"),
    ("aes128-sha512-modp2048s256", "aes128-sha512-modp2048s256"),
    ("aes256gcm16-prfsha384-curve25519", "aes256gcm16-curve25519"),
    ("aes256-sha256-prfsha512-ecp384", "aes256-sha256-modp8192"),
)

# strongSwan's names of what is in use.
ENCR = {"aes128": ("AES_CBC", "128"), "aes256": ("AES_CBC", "256"), "aes128gcm16": ("AES_GCM_16", "128"),
        "aes256gcm16": ("AES_GCM_16", "256")}
INTEG = {"sha1": "HMAC_SHA1_96", "sha256": "HMAC_SHA2_256_128", "sha384": "HMAC_SHA2_384_192",
         "sha512": "HMAC_SHA2_512_256"}
PRF = {"sha1": "PRF_HMAC_SHA1", "sha256": "PRF_HMAC_SHA2_256", "sha384": "PRF_HMAC_SHA2_384",
       "sha512": "PRF_HMAC_SHA2_512"}
DH = {"modp1024s160": "MODP_1024_160", "modp2048s224": "MODP_2048_224", "modp2048s256": "MODP_2048_256",
      "curve25519": "CURVE_25519"}


@scenario("every cipher, hash, PRF and group of AWS's tunnel options works with strongSwan, whoever initiates")
def suites(world):
    run(world, FEW)


@scenario("every combination of AWS's phase 1 options works with strongSwan, whoever initiates", manual=True)
def suites_ike(world):
    run(world, [(ike, "aes256gcm16-ecp256") for ike in products(GROUPS, prfs=True)])


@scenario("every combination of AWS's phase 2 options works with strongSwan, whoever initiates", manual=True)
def suites_esp(world):
    run(world, [("aes256gcm16-prfsha256-ecp256", esp) for esp in products(ESP_GROUPS, prfs=False)])


def products(groups, prfs):
    heads = [f"{cipher}-{one}" for cipher in ("aes128", "aes256") for one in HASHES]
    heads += [f"{cipher}-prf{one}" if prfs else cipher for cipher in ("aes128gcm16", "aes256gcm16")
              for one in (HASHES if prfs else ("",))]
    return [f"{head}-{group}" for head in heads for group in groups]


def run(world, pairs):
    lacking = peer_lacks(world, pairs)
    if lacking:
        print("strongSwan has no " + ", ".join(sorted(lacking)))
    pairs = [pair for pair in pairs if not lacking & (groups_of(pair[0]) | groups_of(pair[1]))]
    world.gateway.import_aws()
    world.gateway.edit(lambda text: with_suites(text, pairs))
    world.start(wait=())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(one_side, world, number, pairs) for number in plan.TUNNELS]
        for done in waiting:
            done.result()


def one_side(world, number, pairs):
    endpoint = world.lab.endpoints[number]
    secret = world.lab.keys()[number]
    seen = set()
    for ike, esp in pairs:
        began = time.monotonic()
        what = f"{ike} and {esp}, initiated by {'cgwd' if number == 1 else 'strongSwan'}"
        connection = endpoint.connection()
        connection["proposals"], connection["children"][CONNECTION]["esp_proposals"] = [ike], [esp]
        connection["remote_addrs"] = [plan.PUBLIC_ADDRESS]
        endpoint.charon.load(CONNECTION, connection, secret, [endpoint.tunnel.outside, plan.PUBLIC_ADDRESS])
        if seen:
            endpoint.charon.terminate(CONNECTION)
        if number == 2:
            wait_for("no IKE SA", lambda: not endpoint.charon.sas(), 10, 0.02)
            endpoint.charon.initiate(CONNECTION)
        sa, child = established(endpoint, seen, what)
        seen.add(sa["uniqueid"])
        check_suites(sa, child, ike, esp, what)
        answers(world, endpoint, what)
        if number == 2:
            rekeyed(world, endpoint, child, esp, what)
        print(f"{what}: {time.monotonic() - began:.2f} s")


def established(endpoint, seen, what):
    """The new IKE SA and its one Child SA."""
    def found():
        for _, sa in endpoint.charon.sas():
            children = installed(sa)
            if sa["uniqueid"] not in seen and sa["state"] == "ESTABLISHED" and children:
                return sa, children[0]
        return None
    try:
        return wait_for("established", found, 20, 0.02)
    except LabError:
        raise Failure(f"{what}: no IKE SA with a Child SA within 20 s") from None


def installed(sa):
    return [child for child in sa.get("child-sas", {}).values() if child["state"] == "INSTALLED"]


def check_suites(sa, child, ike, esp, what):
    cipher, *rest = ike.split("-")
    prf = next((word[3:] for word in rest if word.startswith("prf")), rest[0])
    check((sa["encr-alg"], sa["encr-keysize"]) == ENCR[cipher], f"{what}: IKE uses {sa['encr-alg']}")
    check(sa.get("integ-alg") == (None if "gcm" in cipher else INTEG[rest[0]]), f"{what}: {sa.get('integ-alg')}")
    check(sa["prf-alg"] == PRF[prf], f"{what}: {sa['prf-alg']}")
    check(sa["dh-group"] == group_name(rest[-1]), f"{what}: {sa['dh-group']}")
    check_child(child, esp, what)


def check_child(child, esp, what):
    cipher, *rest = esp.split("-")
    check((child["encr-alg"], child["encr-keysize"]) == ENCR[cipher], f"{what}: ESP uses {child['encr-alg']}")
    check(child.get("integ-alg") == (None if "gcm" in cipher else INTEG[rest[0]]), f"{what}: {child.get('integ-alg')}")


def answers(world, endpoint, what):
    """Packets both ways in the new SAs."""
    tunnel = endpoint.tunnel
    def ping():
        out = world.lab.run(endpoint.name, "ping", "-c", "1", "-W", "1", "-I", tunnel.inside, tunnel.inside_customer,
                            check=False)
        return " 1 received" in out
    try:
        wait_for("an answer", ping, 10, 0.02)
    except LabError:
        raise Failure(f"{what}: no packet comes back through the tunnel") from None


def rekeyed(world, endpoint, old, esp, what):
    """strongSwan rekeys the Child SA: with its Diffie-Hellman group."""
    endpoint.charon.rekey("child", CONNECTION)
    def fresh():
        return next((child for _, sa in endpoint.charon.sas() for child in installed(sa)
                     if child["spi-in"] != old["spi-in"]), None)
    try:
        child = wait_for("a new Child SA", fresh, 10, 0.02)
    except LabError:
        raise Failure(f"{what}: the Child SA is not rekeyed within 10 s") from None
    check_child(child, esp, what + ", rekeyed")
    check(child.get("dh-group") == group_name(esp.split("-")[-1]), f"{what}: rekeyed with {child.get('dh-group')}")
    answers(world, endpoint, what + ", rekeyed")


def group_name(word):
    return DH.get(word) or re.sub(r"^([a-z]+)(\d+)$", lambda m: f"{m[1].upper()}_{m[2]}", word)


def groups_of(suite):
    return {suite.split("-")[-1]}


def peer_lacks(world, pairs):
    """The groups of `pairs` that this strongSwan has not."""
    with Vici(world.lab.endpoints[1].charon.socket) as vici:
        known = vici.call("get-algorithms")
    offered = set(known.get("ke") or known.get("dh") or {})
    wanted = {group for pair in pairs for suite in pair for group in groups_of(suite)}
    return {group for group in wanted if group_name(group) not in offered}


def with_suites(text, pairs):
    """Both tunnels with all suites; tunnel 2 waits for the peer."""
    def unique(suites_):
        return " ".join(dict.fromkeys(suites_))
    lines = []
    for line in text.splitlines():
        lines.append(line)
        tunnel = re.match(r"(\s*)tunnel (\d+)$", line)
        if tunnel:
            indent = tunnel[1] + " "
            lines += [f"{indent}ike proposal {unique(ike for ike, _ in pairs)}",
                      f"{indent}esp proposal {unique(esp for _, esp in pairs)}"]
            lines += [f"{indent}no initiate"] if tunnel[2] == "2" else []
    return "\n".join(lines) + "\n"
