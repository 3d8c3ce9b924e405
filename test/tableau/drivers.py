"""Tests with Tableau's drivers: pgjdbc in autocommit, psqlODBC with cursors; programs Shapes.java and shapes.c.

What they must give is what libpq gives on heap tables.  They connect by TCP with a password, as a role that has
nothing but what grant_read grants (and SELECT on two fixtures that grant_read can't know).
"""
import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import time

from workbook import TOP, TWB
from queries import Workbook

HERE = os.path.dirname(os.path.abspath(__file__))
SETTINGS = """
listen_addresses = '127.0.0.1'
log_statement = all
timezone = 'UTC'
password_encryption = 'scram-sha-256'
random_page_cost = 1.1
max_parallel_workers_per_gather = 0
"""
ROLE, PASSWORD = "tableau", "p%ss'w;rd}"
DATABASES = ("heap", "columnar", "view")
METHOD = {"heap": "heap", "columnar": "ecinsight_columnar", "view": "ecinsight_columnar"}
PGJDBC = "/usr/share/java/postgresql.jar"

# Columns of the shapes in terms of a view: category_hour, or product_day where products are wanted.
VIEW_COLUMNS = {'"events"."event_time"': '"events"."bucket"', '"events"."price"': '"events"."revenue"', '"events"."event_type"': '"events"."category_id"',
                '"events"."user_id"': '"events"."category_id"', '"events"."user_session"': '"events"."brand"',
                '"products"."product_id"': 'CAST("products"."product_id" AS TEXT)', '"public"."events"': '"insight"."%s"',
                "FROM public.events": "FROM insight.%s", "event_type, price": "category_id, revenue", "event_type <> 'x'": "category_id <> 'x'",
                "'purchase'": "'2053013550000000014'", "'cart'": "'2053013550000000013'"}
# What Tableau puts in place of parameters: a date, a number, a text with a quote.
PARAMETERS = {"From": "(DATE '2019-10-05')", "To": "(DATE '2019-10-19')", "Least price": "12.5", "Brand": "'O''Neill'"}
CUSTOM_SQL = (
    "SELECT * FROM ecinsight.top_user_categories('public.events', k := 10, since := CAST(<From> AS TIMESTAMP) AT TIME ZONE 'UTC',"
    " until := (CAST(<To> AS TIMESTAMP) + INTERVAL '1 DAY') AT TIME ZONE 'UTC')",
    "SELECT category_code, brand, price FROM public.events WHERE price >= <Least price> AND brand IS DISTINCT FROM <Brand>"
    " AND event_time >= CAST(<From> AS TIMESTAMP) AT TIME ZONE 'UTC'",
)


def make_shop(server, database):
    """A database with generated events, views, and a connection to it."""
    connection = server.connect()
    connection.rows("CREATE DATABASE %s" % database)
    connection.close()
    csv = os.path.join(server.directory, "events.csv")
    subprocess.run([os.path.join(TOP, "bin", "ecgen"), "--rows", "60000", "--output", csv], check=True, stdout=subprocess.DEVNULL)
    os.chmod(csv, 0o644)
    connection = server.connect(database)
    connection.rows("CREATE EXTENSION ecinsight")
    connection.rows("SELECT ecinsight.create_events_table('events')")
    connection.rows("COPY events FROM '%s' CSV HEADER" % csv)
    connection.rows("UPDATE events SET price = NULL WHERE product_id % 7 = 3")
    connection.rows("SELECT ecinsight.create_views('events')")
    return connection


# ---- the programs ----

class Driver:
    """Runs commands in one session; outcomes by command."""

    def __init__(self, name, command, cursors=False):
        self.name, self.command, self.cursors = name, command, cursors

    def run(self, server, database, commands, timezone="UTC", tls="disable"):
        command = self.command(server, database, timezone, tls)
        done = subprocess.run(command, input="".join(c + "\n" for c in commands), capture_output=True, text=True, encoding="utf-8",
                              env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False, timeout=600)
        if done.returncode != 0:
            raise RuntimeError("%s ended with %d: %s" % (self.name, done.returncode, done.stderr[-2000:]))
        return read_outcomes(done.stdout)


