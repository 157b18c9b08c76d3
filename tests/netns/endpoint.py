"""AWS replaces an endpoint, and AWS's maintenance."""
from cgwlab import faults
from harness import check, scenario


@scenario("a replaced endpoint costs at most 500 packets, and its tunnel comes back by itself")
def endpoint_restart(world):
    world.start()
    world.wait_ping()
    with world.stream() as stream:
        stream.report()
        before = world.gateway.tunnels()[1]["ike"]["spiInitiator"]
        faults.restart(world.lab, 1, outage=2)
        lost = stream.watch(1)["lost"]
        check(lost <= 500, f"{lost} packets lost")
        world.gateway.wait_up(60)
        check(world.gateway.tunnels()[1]["ike"]["spiInitiator"] != before, "tunnel 1 says it is up with its old IKE SA")
    world.wait_ping()


@scenario("AWS's maintenance of the active tunnel's endpoint loses no packet")
def maintenance(world):
    world.start()
    world.wait_ping()
    with world.stream() as stream:
        stream.report()
        faults.maintenance(world.lab, 1, notice=3, outage=2)
        lost = stream.watch(1)["lost"]
        check(lost == 0, f"{lost} packets lost although AWS had steered away before")
        world.gateway.wait_up(60)
        check(stream.report()["lost"] == 0, "coming back lost packets")


@scenario("an endpoint that says goodbye is left at once")
def graceful_restart(world):
    world.start()
    world.wait_ping()
    with world.stream() as stream:
        stream.report()
        faults.restart(world.lab, 1, outage=2, graceful=True)
        lost = stream.watch(1)["lost"]
        check(lost <= 250, f"{lost} packets lost although the endpoint had sent a DELETE")
        world.gateway.wait_up(60)
