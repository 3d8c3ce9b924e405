#!/usr/bin/env python3
"""How long the statements of dashboards take: all of Tableau's workbook and of Superset's dashboard.

    dashboard.py [--rounds N] [--beside FILE] [--save FILE] CONNINFO

Each statement is sent N times (default: 7) in one session, the first not counted: its median, its worst, and the CPU time
that the server's process took at the least (a busy machine makes the first two longer, not this one).  Then the statements
that one look at a dashboard sends, by SESSIONS new sessions at once, as BI tools do: until the last one has its answer.
--save writes the figures down, --beside shows those of an earlier run as well.
"""
import argparse
import concurrent.futures
import json
import os
import statistics
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "test", "tableau"), os.path.join(TOP, "test", "lib")]

from libpq import Connection
from queries import Workbook

SESSIONS = 4
LIMIT, WHOLE_LIMIT = 100, 1000  # ms: a statement, a dashboard
SUPERSET = os.path.join(TOP, "test", "dashboard", "statements.sql")
WHEN = {"load": "opened", "range": "a range of days", "drill": "a category clicked"}
DAYS = {"Parameter_1": "2019-10-05", "Parameter_2": "2019-11-19"}
CATEGORY = {"[none:category_code:nk]": ["electronics.smartphone"]}


# ---- what is sent: {a look at a dashboard: [(what, statement)]} ----

def of_workbook(first, last):
    """As opened, when the parameters are the first and the last day, and as used: a range, a category, levels opened."""
    book = Workbook(os.path.join(TOP, "tableau", "ecinsight.twb"))
    whole = {"Parameter_1": first, "Parameter_2": last}
    looks = {}
    for dashboard in book.dashboards.values():
        opened = [("default of %s" % name, sql) for name, sql in book.defaults()]
        opened += [("filter of %s" % name, sql) for name, sql in dashboard.domains]
        opened += [(sheet.name, sheet.query(**whole)) for sheet in dashboard.sheets]
        looks["Tableau, %s: opened" % dashboard.name] = opened
        for what, changed in (("a range of days", DAYS), ("a category chosen", {**whole, "members": CATEGORY})):
            new = [(sheet.name, sheet.query(**changed)) for sheet in dashboard.sheets]
            new = [(name, sql) for name, sql in new if (name, sql) not in opened]
            if new:
                looks["Tableau, %s: %s" % (dashboard.name, what)] = new
    drill = book.sheets["Drill-down"]
    looks["Tableau, Products: levels opened"] = [("Drill-down to brands", drill.query(depth=2, **whole)),
                                                 ("Drill-down to products of a category", drill.query(depth=3, members=CATEGORY, **whole))]
    return looks


def of_superset():
    looks = {}
    with open(SUPERSET, encoding="utf-8") as file:
        lines = [line.rstrip("\n;") for line in file]
    for line, statement in zip(lines, lines[1:]):
        if line.startswith("-- ") and not statement.startswith("--"):
            when, what = line[3:].split(": ", 1)
            looks.setdefault("Superset: %s" % WHEN[when], []).append((what, statement))
    return looks


# ---- measuring ----

def cpu_of(pid):
    """Milliseconds so far; 0 if this system doesn't tell."""
    try:
        with open("/proc/%d/schedstat" % pid, encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e6
    except OSError:
        return 0


def measure(connection, statement, rounds):
    """Median, worst, least CPU."""
    times, cpu = [], []
    for _ in range(rounds + 1):
        start, before = time.monotonic(), cpu_of(connection.pid)
        connection.rows(statement)
        times.append((time.monotonic() - start) * 1000)
        cpu.append(cpu_of(connection.pid) - before)
    return statistics.median(times[1:]), max(times[1:]), min(cpu[1:])


def whole_look(conninfo, statements):
    """Milliseconds until all are answered, connecting included."""
    def session(mine):
        connection = Connection(conninfo)
        for _what, statement in mine:
            connection.rows(statement)
        connection.close()
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(session, [statements[n::SESSIONS] for n in range(min(SESSIONS, len(statements)))]))
    return (time.monotonic() - start) * 1000


def measure_all(conninfo, looks, rounds):
    figures = {}
    connection = Connection(conninfo)
    for look, statements in looks.items():
        for what, statement in statements:
            figures[look + "\t" + what] = measure(connection, statement, rounds)
        times = [whole_look(conninfo, statements) for _ in range(max(rounds // 2, 1))]
        figures[look] = (statistics.median(times), max(times), 0)
    connection.close()
    return figures


# ---- telling ----

def show(looks, figures, before):
    """before: figures of an earlier run, or None."""
    missed = []
    earlier = "%24s " % "idle: median   worst  CPU" if before else ""
    for look, statements in looks.items():
        print("\n%-42s %s%8s %7s %6s" % (look[:42], earlier, "median", "worst", "CPU"))
        for what, key, limit in [(w, look + "\t" + w, LIMIT) for w, _s in statements] + [("all of it", look, WHOLE_LIMIT)]:
            line = "  %-40s " % what
            if before:
                line += "%12.1f %8.1f %5.1f " % tuple(before[key])
            median, worst, cpu = figures[key]
            print(line + "%8.1f %7.1f %6.1f%s" % (median, worst, cpu, "  *" if median > limit else ""))
            if median > limit:
                missed.append("%s, %s" % (look, what))
    print("\n%d of %d within %d ms a statement and %d ms a dashboard (medians)%s" % (
        len(figures) - len(missed), len(figures), LIMIT, WHOLE_LIMIT, "; not:" if missed else ""))
    for what in missed:
        print("  * " + what)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--beside")
    parser.add_argument("--save")
    parser.add_argument("conninfo")
    options = parser.parse_args()
    connection = Connection(options.conninfo)
    first, last = connection.rows("SELECT first_event::date, last_event::date FROM insight.overview")[0]
    connection.close()
    before = None
    if options.beside:
        with open(options.beside, encoding="utf-8") as file:
            before = json.load(file)
        # The days on which the events ended then, so that the statements are the same.
        first, last = before.pop("days")
    looks = {**of_workbook(first, last), **of_superset()}
    figures = measure_all(options.conninfo, looks, options.rounds)
    if options.save:
        with open(options.save, "w", encoding="utf-8") as file:
            json.dump({**figures, "days": (first, last)}, file)
    show(looks, figures, before)


main()
