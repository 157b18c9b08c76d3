"""What a scenario stands on: a lab of its own, the gateway in it, and checks that say what they saw."""
import dataclasses
import json
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.normpath(os.path.join(HERE, "../../examples/lab.d")))

from cgwlab import Lab, LabError, Options, plan, status  # noqa: E402
from cgwlab.gateway import Gateway  # noqa: E402
from cgwlab.shell import tail, wait_for  # noqa: E402
from cgwlab.stream import Stream  # noqa: E402

SCENARIOS = {}


class Failure(Exception):
    """A check did not hold."""


@dataclasses.dataclass
class Scenario:
    name: str
    sentence: str
    body: object
    options: dict
    manual: bool = False


def scenario(sentence, manual=False, **options):
    """Registers a function; the options are those of the lab it wants. lab=False: none at all. manual: a long one,
    which runs only by its name."""
    def register(body):
        SCENARIOS[body.__name__] = Scenario(body.__name__, sentence, body, options, manual)
        return body
    return register


def check(condition, text):
    if not condition:
        raise Failure(text)


class World:
    """A lab with cgwd's files in it; start() brings the gateway up."""

    def __init__(self, lab, build, tool):
        self.lab = lab
        self.gateway = Gateway(lab, build)
        self._tool = tool

    def start(self, *arguments, wait=plan.TUNNELS, seconds=45):
        """Imports AWS's file unless that was done, starts cgwd, waits for the tunnels."""
        if not os.path.exists(self.gateway.configuration):
            self.gateway.import_aws()
        self.gateway.start(*arguments)
        if wait:
            self.gateway.wait_up(seconds, wait)

    def stream(self, **how):
        return Stream(self.lab, self._tool, **how)

    def ping(self, source="lan", target=plan.VPC_HOST, count=5, size=56, interval=0.05):
        """How many of `count` pings are answered."""
        out = self.lab.run(source, "ping", "-c", str(count), "-i", str(interval), "-W", "1", "-s", str(size), target,
                           check=False)
        return int(re.search(r"(\d+) received", out)[1])

    def wait_ping(self, seconds=15, **how):
        wait_for("an answer to ping", lambda: self.ping(count=1, **how) == 1, seconds, 0.2)

    def log(self):
        try:
            with open(self.gateway.log, errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def wait_log(self, pattern, seconds=15):
        """A line of cgwd's log that matches; the line is returned."""
        def line():
            return next((line for line in self.log().splitlines() if re.search(pattern, line, re.I)), None)
        return wait_for(f"a line like '{pattern}' in cgwd's log", line, seconds, 0.1)

    def interface(self, number):
        return self.gateway.tunnels()[number]["interface"]

    def wait_vpc_route(self, number, seconds=15):
        wait_for(f"the VPC sending on tunnel {number}", lambda: status.vpc_route(self.lab) == f"tunnel {number}", seconds)

    def capture(self, role, interface, name, *what):
        """Starts tcpdump and waits until it listens; the file's path is returned."""
        folder = self.lab.folder("captures")
        path, out = os.path.join(folder, f"{name}.pcap"), os.path.join(folder, f"{name}.out")
        self.lab.spawn(f"tcpdump-{name}", role, ["tcpdump", "-U", "-n", "-i", interface, "-w", path, *what], out)
        wait_for("tcpdump", lambda: "listening on" in tail(out), 10)
        return path

    def end_capture(self, name):
        from cgwlab import processes
        time.sleep(0.3)
        processes.stop([self.lab.state.processes.pop(f"tcpdump-{name}")])

    def kernel_state(self):
        """All that a gateway might leave in its namespace, comparable."""
        commands = (("ip", "-o", "link"), ("ip", "-o", "address"), ("ip", "route", "show", "table", "all"), ("ip", "rule"), ("ip", "nexthop"),
                    ("ip", "xfrm", "state"), ("ip", "xfrm", "policy"), ("nft", "list", "ruleset"))
        state = {}
        for command in commands:
            text = self.lab.run("cgw", *command, check=False)
            state[" ".join(command)] = sorted(re.sub(r"\s+", " ", line).strip() for line in text.splitlines())
        # A link's carrier may settle late: its name and index are what counts.
        state["ip -o link"] = [" ".join(line.split()[:2]) for line in state["ip -o link"]]
        return state


def in_lab(chosen, build, tool):
    """Runs one scenario; the lab is taken down in any case."""
    if chosen.options.get("lab") is False:
        chosen.body(build)
        return
    name = f"netns{os.getpid()}"
    with Lab.create(Options(name=name, **chosen.options)) as lab:
        world = World(lab, build, tool)
        try:
            chosen.body(world)
        except (Failure, LabError, KeyError, IndexError, json.JSONDecodeError):
            print(explain(world), flush=True)
            raise


def explain(world):
    """The surroundings of a failure."""
    try:
        state = status.report(world.lab)
        routes = world.lab.run("cgw", "ip", "route", check=False)
        shown = world.gateway.ask("show vpn") if world.gateway.alive() else "cgwd does not run"
    except (LabError, OSError) as error:
        state, routes, shown = f"status: {error}", "", ""
    return f"--- lab\n{state}\n--- show vpn\n{shown}\n--- ip route\n{routes}\n--- cgwd's log\n{tail(world.gateway.log, 40)}"
