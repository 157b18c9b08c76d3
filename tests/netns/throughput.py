"""Bulk transfers: the MTU, the MSS clamp, and rekeys under load."""
import concurrent.futures
import json
import time

from cgwlab import faults
from cgwlab.shell import wait_for
from cgwlab.stream import add
from harness import check, scenario

SIZE = 100 * 1000 * 1000
FLOW_SECONDS = 15
IN_FLIGHT = 8 * 1000 * 1000  # what iperf3's receiver has not counted yet when its sender ends


@scenario("100 MB go through by TCP in each direction")
def tcp(world):
    world.start()
    world.wait_ping()
    for direction in ((), ("-R",)):
        done = transfer(world, SIZE, *direction)
        print(f"{done['bits_per_second'] / 1e6:.0f} Mbit/s {' '.join(direction)}")


@scenario("rekeys by AWS's side, colliding or not, lose no packet")
def rekeys(world):
    world.start()
    world.wait_ping()
    charon = world.lab.endpoints[1].charon
    with world.stream() as stream:
        stream.report()
        for what in ("child", "child", "ike", "child", "ike"):
            before = sas(charon)
            charon.rekey(what, "cgw")
            wait_for(f"a new {what} SA", lambda: sas(charon) != before, 10)
            stream.watch(1)
        seen = stream.watch(2)
    check(seen["lost"] == 0, f"{seen['lost']} packets lost")
    check(len(charon.sas()) == 1, "more than one IKE SA is left")


def forced(world, seconds, every=2):
    """Both sides ask for new keys at once, every few seconds, while 1000 packets a second go there and come back."""
    world.start()
    world.wait_ping()
    before = world.gateway.tunnels()[1]
    use_first(world)
    with world.stream(rate=1000, echo=True) as stream:
        stream.report()
        seen = stream.report()
        asked = ask_for_keys(world, seconds, lambda: add(seen, stream.watch(every)))
        add(seen, stream.watch(1))
    after = world.gateway.tunnels()[1]
    child, ike = (after[sa]["rekeys"] - before[sa]["rekeys"] for sa in ("child", "ike"))
    there, back = (one["lost"] - one["late"] for one in (seen, seen["back"]))
    print(f"{seen['received']} packets there, {there} lost; {seen['back']['received']} back, {back} lost; {child} Child SAs, {ike} IKE SAs")
    check(there == 0 and back == 0, f"{there} packets lost there, {back} back")
    check(child >= asked // 3 and ike >= asked // 6, f"{child} Child SAs and {ike} IKE SAs only, asked for {asked} times")


def use_first(world):
    """Traffic goes by tunnel 1, there and back."""
    faults.prefer(world.lab, 1)
    world.gateway.wait_active(1, 60)
    world.wait_vpc_route(1)


def ask_for_keys(world, seconds, between):
    """Both sides ask for new Child SAs at once, and each third time for new IKE SAs; how many times."""
    charon = world.lab.endpoints[1].charon
    connection = json.loads(world.gateway.ask("show vpn json"))["connections"][0]["id"]
    end, asked = time.monotonic() + seconds, 0
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        while time.monotonic() < end:
            ours, theirs = ("ike", "ike") if asked % 3 == 2 else ("esp", "child")
            waiting = [both.submit(world.gateway.ask, f"rekey vpn {connection} tunnel 1 {ours}"),
                       both.submit(charon.rekey, theirs, "cgw")]
            for done in waiting:
                done.result()
            asked += 1
            between()
            time.sleep(asked % 5 / 50)
    return asked


@scenario("rekeys of both SAs by both sides at once, every two seconds, lose no packet")
def rekeys_by_both(world):
    forced(world, 20)


@scenario("the same for four minutes", manual=True)
def rekeys_under_traffic(world):
    forced(world, 240)


@scenario("four threads a tunnel, eight flows each way, rekeys by both sides: none lost, none out of order, no replay")
def threads(world):
    world.gateway.import_aws()
    world.gateway.edit(lambda text: "data-plane userspace threads 4\n" + text)
    world.start()
    world.wait_ping()
    shown = json.loads(world.gateway.ask("show vpn json"))["dataPlane"]
    check(shown.get("threads") == 4, f"show vpn says {shown}")
    check("4 threads" in world.gateway.ask("show vpn"), "show vpn does not name the threads")
    use_first(world)
    before = world.gateway.tunnels()[1]["child"]["rekeys"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = [pool.submit(flows, world, 5301), pool.submit(flows, world, 5302, "-R")]
        ask_for_keys(world, FLOW_SECONDS - 3, lambda: time.sleep(1.5))
        for direction, done in zip(("there", "back"), running):
            streams = [one["udp"] for one in done.result()["streams"]]
            lost, late, packets = (sum(one[what] for one in streams) for what in ("lost_packets", "out_of_order", "packets"))
            print(f"{direction}: {len(streams)} flows, {packets} packets, {lost} lost, {late} out of order")
            check(len(streams) == 8 and packets > 800 * FLOW_SECONDS, f"{direction}: {packets} packets only")
            check(lost == 0 and late == 0, f"{direction}: {lost} lost, {late} out of order")
    after = world.gateway.tunnels()[1]
    check(after["child"]["rekeys"] - before >= 2, f"{after['child']['rekeys'] - before} rekeys only")
    check("replayed" not in after["drops"], f"dropped: {after['drops']}")


def flows(world, port, *how):
    """Eight streams of UDP, no faster than charon takes them while it computes keys; what iperf3 counted of them."""
    world.lab.spawn(f"iperf3-{port}", "vpc", ["iperf3", "-s", "-1", "-p", str(port)], "/dev/null")
    wait_for("iperf3's server", lambda: f":{port}" in world.lab.run("vpc", "ss", "-ltn"), 10)
    out = world.lab.run("lan", "iperf3", "-J", "-c", "10.50.0.10", "-p", str(port), "-u", "-P", "8", "-l", "200", "-b", "200K",
                        "-t", str(FLOW_SECONDS), *how, timeout=FLOW_SECONDS + 60, check=False)
    result = json.loads(out)
    check("error" not in result, f"iperf3: {result.get('error')}")
    return result["end"]


def transfer(world, size, *how):
    """One iperf3 run from the LAN; what the receiver counted. Its count ends a little before the last octets."""
    world.lab.spawn("iperf3", "vpc", ["iperf3", "-s", "-1"], "/dev/null")
    wait_for("iperf3's server", lambda: ":5201" in world.lab.run("vpc", "ss", "-ltn"), 10)
    out = world.lab.run("lan", "iperf3", "-J", "-c", "10.50.0.10", "-n", str(size), *how, timeout=90, check=False)
    try:
        result = json.loads(out)
    except ValueError:
        result = {"error": out}
    check("error" not in result, f"iperf3: {result.get('error')}")
    sent, received = result["end"]["sum_sent"]["bytes"], result["end"]["sum_received"]["bytes"]
    check(sent >= size and received > sent - IN_FLIGHT, f"{sent} octets of {size} sent, {received} received")
    return result["end"]["sum_received"]


def sas(charon):
    return sorted((sa["initiator-spi"], child["spi-in"]) for _, sa in charon.sas()
                  for child in sa.get("child-sas", {}).values() if child["state"] == "INSTALLED")
