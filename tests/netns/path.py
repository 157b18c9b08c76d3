"""The way to AWS changes: another address of ours, an interface that flaps. And what debugging shows of it."""
import os
import re
import shutil
import time

from cgwlab import plan
from cgwlab.shell import run, wait_for
from harness import check, scenario

OTHER_ADDRESS = "198.51.100.3"


def spis(world):
    return {number: tunnel["ike"]["spiInitiator"] for number, tunnel in world.gateway.tunnels().items()
            if tunnel.get("ike", {}).get("state") == "Established"}


@scenario("the outside address is renumbered: both tunnels are made anew from the new one within 3 s")
def renumbered(world):
    world.start()
    world.wait_ping()
    before = spis(world)
    world.lab.run("cgw", "ip", "address", "add", f"{OTHER_ADDRESS}/24", "dev", "wan0")
    world.lab.run("cgw", "ip", "address", "del", f"{plan.PUBLIC_ADDRESS}/24", "dev", "wan0")
    world.lab.run("cgw", "ip", "address", "add", f"{OTHER_ADDRESS}/24", "dev", "wan0", check=False)
    world.lab.run("cgw", "ip", "route", "replace", "default", "via", plan.INTERNET_ADDRESS)
    began = time.monotonic()

    def anew():
        now = spis(world)
        return len(now) == 2 and all(now[number] != before[number] for number in plan.TUNNELS)
    wait_for("new IKE SAs of both tunnels", anew, 30, 0.05)
    seconds = time.monotonic() - began
    print(f"both tunnels anew after {seconds:.2f} s")
    check(seconds < 3, f"both tunnels were made anew only after {seconds:.1f} s")
    world.wait_log(f"our address is now {OTHER_ADDRESS}")
    for number, endpoint in world.lab.endpoints.items():
        wait_for(f"one IKE SA at VGW {number}, with the new address",
                 lambda: [sa["remote-host"] for _, sa in endpoint.charon.sas()] == [OTHER_ADDRESS], 10)
    world.wait_ping()


@scenario("an interface that flaps for a second costs no IKE SA, and traffic is back within 2 s of its return")
def interface_flaps(world):
    world.start()
    world.wait_ping()
    before = spis(world)
    world.lab.run("cgw", "ip", "link", "set", "wan0", "down")
    time.sleep(1)
    world.lab.run("cgw", "ip", "link", "set", "wan0", "up")
    world.lab.run("cgw", "ip", "route", "replace", "default", "via", plan.INTERNET_ADDRESS)
    time.sleep(3)
    check(spis(world) == before, "an IKE SA was made anew")
    world.wait_log("no way to")
    world.wait_ping(15)


@scenario("an interface that was down for 20 s: both tunnels are back within 2 s of its return")
def interface_long_down(world):
    world.start()
    world.wait_ping()
    world.lab.run("cgw", "ip", "link", "set", "wan0", "down")
    time.sleep(20)
    check(not spis(world), "IKE says that it is up without an interface")
    world.lab.run("cgw", "ip", "link", "set", "wan0", "up")
    world.lab.run("cgw", "ip", "route", "replace", "default", "via", plan.INTERNET_ADDRESS)
    began = time.monotonic()
    wait_for("IKE SAs of both tunnels", lambda: len(spis(world)) == 2, 30, 0.05)
    seconds = time.monotonic() - began
    print(f"both tunnels back after {seconds:.2f} s")
    check(seconds < 2, f"both tunnels were back only after {seconds:.1f} s")


@scenario("debug ike shows every message payload by payload and no key; the keys are written for Wireshark only when asked")
def debug_ike(world):
    path = world.capture("cgw", "wan0", "ike", "udp port 500 or udp port 4500")
    keys = world.gateway.configuration.replace("cgwd.conf", "ikev2_decryption_table")
    world.gateway.import_aws()
    world.start("--ike-keys-file", keys)
    check("SA: 1 IKE" not in world.log(), "messages are logged though nobody asked")
    world.gateway.ask("debug ike")
    world.lab.run("cgw", "ip", "link", "set", "wan0", "down")
    time.sleep(6)
    world.lab.run("cgw", "ip", "link", "set", "wan0", "up")
    world.lab.run("cgw", "ip", "route", "replace", "default", "via", plan.INTERNET_ADDRESS)
    world.gateway.wait_up(40)
    for pattern in (r"-> 203\.0\.113\.10:500 IKE_SA_INIT request 0", r"SA: 1 IKE, ENCR AES_GCM_16-256, PRF HMAC_SHA2_384, DH ECP_384",
                    r"<- 203\.0\.113\.10:500 IKE_SA_INIT response 0", r"AUTH: shared key, 48 octets", r"TSi: 0\.0\.0\.0-255\.255\.255\.255"):
        world.wait_log(pattern)
    for secret in world.lab.keys().values():
        check(secret not in world.log(), "a pre-shared key is in the log")
    world.gateway.ask("no debug ike")
    time.sleep(0.5)
    size = len(re.findall(r"IKE_AUTH|INFORMATIONAL", world.log()))
    time.sleep(12)
    check(len(re.findall(r"IKE_AUTH|INFORMATIONAL", world.log())) == size, "messages are logged after 'no debug ike'")
    world.wait_log("the keys of a new IKE SA were written to")
    world.end_capture("ike")
    shown = decrypted(world, path, keys)
    check("Identification - Initiator" in shown and "Traffic Selector" in shown, "Wireshark does not decrypt IKE_AUTH with the keys")


def decrypted(world, capture, keys):
    home = world.lab.folder("wireshark")
    folder = os.path.join(home, ".config/wireshark")
    os.makedirs(folder, exist_ok=True)
    shutil.copy(keys, os.path.join(folder, "ikev2_decryption_table"))
    return run("env", f"HOME={home}", f"XDG_CONFIG_HOME={home}/.config", "tshark", "-n", "-r", capture, "-V", "-Y", "isakmp.exchangetype == 35",
               check=False, timeout=60)
