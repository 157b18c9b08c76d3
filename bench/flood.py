"""What a flood of IKE_SA_INIT costs a responder, and whether its own peers get through meanwhile.

Half of the configured peers are established before. Then, for each flood in turn, a sender at full speed on another
core, and during it handshakes of configured peers that have no tunnel yet: from addresses that no tunnel has, which are
dropped unread; from configured addresses, forged, which reach the limit of half-open IKE SAs and are answered with a
COOKIE, 200 a second in all; of IKE SAs that nobody has, which are looked up among those of all peers. Through all of them no
established peer may be taken for dead. Rates are per second of the responder's processor time, which its rate limits do not bound.
"""
import json
import os
import socket
import struct
import subprocess
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../examples/lab.d"))  # as a sender, too
import ike
from cgwlab import LabError, processes
from cgwlab.shell import in_namespace, run

IKE, ESP = "aes256gcm16-prfsha384-ecp256", "aes256gcm16"
TUNNELS, SECONDS = 500, 8
FIRST_NEW = (400, 420, 440)  # of the peers that shake hands during each flood, and ask on
NEW = 20
FORGED = range(90, 100)    # configured peers in whose name the second flood comes


def measure(settings):
    with ike.bed() as (directory, near, far):
        side = ike.Cgwd(settings.build, directory, near, IKE, ESP, TUNNELS)
        record = side.start()
        try:
            side.wait_ready(record)
            ike_load(settings.build, far, 0, FIRST_NEW[0])
            return [row("of unknown peers, dropped", *flood(settings, record, near, far, "unknown", FIRST_NEW[0])),
                    row("of forged peers, COOKIE or dropped",
                        *flood(settings, record, near, far, "forged", FIRST_NEW[1])),
                    row("of IKE SAs that nobody has", *flood(settings, record, near, far, "strays", FIRST_NEW[2]),
                        exchange="INFORMATIONAL")]
        finally:
            processes.stop([record])


def flood(settings, record, near, far, kind, first):
    """Datagrams handled per second of the core, and how long the handshakes took."""
    seconds = 3 if settings.quick else SECONDS
    sender = subprocess.Popen(in_namespace(far, "taskset", "-c", ike.CORES[1], sys.executable, __file__, kind,
                                           str(seconds)), stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    datagrams, used = received(near), ike.processor_time(record["pid"])
    load = ike_load(settings.build, far, first, NEW, seconds - 1)
    datagrams, used = received(near) - datagrams, ike.processor_time(record["pid"]) - used
    answers = sender.communicate()[0].strip()
    print(f"{kind}: {datagrams} datagrams read in {used:.2f} s of the core; {NEW} handshakes in {load['seconds']:.2f} s, "
          f"{load['retransmitted']} datagrams sent again; the flood: {answers}", flush=True)
    return datagrams / used, load


def ike_load(build, namespace, first, count, hold=0):
    base = [int(n) for n in ike.FIRST.split(".")]
    address = ".".join(str(n) for n in [*base[:2], base[2] + (base[3] + first) // 256, (base[3] + first) % 256])
    out = run(*in_namespace(namespace, "taskset", "-c", ike.CORES[1], ike.tool(build), ike.RESPONDER, address,
                            str(count), "4", IKE, ESP, ike.KEY, str(hold)), check=False, timeout=120)
    load = json.loads(out)
    if load["established"] != count:
        raise LabError(f"only {load['established']} of {count} peers are established: {load['error']}")
    if load["lost"]:
        raise LabError(f"{load['lost']} of {count} peers took the responder for dead")
    return load


def received(namespace):
    """Datagrams that a socket's reader took, or will."""
    lines = [line.split() for line in run(*in_namespace(namespace, "cat", "/proc/net/snmp")).splitlines()
             if line.startswith("Udp:")]
    return int(lines[1][lines[0].index("InDatagrams")])


def row(work, rate, load, exchange="IKE_SA_INIT"):
    return {"bench": "flood", "work": f"{exchange} {work}; {NEW} handshakes meanwhile in {load['seconds']:.1f} s",
            "unit": "1/s of one core", "ours": round(rate), "peer": "-", "theirs": None, "ratio": None,
            "goal": "every handshake succeeds, no peer is lost", "met": True, "runs": 1}


def message(spi, public):
    """IKE_SA_INIT as ike_load's peers send it: SA, KE, Nonce."""
    def payload(following, body):
        return struct.pack(">BBH", following, 0, 4 + len(body)) + body
    def transform(last, kind, number, attributes=b""):
        return struct.pack(">BBHBBH", 0 if last else 3, 0, 8 + len(attributes), kind, 0, number) + attributes
    transforms = transform(False, 1, 20, struct.pack(">HH", 0x800e, 256)) + transform(False, 2, 6) + transform(True, 4, 19)
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 3) + transforms
    body = (payload(34, proposal) + payload(40, struct.pack(">HH", 19, 0) + public) + payload(0, os.urandom(32)))
    return struct.pack(">QQBBBBII", spi, 0, 33, 0x20, 34, 0x08, 0, 28 + len(body)) + body


def stray():
    """An encrypted INFORMATIONAL of an IKE SA that is none; send() counts its initiator's SPI up."""
    body = os.urandom(80)
    return struct.pack(">QQBBBBII", 0, 0x5555555555555555, 46, 0x20, 37, 0x08, 7, 28 + len(body)) + body


def send(kind, seconds):
    """Runs in the initiators' namespace."""
    key = subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"], check=True,
                         capture_output=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=key, check=True,
                            capture_output=True).stdout[-64:]
    hosts = [f"10.64.200.{n}" for n in range(1, 11)] if kind != "forged" else [f"10.64.0.{n + 1}" for n in FORGED]
    sockets = []
    for host in hosts:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        s.bind((host, 0))
        s.connect((ike.RESPONDER, 500))
        sockets.append(s)
    packet = bytearray(message(0, public) if kind != "strays" else stray())
    sent = answered = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for s in sockets:
            try:
                for _ in range(8):
                    sent += 1
                    struct.pack_into(">Q", packet, 0, sent)
                    s.send(packet)
                while s.recv(65535):
                    answered += 1
            except OSError:
                pass
    print(f"{sent / seconds:.0f} sent and {answered / seconds:.0f} answered a second")


if __name__ == "__main__":
    send(sys.argv[1], float(sys.argv[2]))
