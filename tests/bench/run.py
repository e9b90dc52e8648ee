#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures libloop and its peers, in the same run and interleaved.

The exit status is 0 also when a bar is missed, 1 when something failed to run.
"""

import argparse
import fnmatch
import json
import math
import os
import platform
import statistics
import sys

sys.dont_write_bytecode = True  # a source tree may be read-only

import contest
from catalogue import BENCHMARKS

MEASURES = {
    "faster": "{peer}: {figure} {value:.2f} times as fast",
    "share": "{peer}: {figure} {value:.3f} of its",
    "cost": "{peer}: {figure} {value:.3f} of its",
    "more": "{peer}: {figure} {value:+.2f} %",
    "less": "{peer}: {figure} lower by {value:.2f} %",
    "least": "{figure} {value:.3f}",
    "most": "{figure} {value:.1f}",
}


def options():
    parser = argparse.ArgumentParser(
        prog="dev bench", description="Measures libloop against its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help='benchmarks, "echo" for all whose names begin so, or patterns')
    parser.add_argument("--list", action="store_true", help="list the benchmarks and end")
    parser.add_argument("--json", metavar="FILE", help="write everything there too")
    parser.add_argument("--quick", action="store_true",
                        help="one short round, which shows that all works and measures nothing")
    parser.add_argument("--cpus", metavar="S,L",
                        help='pin what is measured to S and what drives it to L ("none": not)')
    parser.add_argument("--build-dir", metavar="DIR", help="where the programs are")
    return parser.parse_args()


def choose(names):
    chosen = []
    for name in names or ["*"]:
        found = [b for b in BENCHMARKS
                 if b.name == name or b.name.startswith(name + "-")
                 or fnmatch.fnmatchcase(b.name, name)]
        if not found:
            sys.exit(f"run.py: there is no benchmark {name}; --list names them")
        chosen += [b for b in found if b not in chosen]
    return chosen


def programs_dir(given):
    here = os.path.dirname(os.path.abspath(__file__))
    builds = [os.environ.get("LOOP_BUILDDIR"), os.path.join(here, "..", "..", "_build"), "."]
    places = [given] if given else [os.path.join(build, "tests", "bench")
                                    for build in builds if build]
    for path in places:
        if os.access(os.path.join(path, "load"), os.X_OK):
            return os.path.normpath(path)
    sys.exit("run.py: the programs are not built; make bench-programs, or say --build-dir")


def placement(text):
    if text == "none":
        return None
    if text:
        first, second = text.split(",")
        return int(first), int(second)
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[1 % len(usable)]


def machine(cpus):
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    if cpus is None:
        where = "nothing is pinned"
    elif cpus[0] == cpus[1]:
        where = f"all on CPU {cpus[0]}: one competes with the other"
    else:
        where = f"what is measured on CPU {cpus[0]}, what drives it on CPU {cpus[1]}"
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "placement": where}


def compare(check, mine, other):
    """A check's value for one turn of both."""
    if check.kind in ("least", "most"):
        return mine
    if check.kind == "faster":
        return other / mine
    if check.kind == "more":
        return (mine / other - 1) * 100
    if check.kind == "less":
        return (1 - mine / other) * 100
    return mine / other


def judge(check, results, quick):
    """Compares turn by turn: what slowed one slowed the other."""
    heading = {"subject": check.subject, "peer": check.peer, "figure": check.figure,
               "kind": check.kind, "bar": check.bar, "aim": check.aim}
    mine = results.get(check.subject, {}).get(check.figure)
    other = results.get(check.peer, {}).get(check.figure) if check.peer else mine
    if not mine or not other or min(other) <= 0 or (min(mine) <= 0 and check.kind != "most"):
        return dict(heading, value=None, verdict="not measured")

    values = [compare(check, *pair) for pair in zip(mine, other)]
    value = statistics.median(values)
    at_least = check.kind in ("faster", "share", "least")

    def meets(limit):
        return value >= limit if at_least else value <= limit

    if quick:
        return dict(heading, value=value, values=values, verdict="not judged")
    verdict = "bar met" if meets(check.bar) else "bar missed"
    if check.aim is not None:
        verdict += ", aim met" if meets(check.aim) else ", aim missed"
    return dict(heading, value=value, values=values, verdict=verdict)


def summarize(results):
    return {name: {key: {"median": statistics.median(values), "values": values}
                   for key, values in figures.items()}
            for name, figures in results.items()}


