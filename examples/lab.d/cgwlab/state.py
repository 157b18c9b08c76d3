"""What a lab made, on disk: enough for another process to tear it down."""
import json
import os

from .plan import Options
from .shell import LabError, write


class State:
    def __init__(self, options):
        self.options = options
        self.namespaces = []
        self.processes = {}   # name -> {"pid", "start"}
        self.folders = []     # made inside the lab's directory
        self.esp = "libipsec"
        self.preferred = 1    # the tunnel AWS sends on

    @property
    def path(self):
        return os.path.join(self.options.directory, "state.json")

    def save(self):
        write(self.path, json.dumps({
            "options": vars(self.options), "namespaces": self.namespaces, "processes": self.processes,
            "folders": self.folders, "esp": self.esp, "preferred": self.preferred}, indent=1), mode=0o600)

    @classmethod
    def load(cls, directory):
        path = os.path.join(directory, "state.json")
        try:
            with open(path) as file:
                found = json.load(file)
        except FileNotFoundError:
            raise LabError(f"no lab in {directory} (no state.json): start one with 'lab up'") from None
        except (OSError, ValueError) as error:
            raise LabError(f"{path}: {error}") from None
        state = cls(Options(**found["options"]))
        state.namespaces = found["namespaces"]
        state.processes = found["processes"]
        state.folders = found["folders"]
        state.esp = found["esp"]
        state.preferred = found["preferred"]
        return state
