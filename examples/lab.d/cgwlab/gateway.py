"""cgwd in the lab: import AWS's file, start, ask, stop."""
import json
import os
import signal

from . import plan, processes
from .shell import LabError, run, tail, wait_for


class Gateway:
    def __init__(self, lab, build, name="cgwd"):
        self.lab = lab
        self.name = name
        directory = lab.folder(name)
        self.directory = directory
        self.cgwd = program(build, "cgwd")
        self.cgwsh = program(build, "cgwsh")
        self.configuration = os.path.join(directory, "cgwd.conf")
        self.run_directory = os.path.join(directory, "run")
        self.log = os.path.join(directory, "cgwd.log")
        os.makedirs(self.run_directory, exist_ok=True)

    def import_aws(self, xml=None, *words):
        """cgwsh import aws: configuration and secrets into our directory; its notes are returned."""
        words = words or (("vpc-cidr", plan.VPC_NETWORK) if self.lab.options.routing == "static" else ())
        return run(self.cgwsh, "import", "aws", xml or self.lab.xml, "local-network", plan.LAN_NETWORK, *words,
                   "--output", self.configuration)

    def use_certificates(self, **other):
        """Adds the rows that AWS's file cannot know to every tunnel block; other: instead of the lab's files, as
        tunnel_1={"ca-certificate": FILE}."""
        def with_rows(text):
            lines = []
            for line in text.splitlines():
                lines.append(line)
                words = line.split()
                if len(words) == 2 and words[0] == "tunnel":
                    lines += [f"  {row}" for row in self.lab.pki.rows(int(words[1]), **other.get(f"tunnel_{words[1]}", {}))]
            return "\n".join(lines) + "\n"
        self.edit(with_rows)

    def text(self):
        with open(self.configuration) as file:
            return file.read()

    def edit(self, change):
        """Changes the imported configuration by a function of its text."""
        text = self.text()
        with open(self.configuration, "w") as file:
            file.write(change(text))

    def start(self, *arguments):
        return self.lab.spawn(self.name, "cgw", [self.cgwd, "-f", self.configuration, "--run-dir", self.run_directory,
                                                 *arguments], self.log)

    def stop(self, how=signal.SIGTERM):
        record = self.lab.state.processes.pop(self.name, None)
        if record:
            processes.stop([record], how)
            self.lab.state.save()

    def alive(self):
        record = self.lab.state.processes.get(self.name)
        return record is not None and processes.alive(record)

    def ask(self, command):
        return run(self.cgwsh, "--run-dir", self.run_directory, "-c", command)

    def tunnels(self):
        """The tunnels of `show vpn json` by number; empty while the daemon does not answer."""
        try:
            shown = json.loads(self.ask("show vpn json"))
        except (LabError, ValueError):
            return {}
        return {int(tunnel.get("tunnel", tunnel.get("number", at))): tunnel
                for at, tunnel in enumerate(shown["connections"][0]["tunnels"], 1)}

    def is_up(self, number, tunnels=None):
        tunnel = (tunnels or self.tunnels()).get(number, {})
        dynamic = self.lab.options.routing == "dynamic"
        return tunnel.get("verdict") == "up" and (
            not dynamic or (tunnel.get("bgp") or {}).get("state") == "Established")

    def active(self):
        """The tunnel that carries the traffic, or None."""
        return next((number for number, tunnel in self.tunnels().items() if tunnel.get("active")), None)

    def wait_up(self, seconds=60, numbers=plan.TUNNELS):
        def ready():
            if not self.alive():
                raise LabError("cgwd has ended: " + (tail(self.log, 5) or "it said nothing"))
            tunnels = self.tunnels()
            return all(self.is_up(number, tunnels) for number in numbers)
        try:
            wait_for(f"{'tunnel' if len(numbers) == 1 else 'tunnels'} {' and '.join(map(str, numbers))} up", ready,
                     seconds, 0.1)
        except LabError as error:
            raise LabError(f"{error}; {self._reasons()}") from None

    def _reasons(self):
        """What the gateway says of each tunnel, in a line."""
        words = [f"tunnel {number} is {tunnel.get('verdict')} ({tunnel.get('reason', 'no reason given')}), BGP "
                 f"{(tunnel.get('bgp') or {}).get('state') or 'off'}" for number, tunnel in self.tunnels().items()]
        return "; ".join(words) or "cgwd does not answer 'show vpn json'"

    def wait_active(self, number, seconds=30):
        wait_for(f"tunnel {number} active", lambda: self.active() == number, seconds, 0.1)


def program(build, name):
    for folder in ("daemon", "cli", "."):
        path = os.path.join(os.path.abspath(build), folder, name)
        if os.path.isfile(path):
            return path
    raise LabError(f"no {name} in {build}: build it first (ninja -C {build} {name})")