def run_all(server, sessions):
    """Outcomes of several sessions, two at a time; sessions: (program, database, commands, time zone)."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda s: s[0].run(server, s[1], s[2], timezone=s[3]), sessions))


Outcome = collections.namedtuple("Outcome", "columns rows changed error")


def read_outcomes(text):
    """One a command; several results of a command are joined, the columns are the last one's.  A failed connection: one."""
    outcomes = []
    for line in text.split("\n"):
        kind, _, rest = line.partition("\t")
        fields = [unescape(f) for f in rest.split("\t")]
        if kind == "S" or not outcomes:
            outcomes.append(Outcome([], [], [], []))
        if kind == "C":
            outcomes[-1].columns[:] = [tuple(f.rsplit(":", 1)) for f in fields]
        elif kind == "R":
            outcomes[-1].rows.append(tuple(fields))
        elif kind == "U":
            outcomes[-1].changed.append(int(fields[0]))
        elif kind == "E":
            outcomes[-1].error.append(": ".join(fields))
    return outcomes


def unescape(text):
    if "\\" not in text:
        return text
    if text == "\\N":
        return None
    return re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n"}.get(m[1], m[1]), text)


def build(directory):
    """Both programs, the second one as two drivers."""
    shutil.copy(os.path.join(HERE, "Shapes.java"), directory)
    subprocess.run(["ecj", "-17", "-proc:none", "-d", directory, os.path.join(directory, "Shapes.java")], check=True)
    program = os.path.join(directory, "shapes")
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-O1", "-o", program, os.path.join(HERE, "shapes.c"), "-lodbc"], check=True)

    def jdbc(server, database, timezone, tls):
        url = "jdbc:postgresql://127.0.0.1:%d/%s?ApplicationName=Tableau&sslmode=%s" % (server.port, database, tls)
        return ["java", "-XX:TieredStopAtLevel=1", "-Duser.timezone=" + timezone, "-cp", directory + ":" + PGJDBC, "Shapes", url, ROLE, PASSWORD]

    def odbc(cursors):
        return lambda server, database, timezone, tls: [program, (
            "Driver={PostgreSQL Unicode};Server=127.0.0.1;Port=%d;Database=%s;UID=%s;PWD={%s};UseDeclareFetch=%d;Fetch=10000;BoolsAsChar=0;"
            "SSLmode=%s;ConnSettings={SET TimeZone = '%s'}") % (
                server.port, database, ROLE, PASSWORD.replace("}", "}}"), cursors, tls, timezone)]

    return [Driver("pgjdbc", jdbc), Driver("psqlODBC", odbc(1), cursors=True), Driver("psqlODBC without cursors", odbc(0))]


# ---- the databases ----

def write_hba(server, kind):
    with open(os.path.join(server.data, "pg_hba.conf"), "w", encoding="utf-8") as hba:
        hba.write("local all all trust\n%s all %s 127.0.0.1/32 scram-sha-256\n" % (kind, ROLE))


def make_databases(server):
    connection = server.connect()
    connection.rows("CREATE ROLE %s LOGIN PASSWORD '%s'" % (ROLE, PASSWORD.replace("'", "''")))
    write_hba(server, "host")
    connection.rows("SELECT pg_reload_conf()")
    connections = {}
    with open(os.path.join(HERE, "fixtures.sql"), encoding="utf-8") as file:
        fixtures = file.read()
    for database in DATABASES:
        connection.rows("CREATE DATABASE %s" % database)
        connection.rows("ALTER DATABASE %s SET default_table_access_method = %s" % (database, "heap"))
        connections[database] = make_database(server, connection, database, fixtures)
    connection.close()
    return connections