def quartile_distance(values):
    if len(values) < 2:
        return 0
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return upper - lower


def print_table(benchmark, results):
    """A line for each contender; after the first figure its spread between the quartiles,
    and libloop's against it."""
    key, heading, form = benchmark.figures[0]
    first = benchmark.contenders[0].name
    rows = [["", heading, "spread", first + " ÷ it"] + [h for _, h, _ in benchmark.figures[1:]]]
    for contender in benchmark.contenders:
        figures = results.get(contender.name)
        if not figures:
            rows.append([contender.name, "not built"] + [""] * (len(rows[0]) - 2))
            continue
        value = statistics.median(figures[key])
        spread = quartile_distance(figures[key]) / value if value else 0
        row = [contender.name, form.format(value), f"{spread:.0%}", ""]
        if results.get(first) and contender.name != first:
            row[3] = "{:.3f}".format(statistics.median(
                a / b if b else math.inf for a, b in zip(results[first][key], figures[key])))
        for other, _, other_form in benchmark.figures[1:]:
            values = figures.get(other)
            row.append(other_form.format(statistics.median(values)) if values else "")
        rows.append(row)

    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip())


def print_checks(benchmark, checks):
    names = {key: heading for key, heading, _ in benchmark.figures}
    for check in checks:
        bound = "≥" if check["kind"] in ("faster", "share", "least") else "≤"
        figure = names[check["figure"]]
        against = f" against {check['peer']}" if check["peer"] else ""
        limits = f"bar {bound} {check['bar']:g}"
        if check["aim"] is not None:
            limits += f", aim {bound} {check['aim']:g}"
        if check["value"] is None:
            print(f"  {check['subject']}{against}, {figure}: not measured ({limits})")
            continue
        text = MEASURES[check["kind"]].format(peer="against " + str(check["peer"]), figure=figure,
                                              value=check["value"])
        print(f"  {check['subject']} {text}: {check['verdict']} ({limits})")


def main():
    arguments = options()
    if arguments.list:
        for benchmark in BENCHMARKS:
            print(f"{benchmark.name:20} {benchmark.title}")
        return 0

    chosen = choose(arguments.names)
    cpus = placement(arguments.cpus)
    settings = contest.Settings(programs_dir(arguments.build_dir), cpus, arguments.quick)
    here = machine(cpus)
    print(f"{here['cpu']}, {here['cpus']} CPUs, Linux {here['kernel']}; {here['placement']}")
    print("One short round: the figures mean nothing." if arguments.quick else
          f"Medians of {settings.rounds} rounds, contenders interleaved; ratios are medians of "
          "the ratios of neighbouring turns.")

    if arguments.json:
        # Better now than after ten minutes.
        with open(arguments.json, "w", encoding="utf-8"):
            pass

    report = {"machine": here, "quick": arguments.quick, "rounds": settings.rounds,
              "benchmarks": []}
    failed = False
    for benchmark in chosen:
        print(f"\n{benchmark.name}: {benchmark.title}", flush=True)
        before = settings.disturbed
        entry = {"name": benchmark.name, "title": benchmark.title}
        report["benchmarks"].append(entry)
        try:
            results = contest.run(settings, benchmark)
        except (contest.Failed, OSError, ValueError, KeyError) as error:
            print(f"  failed: {error}", flush=True)
            entry["failed"] = str(error)
            failed = True
            continue
        entry["contenders"] = summarize(results)
        entry["checks"] = [judge(check, results, arguments.quick)
                           for check in benchmark.checks]
        entry["retaken"] = settings.disturbed - before
        print_table(benchmark, results)
        print_checks(benchmark, entry["checks"])
        for note in benchmark.notes:
            print(f"  ({note})")
        if entry["retaken"]:
            print(f"  (the machine was busy: {entry['retaken']} samples were taken again)")

    missed = [(b["name"], c) for b in report["benchmarks"] for c in b.get("checks", [])
              if c["verdict"].startswith("bar missed")]
    print()
    for name, check in missed:
        peer = f" against {check['peer']}" if check["peer"] else ""
        print(f"bar missed: {name}, {check['subject']}{peer}, {check['figure']} "
              f"{check['value']:.3f}, bar {check['bar']:g}")
    met = sum(c["verdict"].startswith("bar met")
              for b in report["benchmarks"] for c in b.get("checks", []))
    print(f"{met} bars met, {len(missed)} missed.")

    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
            file.write("\n")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
