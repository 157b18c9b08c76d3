"""One BIRD inside a namespace, and a client of its control socket."""
import os
import re
import socket

from . import processes
from .shell import LabError, tail, wait_for, write


class Bird:
    def __init__(self, directory, namespace):
        self.directory = directory
        self.namespace = namespace

    @property
    def socket(self):
        return os.path.join(self.directory, "bird.ctl")

    def start(self, configuration):
        os.makedirs(self.directory, exist_ok=True)
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        path = self.configure_file(configuration)
        return processes.start(self.namespace, ["bird", "-f", "-c", path, "-s", self.socket],
                               os.path.join(self.directory, "bird.out"))

    def wait_ready(self, record, seconds=20):
        def ready():
            if not processes.alive(record):
                raise LabError(f"BIRD in {self.namespace} ended at once: "
                               + tail(os.path.join(self.directory, "bird.out"), 3))
            try:
                return self.ask("show status")
            except OSError:
                return None
        wait_for(f"BIRD in {self.namespace}", ready, seconds)

    def configure_file(self, configuration):
        path = os.path.join(self.directory, "bird.conf")
        log = os.path.join(self.directory, "bird.log")
        write(path, f'log "{log}" all;\n{configuration}')
        return path

    def configure(self, configuration):
        """Replaces the configuration of the running daemon."""
        self.configure_file(configuration)
        answer = self.ask("configure")
        if "econfigur" not in answer:
            raise LabError(f"BIRD in {self.namespace} refused its configuration: {answer}")

    def ask(self, command):
        """One command of birdc; the answer's text without its codes."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(20)
            link.connect(self.socket)
            reader = link.makefile("r", errors="replace")
            _answer(reader)
            link.sendall(command.encode() + b"\n")
            return _answer(reader)

    def protocol(self, name):
        """(state, info) of a protocol: ("up", "Established"), ("start", "Active Socket: ...")."""
        for line in self.ask(f"show protocols {name}").splitlines():
            words = line.split(None, 6)
            if words and words[0] == name:
                match = re.match(r"\S+\s+\S+\s+\S+\s+(\S+)\s+(?:\d{4}-\d\d-\d\d\s+)?\S+\s*(.*)", line)
                return (match[1], match[2].strip()) if match else (words[3], "")
        return ("missing", "")

    def imported(self, name):
        """How many routes a protocol has brought in."""
        match = re.search(r"Routes:\s+(\d+) imported", self.ask(f"show protocols all {name}"))
        return int(match[1]) if match else 0


def _answer(reader):
    """Lines 'NNNN-text' go on, 'NNNN text' ends, ' text' repeats the code before; 1000+ text is kept whole."""
    lines = []
    for line in reader:
        line = line.rstrip("\n")
        if re.match(r"\d{4}[ -]", line):
            lines.append(line[5:])
            if line[4] == " ":
                return "\n".join(lines).strip("\n")
        else:
            lines.append(line[1:])
    raise OSError("BIRD closed its control socket")
