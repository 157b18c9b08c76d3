"""A BGP speaker made of one socket: it says what it is told to, and remembers what it heard."""
import contextlib
import ctypes
import os
import select
import socket
import time

from cgwlab.shell import LabError

from . import strict, wire

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def inside(namespace):
    """Sockets made in this block belong to the namespace. (os.setns comes with Python 3.12.)"""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if _LIBC.setns(there, _CLONE_NEWNET) != 0:
            raise LabError(f"setns to {namespace}: {os.strerror(ctypes.get_errno())}")
        yield
    finally:
        _LIBC.setns(home, _CLONE_NEWNET)
        os.close(there)
        os.close(home)


class Speaker:
    def __init__(self, namespace, source, target, asn, remote_as, capabilities=None):
        self.namespace, self.source, self.target = namespace, source, target
        self.asn, self.remote_as, self.capabilities = asn, remote_as, capabilities
        self.socket = None
        self.forget()

    def forget(self):
        self.stream, self.opened, self.established = b"", False, False
        self.closed = None  # in words, once it is
        self.notification = None  # (code, subcode) that was received
        self.heard = []  # kinds of messages, in order
        self.routes = {}  # prefix -> [(flags, type, value)]
        self.complaints = []
        self.mute = False  # sends no KEEPALIVE

    @property
    def ebgp(self):
        return self.asn != self.remote_as

    def connect(self):
        """TCP only; false when nobody listens there now."""
        self.close()
        self.forget()
        with inside(self.namespace):
            link = socket.socket(socket.AF_INET6 if ":" in self.target else socket.AF_INET)
        try:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.bind((self.source, 0))
            link.settimeout(2)
            link.connect((self.target, 179))
            link.setblocking(False)
        except OSError as error:
            link.close()
            self.closed = str(error)
            return False
        self.socket = link
        return True

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def send(self, *messages):
        try:
            for octets in messages:
                self.socket.sendall(octets)
        except (OSError, AttributeError) as error:
            self.closed = self.closed or str(error)

    def establish(self, seconds=10, others=()):
        """Comes to Established, or says why not within the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.connect():
                time.sleep(0.1)
                continue
            self.send(wire.open_message(self.asn, self.router_id, self.capabilities))
            while not self.closed and not self.established and time.monotonic() < end:
                pump([self, *others], 0.1)
            if self.established:
                return True
            time.sleep(0.1)
        return False

    @property
    def router_id(self):
        return self.source if "." in self.source else "10.255.0." + str(int(self.source.rpartition(":")[2], 16))

    def read(self):
        """What has arrived, without waiting."""
        try:
            while self.socket and not self.closed:
                octets = self.socket.recv(1 << 16)
                if not octets:
                    self.closed = "closed by the peer"
                self.stream += octets
        except BlockingIOError:
            pass
        except OSError as error:
            self.closed = str(error)
        found, self.stream = wire.split(self.stream)
        for kind, body in found:
            self.take(kind, body)

    def take(self, kind, body):
        self.heard.append(kind)
        if kind == wire.OPEN:
            self.opened = True
            if not self.mute:
                self.send(wire.message(wire.KEEPALIVE))
        elif kind == wire.KEEPALIVE:
            if self.established and not self.mute:
                self.send(wire.message(wire.KEEPALIVE))
            self.established = self.established or self.opened and not self.mute
        elif kind == wire.NOTIFICATION:
            self.notification = (body[0], body[1])
            self.closed = f"NOTIFICATION {body[0]}/{body[1]}"
        elif kind == wire.UPDATE:
            self.take_update(body)

    def take_update(self, body):
        self.complaints += strict.complaints(body, self.ebgp, self.remote_as)
        try:
            update = wire.Update(body)
        except (ValueError, IndexError):
            return
        for one in update.withdrawn:
            self.routes.pop(one, None)
        for one in update.announced:
            self.routes[one] = update.attributes


def pump(speakers, seconds):
    """Waits for octets to any of them, and reads."""
    links = {one.socket: one for one in speakers if one.socket and not one.closed}
    if not links:
        time.sleep(min(seconds, 0.01))
        return
    for link in select.select(list(links), [], [], seconds)[0]:
        links[link].read()
