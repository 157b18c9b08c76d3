"""Static routing: the probe chooses, and the gateway follows the tunnel AWS sends on."""
from cgwlab import faults, plan
from harness import check, scenario


@scenario("static: both tunnels up, traffic both ways, the probe moves the traffic, AWS's choice is followed",
          routing="static")
def static_mode(world):
    world.start()
    world.wait_vpc_route(1)
    world.wait_ping()
    check(world.ping("vpc", plan.LAN_HOST) == 5, "VPC to LAN: pings are lost")
    with world.stream(echo=True) as stream:
        faults.prefer(world.lab, 2)
        world.wait_vpc_route(2)
        world.gateway.wait_active(2, 15)
        followed = stream.watch(1)
        check(followed["back"]["lost"] == 0, f"{followed['back']['lost']} answers lost while AWS changed its tunnel")
        faults.silent(world.lab, 2)
        seen = stream.watch(4)
        check(0 < seen["lost"] <= 500, f"tunnel 2 died: {seen['lost']} packets lost")
        check(world.gateway.active() == 1, "tunnel 1 did not take over")
        faults.restore(world.lab)
        world.gateway.wait_up(60)
    world.wait_ping()
    blackhole = world.lab.run("cgw", "ip", "route", "show", "type", "blackhole")
    check(plan.VPC_NETWORK in blackhole, f"no blackhole behind the static prefix: {blackhole}")


@scenario("static: a tunnel that AWS deletes is left at once and made again", routing="static")
def static_delete(world):
    world.start()
    world.wait_ping()
    with world.stream() as stream:
        stream.report()
        active = world.gateway.active()
        world.lab.endpoints[active].charon.terminate("cgw")
        lost = stream.watch(3)["lost"]
        check(lost <= 250, f"{lost} packets lost after a DELETE")
        world.gateway.wait_up(60)
