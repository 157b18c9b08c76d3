"""A numbered UDP stream between the LAN and the VPC, by bench/pps.cpp."""
import json
import os
import subprocess
import time

from . import plan
from .shell import LabError, in_namespace, run

_SOURCE = os.path.normpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../../bench/pps.cpp"))


def build_tool(build):
    """The stream's program: meson's, else one compiled here; its path is returned."""
    by_meson = os.path.join(os.path.abspath(build), "tests/netns/pps")
    if os.path.exists(by_meson):
        return by_meson
    program = os.path.join(os.path.abspath(build), "pps")
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(_SOURCE):
        os.makedirs(build, exist_ok=True)
        run("g++", "-std=c++20", "-O2", "-o", f"{program}.{os.getpid()}", _SOURCE, timeout=120)
        os.replace(f"{program}.{os.getpid()}", program)
    return program


class Stream:
    """Sends from one host and counts at the other until close(). With echo, each packet comes back as well."""

    def __init__(self, lab, program, source="lan", target="vpc", rate=1000, echo=False, addresses=None, port=7000):
        self._echo = echo
        addresses = addresses or [plan.VPC_HOST if target == "vpc" else plan.LAN_HOST]
        self._receiver = _open(lab, target, [program, "echo" if echo else "recv", str(port)])
        _ask(self._receiver)  # it answers once it listens
        self._sender = _open(lab, source, [program, "send", str(rate), str(port), *addresses])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def report(self):
        """What arrived since the last report; with echo also `back`: what returned."""
        there = _ask(self._receiver)
        if self._echo:
            there["back"] = _ask(self._sender)
        return there

    def watch(self, seconds, until=None):
        """Reports of the time added up; ends early once until(total) is true."""
        total = self.report()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and until(total)):
            time.sleep(0.1)
            add(total, self.report())
        return total

    def close(self):
        for process in (self._sender, self._receiver):
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _open(lab, role, command):
    return subprocess.Popen(in_namespace(lab.namespace(role), *command), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True, bufsize=1)


def _ask(process):
    try:
        process.stdin.write("report\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        line = ""
    if not line:
        raise LabError("the packet stream has ended by itself")
    return json.loads(line)


def add(total, more):
    """A report on top of the one before."""
    for key, value in more.items():
        if key == "back":
            add(total["back"], value)
        elif key in ("gap_ms", "longest_run"):
            total[key] = max(total[key], value)
        else:
            total[key] += value
