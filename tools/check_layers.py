#!/usr/bin/env python3
"""Fails when the code breaks a rule that the compiler cannot see. Run with every build.

1. Pure directories do no I/O, read no clock and know no event loop.
2. Includes go one way: base <- (bgp, ipsec, rib, health, config) <- kernel <- daemon; cli stands on base and
   config alone; bgp, ipsec, rib and health do not know each other.
3. co_await stands alone: `co_await f(x);` or `auto r = co_await f(x);`, never inside a condition or
   a larger expression, and its operand builds no aggregate and no lambda. g++ 12 destroys those
   temporaries twice (CONTRIBUTING.md).
"""
import pathlib
import re
import sys

PURE = ("base", "bgp", "ipsec", "rib", "health", "config")
MAY_INCLUDE = {
    "base": (),
    "bgp": ("base",),
    "ipsec": ("base",),
    "rib": ("base",),
    "health": ("base",),
    "config": ("base",),
    "kernel": ("base", "bgp", "ipsec", "rib", "health", "config"),
    "daemon": ("base", "bgp", "ipsec", "rib", "health", "config", "kernel"),
    "cli": ("base", "config"),
}
INCLUDE = re.compile(r'^\s*#include "(\w+)/')
FORBIDDEN = re.compile(
    r"#include <(boost/asio|sys/socket|netlink|linux|thread|mutex|iostream|random)"
    r"|_clock::now\(|\brand\(|getenv\(|RAND_bytes|std::unordered_")
AWAIT = re.compile(r"(?P<before>[^;{}]*)\bco_await\b(?P<operand>[^;]*);")
STANDS_ALONE = re.compile(r"\s*((const )?auto[^=;(]*=|[\w.\->]+\s*=|co_return)?\s*$")
BUILDS_TEMPORARY = re.compile(r"[{}]|\[[^\]]*\]\s*[({]")


def blank_comments(text):
    """Comments and string literals become spaces, so line numbers stay right."""
    keep_lines = lambda m: re.sub(r"[^\n]", " ", m.group())
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', keep_lines, text, flags=re.S)


def findings(root, path):
    raw = path.read_text()
    code = blank_comments(raw)
    rel = path.relative_to(root)
    if rel.parts[0] in PURE:
        for n, line in enumerate(raw.splitlines(), 1):
            if FORBIDDEN.search(line):
                yield f"{rel}:{n}: not allowed in a pure directory: {line.strip()}"
    room = rel.parts[0]
    if room in MAY_INCLUDE:
        for n, line in enumerate(raw.splitlines(), 1):
            m = INCLUDE.match(line)
            if m and m[1] != room and m[1] not in MAY_INCLUDE[room]:
                yield f"{rel}:{n}: {room}/ must not include {m[1]}/: {line.strip()}"
    for m in AWAIT.finditer(code):
        if not STANDS_ALONE.match(m["before"]) or BUILDS_TEMPORARY.search(m["operand"]):
            line = code.count("\n", 0, m.start("operand")) + 1
            yield f"{rel}:{line}: give it a name before co_await (g++ 12 double-free)"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    sources = sorted(p for p in root.rglob("*.[ch]pp") if not any(part.startswith(("build", ".")) for part in p.relative_to(root).parts))
    found = [f for p in sources for f in findings(root, p)]
    print("\n".join(found) or f"{len(sources)} files, nothing to report")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
