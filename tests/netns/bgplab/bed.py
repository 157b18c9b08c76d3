"""Two namespaces and a cable: the speaker under test at one end, everybody else at the other."""
import contextlib
import os
import tempfile

from cgwlab import topology
from cgwlab.shell import ip_batch, run

SPEAKER, SPEAKER_V6, AS = "10.99.0.1", "fd00:99::1", 65000
OUTSIDE_AS = 64700


class Bed:
    def __init__(self, directory, near, far):
        self.directory, self.near, self.far = directory, near, far

    def folder(self, name):
        path = os.path.join(self.directory, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)
        return path

    def add_addresses(self, addresses):
        ip_batch(self.far, [f"addr add {one}/{64 if ':' in one else 16} dev f0" for one in addresses])


@contextlib.contextmanager
def bed(addresses=()):
    near, far = f"cgwlab{os.getpid()}-s", f"cgwlab{os.getpid()}-f"
    with tempfile.TemporaryDirectory(prefix="cgwlab") as directory:
        os.chmod(directory, 0o755)
        try:
            for namespace in (near, far):
                topology.make_namespace(namespace, ipv6=True)
            run("ip", "link", "add", "name", "s0", "netns", near, "type", "veth", "peer", "name", "f0", "netns", far)
            ip_batch(near, [f"addr add {SPEAKER}/16 dev s0", f"addr add {SPEAKER_V6}/64 dev s0", "link set s0 up"])
            ip_batch(far, ["link set f0 up"])
            made = Bed(directory, near, far)
            made.add_addresses(addresses)
            yield made
        finally:
            for namespace in (near, far):
                run("ip", "netns", "del", namespace, check=False)
