"""Adds a round-trip time between the gateway and AWS: netem where the kernel has it, else a relay of our own.

The relay is a wire with a length: a process that holds each frame between two interfaces for half the time (topology.py decides).
Run as a program: delay.py relay INTERFACE1 INTERFACE2 MILLISECONDS (inside the namespace of both), and
delay.py plain INTERFACE on each far end first: a veth leaves checksums and segmentation to hardware that a relay
of whole frames is not.
"""
import array
import collections
import fcntl
import select
import socket
import struct
import sys
import time

_SIOCETHTOOL = 0x8946
_SET_OFF = (0x17, 0x1F, 0x24)  # ETHTOOL_STXCSUM, _STSO, _SGSO
_OUTGOING = 4  # sll_pkttype of frames that this host sends itself


def plain(interface):
    """Whole packets with finished checksums leave this interface from now on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in _SET_OFF:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP", interface.encode(), value.buffer_info()[0]).ljust(40, b"\0")
            fcntl.ioctl(any_socket, _SIOCETHTOOL, request)


def relay(first, second, milliseconds):
    wires = [_open(first), _open(second)]
    queues = {wires[0]: collections.deque(), wires[1]: collections.deque()}
    other = {wires[0]: wires[1], wires[1]: wires[0]}
    poll = select.poll()
    by_number = {wire.fileno(): wire for wire in wires}
    for wire in wires:
        poll.register(wire, select.POLLIN)
    while True:
        due = min((queue[0][0] for queue in queues.values() if queue), default=None)
        wait = None if due is None else max(0.0, (due - time.monotonic()) * 1000)
        for number, _ in poll.poll(wait):
            _take(by_number[number], queues[other[by_number[number]]], milliseconds / 1000)
        _release(queues)


def _open(interface):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((interface, 3))
    wire.setblocking(False)
    return wire


def _take(wire, queue, seconds):
    while True:
        try:
            frame, address = wire.recvfrom(65536)
        except BlockingIOError:
            return
        if address[2] != _OUTGOING:
            queue.append((time.monotonic() + seconds, frame))


def _release(queues):
    now = time.monotonic()
    for wire, queue in queues.items():
        while queue and queue[0][0] <= now:
            try:
                wire.send(queue.popleft()[1])
            except OSError:
                pass  # a wire loses what it cannot carry


if __name__ == "__main__":
    if sys.argv[1] == "plain":
        plain(sys.argv[2])
    else:
        relay(sys.argv[2], sys.argv[3], float(sys.argv[4]))
