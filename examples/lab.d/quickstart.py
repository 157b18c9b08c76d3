"""The part of examples/quickstart that runs after the build: lab, import, tunnels, failover, recovery."""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True

from cgwlab import Lab, LabError, Options, faults, plan  # noqa: E402
from cgwlab.gateway import Gateway  # noqa: E402
from cgwlab.shell import tail, wait_for  # noqa: E402
from cgwlab.stream import Stream, build_tool  # noqa: E402

RATE = 1000
LIMIT = 500  # packets that may be lost when the active tunnel dies


class Quickstart:
    def __init__(self, build, began):
        self._build = build
        self._began = began
        self._phase = "start"
        self._gateway = None

    def run(self):
        try:
            self._say("lab: two AWS endpoints, the internet, a VPC and a LAN in network namespaces")
            tool = build_tool(self._build)
            with Lab.create(Options(name=f"quickstart{os.getpid()}")) as lab:
                try:
                    self._inside(lab, tool)
                finally:
                    self._say_last_words()
                    self._say("tear-down: ending cgwd and the lab", failing=False)
        except LabError as error:
            print(f"quickstart: {self._phase} failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("quickstart: interrupted; everything it made is taken down", file=sys.stderr)
            return 130
        self._say("done: nothing of it is left but the build", failing=False)
        return 0

    def _inside(self, lab, tool):
        gateway = Gateway(lab, self._build)
        self._gateway = gateway
        self._say(f"import: cgwsh import aws {lab.xml}")
        self._print(gateway.import_aws())
        self._say("cgwd: starting in the gateway's namespace")
        gateway.start()
        self._say("tunnels: waiting for both, and for both BGP sessions")
        gateway.wait_up(45)
        self._say("ping: LAN to VPC")
        self._ping(lab)
        for command in ("show vpn", "show bgp summary", "show ip route"):
            self._say(command)
            self._print(gateway.ask(command))
        active = self._failover(lab, gateway, tool)
        self._recovery(lab, gateway, active)

    def _ping(self, lab):
        def answered():
            return lab.run("lan", "ping", "-c", "1", "-W", "1", plan.VPC_HOST, check=False).find(" 0% packet loss") > 0
        wait_for("an answer from the VPC host", answered, 10, 0.2)
        self._print(lab.run("lan", "ping", "-c", "3", "-i", "0.2", plan.VPC_HOST))

    def _failover(self, lab, gateway, tool):
        active = gateway.active()
        if active is None:
            raise LabError("no tunnel is active")
        self._say(f"failover: {RATE} packets a second each way; tunnel {active}, which carries them, "
                  "silently loses every packet")
        with Stream(lab, tool, rate=RATE) as stream, Stream(lab, tool, rate=RATE, echo=True, port=7001) as echo:
            time.sleep(2)
            self._refuse_losses(stream.report(), echo.report())
            faults.silent(lab, active)
            time.sleep(5)
            one_way, both = stream.report(), echo.report()
        self._print(f"LAN to VPC: {one_way['lost']} packets lost, {one_way['gap_ms']:.0f} ms without a delivery\n"
                    f"there and back: {both['back']['lost']} answers lost, {both['back']['gap_ms']:.0f} ms without one")
        if gateway.active() in (active, None) or one_way["received"] < RATE:
            raise LabError(f"the traffic did not move away from tunnel {active}")
        if one_way["lost"] > LIMIT:
            raise LabError(f"{one_way['lost']} packets were lost; at most {LIMIT} are allowed")
        self._print(gateway.ask("show vpn"))
        return active

    def _refuse_losses(self, one_way, both):
        if one_way["received"] < RATE or both["back"]["received"] < RATE / 2:
            raise LabError(f"the stream does not flow before the fault: {one_way['received']} of {2 * RATE} packets "
                           f"arrived, {both['back']['received']} answers")

    def _recovery(self, lab, gateway, active):
        self._say(f"recovery: the way to tunnel {active} is whole again")
        faults.restore(lab)
        began = time.monotonic()
        gateway.wait_up(60)
        self._print(f"both tunnels up {time.monotonic() - began:.1f} s after the way was restored")
        self._print(gateway.ask("show vpn"))

    def _say(self, text, failing=True):
        if failing:
            self._phase = text.split(":")[0]
        print(f"[{int(time.time() - self._began):3d} s] {text}", flush=True)

    def _say_last_words(self):
        """After a failure, what cgwd said last."""
        if sys.exc_info()[0] is None or self._gateway is None:
            return
        words = tail(self._gateway.log, 20)
        if words:
            print(f"the last lines of cgwd's log:\n{words}", file=sys.stderr, flush=True)

    def _print(self, text):
        print("\n".join("        " + line for line in text.rstrip().splitlines()), flush=True)


def interrupted(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    sys.exit(Quickstart(sys.argv[1], int(sys.argv[2])).run())
