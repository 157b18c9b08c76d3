"""BIRD as the outside peer that says what has become of a route."""
import os
import re
import socket

from cgwlab import processes
from cgwlab.bird import Bird
from cgwlab.shell import wait_for

from . import bed


class Watcher:
    def __init__(self, made, address, asn):
        self.bird = Bird(made.folder("watcher"), made.far)
        self.record = self.bird.start(
            f"router id {address};\nprotocol device {{ }}\nprotocol direct {{ ipv4; ipv6; }}\n"
            f"protocol bgp dut {{ local {address} as {asn}; neighbor {bed.SPEAKER} as {bed.AS}; connect delay time 1; "
            "error wait time 1, 2; connect retry time 1; ipv4 { import all; export none; gateway recursive; }; "
            "ipv6 { import all; export none; gateway recursive; }; }\n")
        self.bird.wait_ready(self.record)
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(20)
        self.link.connect(os.path.join(self.bird.directory, "bird.ctl"))
        self.reader = self.link.makefile("r", errors="replace")
        self._answer()

    def close(self):
        self.link.close()
        processes.stop([self.record])

    def _answer(self):
        lines = []
        for line in self.reader:
            if re.match(r"\d{4} ", line):
                break
            lines.append(line.rstrip("\n"))
        return "\n".join(lines)

    def ask(self, command):
        self.link.sendall(command.encode() + b"\n")
        return self._answer()

    def wait_established(self, seconds=30):
        wait_for("the watching BIRD's session", lambda: "Established" in self.ask("show protocols dut"), seconds, 0.05)

    def path(self, prefix):
        """The AS path of a route, as a list, and its origin; None when there is no route."""
        text = self.ask(f"show route {prefix} all protocol dut")
        if "BGP.origin" not in text:
            return None
        found = re.search(r"BGP\.as_path: ?(.*)", text)
        return found[1].split() if found else [], re.search(r"BGP\.origin: (\w+)", text)[1]
