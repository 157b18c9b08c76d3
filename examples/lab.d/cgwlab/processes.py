"""Processes the lab starts: each is remembered by pid and start time, so that only those are ended."""
import os
import signal
import subprocess
import time

from .shell import in_namespace


def start_time(pid):
    """Clock ticks since boot at which the process began; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def alive(record):
    return start_time(record["pid"]) == record["start"]


def start(namespace, command, output, environment=None):
    """Starts a daemon inside a namespace, away from our terminal. 'ip netns exec' execs: the pid is the daemon's."""
    with open(output, "ab") as log:
        child = subprocess.Popen(in_namespace(namespace, *command), stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, start_new_session=True,
                                 preexec_fn=_unblock_signals,
                                 env={**os.environ, **(environment or {})})
    return {"pid": child.pid, "start": start_time(child.pid)}


def _unblock_signals():
    """The lab blocks signals while it starts and records a process; the process must not inherit that."""
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def stop(records, how=signal.SIGTERM, seconds=5.0):
    """Ends the processes: the asked signal first, SIGKILL for those that are still there after the time."""
    left = [record for record in records if send(record, how)]
    end = time.monotonic() + seconds
    while left and time.monotonic() < end:
        time.sleep(0.02)
        left = [record for record in left if still_there(record)]
    for record in left:
        send(record, signal.SIGKILL)
    while any(still_there(record) for record in left):
        time.sleep(0.02)


def still_there(record):
    """A child of ours is a zombie until it is waited for; one of an earlier lab command is init's."""
    try:
        os.waitpid(record["pid"], os.WNOHANG)
    except ChildProcessError:
        pass
    return alive(record)


def send(record, how):
    if not alive(record):
        return False
    try:
        os.kill(record["pid"], how)
    except ProcessLookupError:
        return False
    return True
