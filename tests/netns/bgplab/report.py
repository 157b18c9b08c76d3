"""The results of all speakers as one page: docs/bgp-errors.md."""
from . import trial

HEAD = """# What BGP speakers make of malformed messages

Every UPDATE of `tests/netns/bgplab/cases.py` and `messages.py` goes from an injector to a speaker, which passes routes on to a BIRD and to two readers of
octets, one of another AS and one of its own; these say what became of a route that was good before. An attribute's case is sent with the attribute first, in
the middle and last, from an eBGP neighbor and from an iBGP one. `openings.py` has headers, OPENs and messages out of turn; there the answer on the wire counts.
What is right is written beside each case, from the RFCs, and where they leave a choice any will do; an attribute that a speaker does not implement may be treated
as unknown. All speakers are as Debian 12 ships them, without policy, with both families. GoBGP has `treat-as-withdraw` on, which is off by default, and is told
its IPv6 next hop. cgwd is its speaker on sockets (bench/bgp_host.cpp).

    tests/netns/bgp_errors --build build/release --results bgp.json         all speakers, one after the other (some minutes; --dut NAME for one)
    tests/netns/bgp_errors --results bgp.json --write docs/bgp-errors.md    this page, from the results

`tests/netns/run malformed_updates malformed_openings` is the share of it that the tests run against cgwd.
"""
OUTCOMES = """
kept: the route is used and the attribute goes on. discarded: the route is used, the attribute does not go on. withdrawn: the route is gone. stale: the route from
before is still used, as if nothing had come. disabled: one address family is given up. reset: the session ends. N/M: NOTIFICATION of that code and subcode. up: the
session stands. silent: no answer. `.` is right in every place; `e` from an eBGP neighbor, `i` from an iBGP one, `o` from one with two-octet AS numbers; with places
in parentheses where it is not all three.
"""
LETTER = {"ebgp": "e", "ibgp": "i", "old": "o"}


def page(results):
    names = [name for name in results if results[name]["updates"]]
    return "\n".join([HEAD, *_summary(results, names), OUTCOMES, "## Attributes and whole UPDATEs\n", *_updates(results, names),
                      "\n## Headers, OPENs, states\n", *_openings(results, names)]) + "\n"


def _count(rows, condition):
    return sum(1 for one in rows if condition(one))


def _summary(results, names):
    lines = ["| | " + " | ".join(results[name]["version"] for name in names) + " |", "|---|" + "---|" * len(names)]

    def line(words, value):
        lines.append(f"| {words} | " + " | ".join(str(value(results[name])) for name in names) + " |")

    for kind, words in (("ebgp", "UPDATE from eBGP: right"), ("ibgp", "UPDATE from iBGP: right"), ("old", "UPDATE from an old speaker: right")):
        line(words, lambda one, kind=kind: f"{_count(one['updates'], lambda r: r['neighbor'] == kind and r['right'])} of "
             f"{_count(one['updates'], lambda r: r['neighbor'] == kind)}")
    line("headers, OPENs, states: right", lambda one: f"{_count(one['openings'], lambda r: r['right'])} of {len(one['openings'])}")
    line("sessions reset without need", lambda one: _count(one["updates"], lambda r: r["outcome"] == "reset" and not r["right"]))
    line("old routes kept", lambda one: _count(one["updates"], lambda r: r["outcome"] == "stale" and not r["right"]))
    line("malformed things passed on", lambda one: _count(one["updates"], lambda r: bool(r["emitted"])))
    line("crashes", lambda one: _count(one["updates"] + one["openings"], lambda r: r["outcome"] == "crashed"))
    return lines


def _updates(results, names):
    lines = ["| case | RFC | right | " + " | ".join(results[name]["version"].split()[0] for name in names) + " |",
             "|---|---|---|" + "---|" * len(names)]
    cases = {}
    for name in names:
        for one in results[name]["updates"]:
            cases.setdefault((one["what"], one["section"]), {}).setdefault(name, []).append(one)
    for (what, section), by_name in cases.items():
        first = next(iter(by_name.values()))
        lines.append(f"| {what} | {section} | {_expected(first)} | " + " | ".join(_cell(by_name.get(name, [])) for name in names) + " |")
    return lines


def _expected(rows):
    found = {}
    for one in rows:
        found.setdefault(" or ".join(one["rule"]), []).append(LETTER[one["neighbor"]])
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{''.join(dict.fromkeys(letters))} {words}" for words, letters in found.items())


def _cell(rows):
    if not rows:
        return "-"
    said = []
    for kind, letter in LETTER.items():
        wrong = {}
        for one in rows:
            if one["neighbor"] == kind and not one["right"]:
                wrong.setdefault(one["outcome"], []).append(one["place"])
        for outcome, places in wrong.items():
            where = "" if places == ["-"] or len(places) == len(trial.PLACES) else f" ({', '.join(places)})"
            said.append(f"{letter} {outcome}{where}")
    return "; ".join(said) or "."


def _openings(results, names):
    lines = ["| case | RFC | right | " + " | ".join(results[name]["version"].split()[0] for name in names) + " |",
             "|---|---|---|" + "---|" * len(names)]
    cases = {}
    for name in names:
        for one in results[name]["openings"]:
            cases.setdefault((one["what"], one["section"], " or ".join(one["expected"])), {})[name] = one
    for (what, section, right), by_name in cases.items():
        cells = ["-" if name not in by_name else "." if by_name[name]["right"] else by_name[name]["outcome"] for name in names]
        lines.append(f"| {what} | {section} | {right} | " + " | ".join(cells) + " |")
    return lines
