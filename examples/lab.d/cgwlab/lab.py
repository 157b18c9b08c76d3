"""A lab's life: up, use, down."""
import os
import re
import shutil
import signal
import sys

from . import awsxml, delay, plan, processes, topology
from .endpoint import Endpoint
from .pki import Pki
from .shell import LabError, in_namespace, run, write
from .state import State
from .vpc import Vpc


class Lab:
    """Made by Lab.create(options) or Lab.open(directory). As a context manager it tears itself down."""

    def __init__(self, state):
        self.state = state
        self.options = state.options
        self.vpc = Vpc(state)
        self.endpoints = {number: Endpoint(state, number) for number in plan.TUNNELS}

    @classmethod
    def open(cls, directory):
        return cls(State.load(directory))

    @classmethod
    def create(cls, options):
        """Builds everything; on any failure or interruption everything is taken down again."""
        options.check()
        if os.geteuid() != 0:
            raise LabError("network namespaces need root: run as root")
        options.directory = os.path.abspath(options.directory)
        taken = {options.namespace(role) for role in options.roles()} & topology.existing_namespaces()
        if taken:
            raise LabError(f"namespace {sorted(taken)[0]} exists: 'lab down' for the old lab, or another --name")
        os.makedirs(options.directory, mode=0o700, exist_ok=True)
        lab = cls(State(options))
        lab.state.save()
        try:
            lab._build()
        except BaseException:
            lab.down()
            raise
        return lab

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    @property
    def xml(self):
        return os.path.join(self.options.directory, "customer-gateway.xml")

    @property
    def pki(self):
        return Pki(os.path.join(self.options.directory, "pki"), self.options.authentication)

    def namespace(self, role):
        return self.options.namespace(role)

    def keys(self):
        """The pre-shared keys by tunnel, from the file that AWS would have given."""
        with open(self.xml) as file:
            found = re.findall(r"<pre_shared_key>([^<]*)<", file.read())
        return dict(zip(plan.TUNNELS, found))

    def folder(self, name):
        """A folder for somebody's files, which down() removes."""
        path = os.path.join(self.options.directory, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        if name not in self.state.folders:
            self.state.folders.append(name)
            self.state.save()
        return path

    def remember(self, name, record):
        """Adds a started process to those that down() ends."""
        self.state.processes[name] = record
        self.state.save()

    def spawn(self, name, role, command, output, environment=None):
        """Starts a process of the caller's in a namespace; down() ends it if the caller has not."""
        record = _uninterrupted(lambda: self._spawn(name, role, command, output, environment))
        return record

    def run(self, role, *command, check=True, timeout=60, input_text=None):
        return run(*in_namespace(self.namespace(role), *command), check=check, timeout=timeout,
                   input_text=input_text)

    def start_endpoints(self, numbers):
        secrets = self.keys()
        for number in numbers:
            self._start(f"vgw{number}-charon", self.endpoints[number].start_charon)
        for number in numbers:
            endpoint = self.endpoints[number]
            endpoint.charon.wait_ready(self.state.processes[f"vgw{number}-charon"])
            endpoint.prepare(secrets.get(number))
            self._start(f"vgw{number}-bird", endpoint.start_bird)
        for number in numbers:
            self.endpoints[number].bird.wait_ready(self.state.processes[f"vgw{number}-bird"])

    def down(self):
        """Ends what this lab started, deletes its namespaces and its state; safe to call at any moment."""
        _uninterrupted(self._down)

    def _down(self):
        processes.stop(list(self.state.processes.values()))
        self.state.processes = {}
        there = topology.existing_namespaces()
        for namespace in self.state.namespaces:
            if namespace in there:
                run("ip", "netns", "del", namespace, check=False)
        self._remove_files()

    def _build(self):
        for role in self.options.roles():
            name = self.namespace(role)
            self.state.namespaces.append(name)
            self.state.save()
            topology.make_namespace(name, self.options.outside == "ipv6")
        if topology.make_links(self.options) == "relay":
            self._start_relay(self.options.delay / 2)
        topology.make_routes(self.options)
        for name in ("vgw1", "vgw2", "vpc"):
            self.folder(name)
        self.state.esp = topology.esp_mode(self.options)
        self.state.save()
        # The parts that depend on the ESP mode are made anew for it.
        self.endpoints = {number: Endpoint(self.state, number) for number in plan.TUNNELS}
        by_key = self.options.authentication == "psk"
        if not by_key:
            self.folder("pki")
            self.pki.create()
        keys = {number: awsxml.new_key() if by_key else "" for number in plan.TUNNELS}
        write(self.xml, awsxml.customer_gateway_xml(self.options, keys), mode=0o600)
        extra = "".join(f"route {prefix} blackhole;\n" for prefix in plan.extra_prefixes(self.options.prefixes))
        write(os.path.join(self.options.directory, "prefixes.conf"), extra)
        self._start("vpc-bird", self.vpc.start_bird)
        self.start_endpoints(plan.TUNNELS)
        self.vpc.bird.wait_ready(self.state.processes["vpc-bird"])

    def _start(self, name, starter):
        _uninterrupted(lambda: self.remember(name, starter()))

    def _spawn(self, name, role, command, output, environment):
        record = processes.start(self.namespace(role), command, output, environment)
        self.remember(name, record)
        return record

    def _start_relay(self, half):
        self._start("delay", lambda: processes.start(
            self.namespace("net"), [sys.executable, delay.__file__, "relay", "relay0", "relay1", str(half)],
            os.path.join(self.options.directory, "delay.out")))

    def _remove_files(self):
        directory = self.options.directory
        for name in self.state.folders:
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
        for name in ("state.json", "customer-gateway.xml", "prefixes.conf", "delay.out"):
            try:
                os.unlink(os.path.join(directory, name))
            except FileNotFoundError:
                pass
        try:
            os.rmdir(directory)
        except OSError:
            pass  # not empty: the user's own files stay


def _uninterrupted(action):
    """Between a process's start and its record no Ctrl-C: it would be forgotten."""
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        return action()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
