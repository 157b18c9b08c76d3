"""bgp_host (bench/bgp_host.cpp) as a process to talk to: cgwd's speaker without its daemon."""
import json
import os
import signal
import subprocess

from cgwlab.shell import LabError, in_namespace, tail, wait_for

from . import bed


class Host:
    """words: neighbors 'ADDRESS:AS,...' in the order of their numbers, then networks 'PREFIX,...'."""

    def __init__(self, made, build, *words):
        path = os.path.join(os.path.abspath(build), "tests/netns/bgp_host")
        if not os.path.exists(path):
            raise LabError(f"no bgp_host in {build}: build it first (ninja -C {build} tests/netns/bgp_host)")
        self.log = os.path.join(made.folder("host"), "log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                in_namespace(made.near, path, f"{bed.SPEAKER},{bed.SPEAKER_V6}", str(bed.AS), *words), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True)

    def ask(self, command):
        self.tell(command)
        line = self.process.stdout.readline()
        if not line:
            raise LabError(f"bgp_host has ended: {tail(self.log, 5)}")
        return json.loads(line)

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def status(self, number):
        return self.ask(f"status {number}")

    def routes(self, prefix, number):
        return [one for one in self.ask("routes") if one["prefix"] == prefix and one["neighbor"] == number]

    def wait_up(self, number, seconds=30):
        wait_for(f"the session with neighbor {number}: {tail(self.log, 5)}",
                 lambda: self.status(number)["state"] == "Established", seconds, 0.1)

    def kill(self):
        """Without a word, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()
