"""Running commands, and the one exception of the lab."""
import os
import subprocess
import time


class LabError(Exception):
    """What went wrong, in words a user can act on."""


def run(*command, check=True, input_text=None, timeout=60):
    """Runs a command and returns its output; with check, a failure becomes a LabError with the output."""
    try:
        done = subprocess.run(command, input=input_text, text=True, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=None if input_text is not None else subprocess.DEVNULL)
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed: run tools/install lab") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"'{' '.join(command)}' did not end within {timeout} s") from None
    if check and done.returncode != 0:
        raise LabError(f"'{' '.join(command)}' failed: {done.stdout.strip() or done.returncode}")
    return done.stdout


def ip_batch(namespace, lines):
    """Many ip(8) commands in one process."""
    run("ip", "-n", namespace, "-batch", "-", input_text="\n".join(lines) + "\n")


def in_namespace(namespace, *command):
    return ("ip", "netns", "exec", namespace, *command)


def wait_for(what, condition, seconds, interval=0.05):
    """Polls until condition() is true; its last value is returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds:g} s")
        time.sleep(interval)


def write(path, text, mode=0o644):
    """Replaces a file at once, with its mode from the beginning."""
    temporary = f"{path}.new"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    os.replace(temporary, path)


def tail(path, lines=10):
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:]).rstrip()
    except OSError:
        return ""
