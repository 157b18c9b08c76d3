"""Malformed BGP messages, judged from outside. The whole table, and the same for other speakers: tests/netns/bgp_errors."""
from bgplab import openings, speakers, trial
from bgplab.bed import bed
from harness import check, scenario


def against_cgwd(build, body):
    with bed() as made:
        side = speakers.Cgwd(made, build)
        bench = None
        try:
            bench = trial.Bench(made, side)
            body(bench)
        finally:
            if bench:
                bench.close()
            side.stop()


@scenario("every malformed attribute and UPDATE has the outcome of its RFC, seen by BIRD; nothing malformed is passed on", lab=False)
def malformed_updates(build):
    def body(bench):
        wrong = []
        for row, kind, place, expected in trial.plan(("first",)):
            one = bench.run(row, kind, place, expected)
            if not one.right or one.emitted:
                wrong.append(f"{one.what} from {kind}: {one.outcome} instead of {' or '.join(sorted(expected))} "
                             f"[RFC {one.section}] {one.detail} {one.emitted}")
        check(not wrong, "\n".join(wrong))
    against_cgwd(build, body)


@scenario("every malformed header and OPEN, and every message out of turn, is answered as its RFC says", lab=False)
def malformed_openings(build):
    def body(bench):
        wrong = []
        for case in openings.ALL:
            outcome = openings.run(bench, case)
            if outcome not in case.expected:
                wrong.append(f"{case.what}: {outcome} instead of {' or '.join(sorted(case.expected))} [RFC {case.section}]")
        check(not wrong, "\n".join(wrong))
    against_cgwd(build, body)
