"""A client of strongSwan's control protocol (VICI): enough to load connections and to list SAs."""
import socket
import struct

from .shell import LabError

_REQUEST, _RESPONSE, _UNKNOWN, _REGISTER, _UNREGISTER, _CONFIRM, _NO_EVENT, _EVENT = range(8)
_SECTION, _SECTION_END, _VALUE, _LIST, _ITEM, _LIST_END = range(1, 7)


class Vici:
    def __init__(self, path, timeout=10.0):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def call(self, command, message=None):
        """One command; a refusal becomes a LabError with charon's words."""
        self._send(_REQUEST, command, message)
        answer = self._receive(_RESPONSE)
        if answer.get("success", "yes") != "yes":
            raise LabError(f"strongSwan refused {command}: {answer.get('errmsg', 'no reason given')}")
        return answer

    def stream(self, command, event, message=None):
        """A command that answers by events: the list of their messages."""
        self._send(_REGISTER, event)
        self._receive(_CONFIRM)
        self._send(_REQUEST, command, message)
        events = []
        while True:
            kind, body = self._packet()
            if kind == _EVENT:
                events.append(_decode(body[1 + body[0]:]))
            elif kind == _RESPONSE:
                return events
            else:
                raise LabError(f"strongSwan answered {command} with packet type {kind}")

    def _send(self, kind, name, message=None):
        body = bytes([kind, len(name)]) + name.encode() + _encode(message or {})
        self._socket.sendall(struct.pack("!I", len(body)) + body)

    def _receive(self, wanted):
        kind, body = self._packet()
        if kind != wanted:
            raise LabError(f"strongSwan does not know this command or event (packet type {kind})")
        return _decode(body)

    def _packet(self):
        length = struct.unpack("!I", self._exactly(4))[0]
        body = self._exactly(length)
        return body[0], body[1:]

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise LabError("strongSwan closed its control socket")
            data += more
        return data


def _encode(message):
    out = b""
    for key, value in message.items():
        name = bytes([len(key)]) + key.encode()
        if isinstance(value, dict):
            out += bytes([_SECTION]) + name + _encode(value) + bytes([_SECTION_END])
        elif isinstance(value, (list, tuple)):
            items = b"".join(bytes([_ITEM]) + _text(item) for item in value)
            out += bytes([_LIST]) + name + items + bytes([_LIST_END])
        else:
            out += bytes([_VALUE]) + name + _text(value)
    return out


def _text(value):
    data = str(value).encode()
    return struct.pack("!H", len(data)) + data


def _decode(data):
    root = {}
    stack, items, at = [root], None, 0
    while at < len(data):
        kind = data[at]
        at += 1
        if kind in (_SECTION, _VALUE, _LIST):
            key = data[at + 1:at + 1 + data[at]].decode()
            at += 1 + data[at]
        if kind in (_VALUE, _ITEM):
            length = struct.unpack_from("!H", data, at)[0]
            value = data[at + 2:at + 2 + length].decode(errors="replace")
            at += 2 + length
        if kind == _SECTION:
            stack[-1][key] = {}
            stack.append(stack[-1][key])
        elif kind == _SECTION_END:
            stack.pop()
        elif kind == _VALUE:
            stack[-1][key] = value
        elif kind == _LIST:
            items = stack[-1][key] = []
        elif kind == _ITEM:
            items.append(value)
    return root