def make_database(server, maintenance, database, fixtures):
    connection = server.connect(database)
    connection.rows("CREATE EXTENSION ecinsight")
    connection.rows("SET default_table_access_method = %s" % METHOD[database])
    connection.rows(fixtures)
    if database == "view":
        connection.rows("CREATE SCHEMA data")
        connection.rows("ALTER TABLE public.events SET SCHEMA data")
        connection.rows("CREATE VIEW public.events AS SELECT * FROM data.events")
    connection.rows("VACUUM ANALYZE")
    connection.rows("SELECT ecinsight.create_views('public.events')")
    maintenance.rows("ALTER DATABASE %s SET default_table_access_method = %s" % (database, METHOD[database]))
    # Nobody may do anything here any more: what the role can do comes from grant_read.
    maintenance.rows("REVOKE ALL ON DATABASE %s FROM PUBLIC" % database)
    connection.rows("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    return connection


def test_grant(check, server, connections, programs):
    """grant_read is enough to connect and to read, and no more than that."""
    for program in programs:
        before = program.run(server, "columnar", ["Q SELECT 1"])
        check.that("%s: no connection before grant_read" % program.name, "permission denied for database" in " ".join(before[0].error), str(before[0]))
    for connection in connections.values():
        connection.rows("SELECT ecinsight.grant_read('%s')" % ROLE)
    columnar = connections["columnar"]
    commands = ["Q SELECT count(*) FROM public.events", "Q CREATE TEMP TABLE t (a int)", "Q SELECT * FROM ecinsight.overview('public.events')"]
    commands += ["Q SELECT * FROM insight.%s LIMIT 1" % v for v in views_of(columnar)]
    for program in programs:
        for database in DATABASES:
            for command, outcome in zip(commands, program.run(server, database, commands)):
                check.same("%s, %s: allowed: %s" % (program.name, database, command), outcome.error, [])
    refused = ["INSERT INTO public.events DEFAULT VALUES", "UPDATE public.events SET price = 0", "DELETE FROM public.events", "TRUNCATE public.events",
               "CREATE TABLE public.t (a int)", "CREATE TABLE insight.t (a int)", "CREATE SCHEMA s", "SELECT * FROM public.products",
               "DELETE FROM insight.sales_day", "DROP VIEW insight.sales_day", "SELECT ecinsight.create_views('public.events')"]
    for command, outcome in zip(refused, programs[0].run(server, "columnar", ["Q " + r for r in refused])):
        check.that("refused: " + command, outcome.error and not outcome.rows and outcome.error[0].startswith(("42501", "55000")), str(outcome))
    check.same("nothing with the right to grant it on", columnar.rows(
        "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = '%s'::regrole AND (a.is_grantable OR a.privilege_type <> 'SELECT')" % ROLE),
        [("0",)])
    for connection in connections.values():
        connection.rows("GRANT SELECT ON public.products TO %s" % ROLE)


def views_of(connection):
    return [name for name, in connection.rows("SELECT viewname FROM pg_views WHERE schemaname = 'insight' ORDER BY 1")]


# ---- the statements ----

def read_shapes():
    """The statements of query_shapes.sql: one a line."""
    with open(os.path.join(HERE, "query_shapes.sql"), encoding="utf-8") as file:
        return [line.rstrip("\n;") for line in file if line.strip() and not line.startswith("--")]


def on_view(statement):
    view = "product_day" if "product_id" in statement else "category_hour"
    for column, other in VIEW_COLUMNS.items():
        statement = statement.replace(column, other.replace("%s", view))
    return statement


def put_values(statement):
    for name, value in PARAMETERS.items():
        statement = statement.replace("<%s>" % name, value)
    return statement


def custom_statements():
    """What Tableau makes of Custom SQL with parameters: a probe for its columns, then queries around it."""
    found = []
    for sql in CUSTOM_SQL:
        inner = "(%s) \"Custom SQL Query\"" % put_values(sql)
        found.append("SELECT * FROM %s LIMIT 0" % inner)
        found.append("SELECT * FROM %s WHERE (1 = 0)" % inner)
        found.append("SELECT CAST(\"Custom SQL Query\".\"category_code\" AS TEXT) AS \"category_code\", COUNT(1) AS \"cnt\" FROM %s GROUP BY 1" % inner)
        found.append("SELECT * FROM %s" % inner)
    return found


def is_query(statement):
    return statement.startswith("SELECT") and " INTO TEMPORARY TABLE " not in statement and '"#Tableau_1_2_Filter"' not in statement


def expected(connection, statement):
    """What libpq gets, and everything of which the rows may be if there is a LIMIT without ORDER BY."""
    rows = connection.rows(statement)
    limit = re.search(r" LIMIT (\d+)$", statement)
    if not limit or "ORDER BY" in statement:
        return rows, None
    return rows, connection.rows(statement[:limit.start()])


def plain(rows, columns, odbc):
    """A result whatever the driver: rows in order of their text; ODBC tells no time zones, and booleans by 1 and 0."""
    def value(text, kind):
        if text is None:
            return "\0"
        if odbc and kind == "-7":
            return {"t": "1", "f": "0"}.get(text, text)
        return text[:-3] if odbc and kind == "93" and text.endswith("+00") else text
    kinds = [kind for _name, kind in columns]
    return sorted(tuple(map(value, row, kinds)) for row in rows)


def compare(check, what, program, outcome, wanted, whole):
    """whole: the rows that may be, of which there are to be as many as wanted has."""
    if outcome.error:
        check.that(what, False, outcome.error[0])
        return
    odbc = program.name.startswith("psqlODBC")
    got = plain(outcome.rows, outcome.columns, odbc)
    if whole is None:
        check.same(what, got, plain(wanted, outcome.columns, odbc))
        return
    left = collections.Counter(got) - collections.Counter(plain(whole, outcome.columns, odbc))
    check.that(what, len(got) == len(wanted) and not left, "%d rows, %d wanted; not among them: %s" % (len(got), len(wanted), list(left)[:2]))


FILTER_METHOD = "SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = '#Tableau_1_2_Filter'"
ALL_ROWS = 'SELECT "events".*, n FROM "public"."events" "events", generate_series(1, 4) n'


def all_statements(connection):
    """(what it is, statement) of everything that a session runs, in order."""
    shapes, views, book = read_shapes(), views_of(connection), Workbook(TWB)
    again = [FILTER_METHOD, 'DROP TABLE "#Tableau_1_2_Filter"']
    ranged = {"Parameter_1": "2019-10-05", "Parameter_2": "2019-10-19"}
    found = [("", s) for s in shapes + again]
    found += [("on views, ", s) for s in [on_view(s) for s in shapes if '"events"' in s or "public.events" in s] + again]
    found += [("custom SQL, ", s) for s in custom_statements()]
    found += [("worksheet, ", " ".join(sheet.query(**p).split("\n"))) for sheet in book.sheets.values() for p in ({}, ranged)]
    found += [("worksheet, ", book.sheets["Drill-down"].query(depth=depth)) for depth in (2, 3)]
    found += [("filter, ", sql) for dashboard in book.dashboards.values() for _sheet, sql in dashboard.domains]
    found += [("parameter, ", sql) for _name, sql in book.defaults()]
    for view in views:
        found += [("view, ", 'SELECT * FROM "insight"."%s"%s' % (view, tail)) for tail in ("", " WHERE 1=0")]
    return found + [("all rows, ", ALL_ROWS)]


def uses_select_into(statement):
    return "Connect_CheckSelectIntoCap" in statement or "#Tableau_1_2_Filter" in statement


def wanted_of(heap, statements):
    """What libpq gets on heap tables, in one session as theirs."""
    wanted = []
    for _what, statement in statements:
        if is_query(statement):
            wanted.append(expected(heap, statement))
        elif statement.startswith("SELECT") and " INTO TEMPORARY TABLE " not in statement:
            wanted.append((heap.rows(statement), None))
        else:
            if not statement.startswith(("BEGIN", "COMMIT", "fetch", "close")):
                heap.rows(statement)
            wanted.append(None)
    return wanted


def test_shapes(check, server, connections, programs):
    statements = all_statements(connections["heap"])
    check.that("there are query shapes", sum(what == "" for what, _s in statements) >= 40)
    wanted = wanted_of(connections["heap"], statements)
    every = range(len(statements))
    # Without cursors only for what can't be done with them.
    few = [n for n in every if uses_select_into(statements[n][1])]
    chosen = {program: few if program is programs[2] else every for program in programs}
    pairs = [(program, database) for program in programs for database in DATABASES]
    sessions = run_all(server, [(p, d, ["Q " + statements[n][1] for n in chosen[p]], "UTC") for p, d in pairs])
    for (program, database), outcomes in zip(pairs, sessions):
        check.same("%s, %s: one outcome each" % (program.name, database), len(outcomes), len(chosen[program]))
        for n, outcome in zip(chosen[program], outcomes):
            (what, statement), want = statements[n], wanted[n]
            name = "%s, %s: %s%.150s" % (program.name, database, what, statement)
            if program.cursors and uses_select_into(statement):
                # This driver takes SELECT INTO for a query and declares a cursor; Tableau's probe tells it so.
                check.same(name, [e[:5] for e in outcome.error], ["42601" if " INTO " in statement else "42P01"] * (statement != FILTER_METHOD))
            elif statement == FILTER_METHOD:
                check.same(name, outcome.rows, [(METHOD[database],)])
            elif want is None or "current_database()" in statement:
                check.same(name, outcome.error, [])
            else:
                compare(check, name, program, outcome, *want)
    empty = [s for (_w, s), want in zip(statements, wanted) if want and not want[0] and not re.search(r"1 ?= ?0|LIMIT 0", s)]
    check.same("all other queries have rows", empty, [])


def test_cursors(check, server, heap, program):
    """Holdable cursors, 10,000 rows a time, as the server's log tells."""
    rows = heap.rows(ALL_ROWS)
    check.that("more than two fetches", len(rows) > 20000)
    for database in DATABASES:
        before = server.log_size()
        compare(check, "%s, %s: all rows, prepared" % (program.name, database), program,
                program.run(server, database, ["P " + ALL_ROWS])[0], rows, None)
        with open(server.log, encoding="utf-8", errors="replace") as log:
            log.seek(before)
            lines = log.read().lower()
        check.same("%s, %s: a holdable cursor" % (program.name, database), len(re.findall(
            r'declare "sql_cur[^"]*" cursor with hold for select "events"\.\*', lines)), 1)
        check.same("%s, %s: three fetches" % (program.name, database), len(re.findall(r'fetch 10000 in "sql_cur', lines)), 3)


def test_metadata(check, server, connections, programs):
    """Schemas, tables, columns, keys and indexes are told alike of heap and columnar tables."""
    calls = ["M schemas", "M types", "M tables public", "M tables insight", "M columns public events", "M columns public", "M columns insight",
             "M primary public products", "M imported public notes", "M exported public products", "M indexes public products", "M indexes public notes"]
    views = views_of(connections["heap"])
    calls += ["P SELECT * FROM \"insight\".\"%s\" WHERE 1=0" % v for v in views] + ["P SELECT * FROM \"public\".\"events\" LIMIT 0"]
    sessions = iter(run_all(server, [(p, d, calls, "UTC") for p in programs for d in ("heap", "columnar")]))
    for program in programs:
        told = {d: dict(zip(calls, next(sessions))) for d in ("heap", "columnar")}
        for call in calls:
            if call.startswith("P"):
                check.same("%s: prepared: %s" % (program.name, call), told["columnar"][call], told["heap"][call])
                check.that("%s: columns of %s" % (program.name, call), len(told["columnar"][call].columns) > 1 and not told["columnar"][call].error)
                continue
            heap, columnar = (without_estimates(told[d][call], d) for d in ("heap", "columnar"))
            check.same("%s: %s" % (program.name, call), columnar, heap)
            check.that("%s: %s tells something" % (program.name, call), heap.rows and not heap.error, str(heap.error))
        columnar = told["columnar"]
        check.that("%s: schema insight is there" % program.name, any("insight" in r for r in columnar["M schemas"].rows))
        check.same("%s: all views are" % program.name, sorted((r[2], r[3]) for r in columnar["M tables insight"].rows), [(v, "VIEW") for v in views])
        check.same("%s: so are tables" % program.name, sorted((r[2], r[3]) for r in columnar["M tables public"].rows),
                   [("events", "TABLE"), ("notes", "TABLE"), ("products", "TABLE")])
        check.same("%s: the primary key" % program.name, [r[3] for r in columnar["M primary public products"].rows], ["product_id"])
        check.same("%s: the foreign key" % program.name, [(r[2], r[3], r[6], r[7]) for r in columnar["M imported public notes"].rows],
                   [("products", "product_id", "notes", "product_id")])
        columns = [(table, name, kind) for _c, _s, table, name, _t, kind, *_ in columnar["M columns insight"].rows]
        catalog = connections["columnar"].rows(
            "SELECT relname, attname, replace(replace(typname, '_', ''), 'bpchar', 'char') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " JOIN pg_type t ON t.oid = atttypid WHERE relnamespace = 'insight'::regnamespace AND attnum > 0")
        check.same("%s: the views' columns and types" % program.name, sorted(columns), sorted(catalog))


def without_estimates(outcome, database):
    """Rows and pages of an index are estimates, a heap's and a columnar table's own; databases have other names, tables other OIDs."""
    keep = [n for n, (name, _kind) in enumerate(outcome.columns) if name.upper() not in ("CARDINALITY", "PAGES", "TABLE OID")]
    rows = [tuple("-" if row[n] == database else row[n] for n in keep) for row in outcome.rows
            if not any(v and v.startswith(("pg_toast_temp", "pg_temp")) for v in row)]
    return outcome._replace(rows=sorted(rows, key=repr))


def test_time_zones(check, server, connections, programs):
    """The views tell UTC, wherever the client is."""
    statements = ["SHOW TimeZone"] + ["SELECT * FROM \"insight\".\"%s\"" % v for v in views_of(connections["heap"])]
    statements += [put_values(CUSTOM_SQL[0])]
    zones = ("UTC", "America/New_York", "Asia/Kolkata")
    sessions = iter(run_all(server, [(p, "columnar", ["Q " + s for s in statements], zone) for p in programs for zone in zones]))
    for program in programs:
        utc = next(sessions)
        for zone in zones[1:]:
            there = next(sessions)
            check.same("%s: the session is in %s" % (program.name, zone), there[0].rows, [(zone,)])
            for statement, here, other in zip(statements[1:], utc[1:], there[1:]):
                check.same("%s, %s: %.80s" % (program.name, zone, statement), (sorted(other.rows, key=repr), other.error), (sorted(here.rows, key=repr), []))


def test_limits(check, server, connection, programs):
    """What the README has the administrator do: TLS or nothing, a limit of time."""
    key, certificate = (os.path.join(server.data, "server." + e) for e in ("key", "crt"))
    subprocess.run(["openssl", "req", "-new", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    os.chmod(key, 0o600)
    for path in (key, certificate):
        shutil.chown(path, os.stat(server.data).st_uid, os.stat(server.data).st_gid)
    write_hba(server, "hostssl")
    connection.rows("ALTER SYSTEM SET ssl = on")
    connection.rows("ALTER ROLE %s SET statement_timeout = '300ms'" % ROLE)
    connection.rows("SELECT pg_reload_conf()")
    # That reaches the postmaster a moment later.
    end = time.monotonic() + 30
    while time.monotonic() < end and not programs[1].run(server, "columnar", ["Q SELECT 1"], tls="disable")[0].error:
        time.sleep(0.1)
    commands = ["Q SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "Q SELECT pg_sleep(60)", "Q SELECT count(*) FROM insight.sales_day"]
    for program in programs:
        without = program.run(server, "columnar", commands, tls="disable")
        check.that("%s: no connection without TLS" % program.name, len(without) == 1 and "no encryption" in " ".join(without[0].error), str(without[0]))
        outcomes = program.run(server, "columnar", commands, tls="require")
        check.that("%s: TLS" % program.name, outcomes[0].rows in ([("t",)], [("1",)]), str(outcomes[0]))
        check.that("%s: a limit of time" % program.name, len(outcomes) == 3 and " ".join(outcomes[1].error).startswith(("57014", "HYT00", "S1T00")),
                   str(outcomes[1:2]))
        check.that("%s: and on it goes" % program.name, outcomes[-1].rows and not outcomes[-1].error, str(outcomes[-1]))


def test_drivers(check, server):
    directory = os.path.join(server.directory, "programs")
    os.makedirs(directory)
    programs = build(directory)
    connections = make_databases(server)
    test_grant(check, server, connections, programs[:2])
    test_shapes(check, server, connections, programs)
    test_cursors(check, server, connections["heap"], programs[1])
    test_metadata(check, server, connections, programs[:2])
    test_time_zones(check, server, connections, programs[:2])
    test_limits(check, server, connections["columnar"], programs[:2])
    for connection in connections.values():
        connection.close()
