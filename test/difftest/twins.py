"""The twins: every operation on tables of schema h (heap) and on those of schema c (columnar), and what must be equal.

A session is a pair of connections, one for each schema; search_path and default_table_access_method make the
difference, so both get the same text.  In it @S@ stands for the schema's name, @AM@ for the access method.

An operation is a tuple (kind, session, sql, data):
    sql        on both: same SQLSTATE, command tag and rows (as multisets)
    loose      the same, but which error of class 22 or 23 comes first may differ (order of rows)
    run        on both, only for errors: rows are not compared
    c          on the columnar side only (settings, options, compaction)
    check      compare all tables
    cancel     cancel the session's statement if it waits
    terminate  end the session's backends
    kill       kill -9 its columnar backend, which restarts the server
    crash      immediate stop and restart
Statements may wait for locks of other sessions: they are left waiting, and looked at again after each operation.
Twin statements that only one side ends, or a difference in anything, raise Difference.
"""
import time

from libpq import IDLE, IN_ERROR, IN_TRANSACTION, ConnectionLost

SIDES = ("c", "h")
METHOD = {"c": "ecinsight_columnar", "h": "heap"}
NOT_SUPPORTED = "0A000"
SETTLE = 0.02


class Difference(Exception):
    """The twins differ; kind is a short signature by which a smaller case is known to show the same."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


class Stuck(Exception):
    """The interleaving went where no order is certain; the case ends without a verdict."""


class Session:
    def __init__(self, twins, number):
        self.number = number
        self.connection = {}
        self.result = {}
        self.waiting = None      # the operation that waits for a lock
        for side in SIDES:
            connection = twins.server.connect(twins.database)
            connection.run("SET search_path = %s, public; SET default_table_access_method = %s; SET statement_timeout = '100s';"
                           "SET client_min_messages = error; SET timezone = 'UTC'; SET min_parallel_table_scan_size = 0;"
                           "SET min_parallel_index_scan_size = 0; SET application_name = 'fuzz_%s%d'"
                           % (side, METHOD[side], side, number))
            self.connection[side] = connection

    def state(self, side="h"):
        return self.connection[side].state()

    def close(self):
        for connection in self.connection.values():
            connection.close()


class Twins:
    def __init__(self, server, database, sessions=1):
        self.server, self.database, self.count = server, database, sessions
        self.refused = {}
        self.statements = 0
        self.failed = {}         # statements that failed alike, by SQLSTATE
        self.waits = 0
        self.refusals = 0
        self.error_texts = {}
        self.monitor = None
        self.sessions = []
        self.committed = False   # by the operation that is being applied
        self.log_position = server.log_size()

    # ---------------------------------------------------------------- set-up
    def begin(self):
        """Empty schemas and fresh sessions; a server that went down may still be on its way."""
        for attempt in range(5):
            try:
                self._begin()
                return
            except ConnectionLost:
                if attempt == 4:
                    raise
                time.sleep(1)

    def _begin(self):
        self.end()
        self.committed = False
        self.server.wait_ready()
        self.log_position = self.server.log_size()
        self.monitor = self.server.connect(self.database)
        self.monitor.run("SET client_min_messages = error; SET timezone = 'UTC'")
        for (gid,) in self.monitor.rows("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
            self.monitor.run("ROLLBACK PREPARED '%s'" % gid)
        for side in SIDES:
            self.monitor.rows("DROP SCHEMA IF EXISTS %s CASCADE" % side)
            self.monitor.rows("CREATE SCHEMA %s" % side)
        self._connect()

    def _connect(self):
        self.sessions = [Session(self, n) for n in range(self.count)]

    def end(self):
        for session in self.sessions:
            session.close()
        self.sessions = []
        if self.monitor:
            self.monitor.close()
            self.monitor = None

    # ---------------------------------------------------------------- operations
    def apply(self, operation):
        kind, number, sql, data = operation
        session = self.sessions[number]
        try:
            getattr(self, "_do_" + kind)(session, sql, data, operation)
        except ConnectionLost as lost:
            raise Difference("crash", "%s\n%s" % (lost, "\n".join(self.server.crashes_since(self.log_position)[:20]))) from lost
        self._look_at_waiting()
        if self.committed:
            self.committed = False
            self.check_contents()

    def _text(self, side, sql):
        return sql.replace("@S@", side).replace("@AM@", METHOD[side])

    def _send(self, session, side, sql, data):
        """Result, or None if the statement waits for a lock."""
        connection = session.connection[side]
        connection.send(self._text(side, sql), data)
        return self._settle(session, side)

    def _settle(self, session, side):
        """Wait until the statement ends or is seen waiting."""
        connection = session.connection[side]
        end = time.monotonic() + 120
        pause = SETTLE
        while True:
            result = connection.wait(pause)
            if result is not None:
                return result
            if self.count > 1:
                pids = ",".join(str(s.connection[x].pid) for s in self.sessions for x in SIDES)
                blocked = self.monitor.rows("SELECT pg_isolation_test_session_is_blocked(%d, '{%s}')" % (connection.pid, pids))
                if blocked[0][0] == "t":
                    # The deadlock detector has looked at it by then.
                    return connection.wait(0.04)
            pause = min(pause * 2, 0.3)
            if time.monotonic() > end:
                raise Difference("hang", "%s waits for nothing known" % side)

    def _do_sql(self, session, sql, data, operation):
        if session.waiting:
            return
        self.statements += 1
        transaction = session.state("h") != IDLE
        session.result = {"c": self._send(session, "c", sql, data)}
        result = session.result["c"]
        if result is not None and result.code == NOT_SUPPORTED:
            self._refused(session, sql, data, transaction, result)
            return
        session.result["h"] = self._send(session, "h", sql, data)
        if None in session.result.values():
            session.waiting = operation
            self.waits += 1
            if session.result["c"] is not None or session.result["h"] is not None:
                self._one_waits(session)
            return
        self._compare(session, operation)

    _do_loose = _do_run = _do_sql

    def _refused(self, session, sql, data, transaction, result):
        """The columnar side can't: heap doesn't get it, or both transactions end."""
        was_error = session.state("h") == IN_ERROR
        if was_error:
            raise Difference("error", "columnar: 0A000 %s\nheap: in a failed transaction" % result.message)
        # Not in heap either?  Then it's no refusal of ours; a statement that fails changes nothing.
        probe = None
        if sql.startswith("PREPARE TRANSACTION"):
            probe = session.connection["h"].run(self._text("h", sql))
        elif transaction and not sql.startswith(("COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")):
            session.connection["h"].run("SAVEPOINT refused")
            probe = self._send(session, "h", sql, data)
            if probe is None:
                raise Stuck("refused and waiting")
        elif sql.startswith(("ALTER", "CREATE", "TRUNCATE")) and "CONCURRENTLY" not in sql:
            session.connection["h"].run("BEGIN")
            probe = self._send(session, "h", sql, data)
            session.connection["h"].run("ROLLBACK")
        if probe is not None and probe.code == NOT_SUPPORTED:
            return
        self.refused.setdefault(result.message, sql[:300])
        self.refusals += 1
        if transaction:
            for side in SIDES:
                session.connection[side].run("ROLLBACK")

    def _one_waits(self, session):
        """Only one side waits: give it another moment, then it's a difference."""
        for side in SIDES:
            if session.result[side] is None:
                session.result[side] = session.connection[side].wait(0.5)
        if None not in session.result.values():
            operation, session.waiting = session.waiting, None
            self._compare(session, operation)
            return
        side = "c" if session.result["c"] is None else "h"
        other = session.result["h" if side == "c" else "c"]
        raise Difference("wait", "%s waits, the other says %s"
                         % ({"c": "columnar", "h": "heap"}[side], other.tag or other.code + " " + other.message))

    def _look_at_waiting(self):
        for session in self.sessions:
            if not session.waiting:
                continue
            try:
                for side in SIDES:
                    if session.result[side] is None:
                        session.result[side] = self._settle(session, side)
            except ConnectionLost as lost:
                raise Difference("crash", "%s\n%s" % (lost, "\n".join(self.server.crashes_since(self.log_position)[:20]))) from lost
            ended = [session.result[side] is not None for side in SIDES]
            if all(ended):
                operation, session.waiting = session.waiting, None
                self._compare(session, operation)
            elif any(ended):
                self._one_waits(session)

    def _compare(self, session, operation):
        kind, _number, sql, _data = operation
        c, h = session.result["c"], session.result["h"]
        if c.code and c.code.startswith("XX") and c.code != h.code:
            raise Difference("internal", "columnar: %s %s %s\nheap: %s" % (c.code, c.message, c.detail, h.message or h.tag))
        if c.code != h.code:
            if c.code == NOT_SUPPORTED:     # after a wait
                self.refused.setdefault(c.message, sql[:300])
                raise Stuck("refused after a wait")
            if kind == "loose" and c.code and h.code and c.code[:2] in ("22", "23") and h.code[:2] in ("22", "23"):
                return
            raise Difference("error", "columnar: %s\nheap: %s" % tuple(
                "%s %s %s" % (r.code, r.message, r.detail) if r.code else r.tag for r in (c, h)))
        if c.code:
            self.failed[c.code] = self.failed.get(c.code, 0) + 1
            if c.message.replace("c.", "h.") != h.message and kind != "loose":
                self.error_texts.setdefault(c.code, (c.message, h.message))
            return
        if kind == "run":
            return
        if c.tag != h.tag:
            raise Difference("tag", "columnar: %s\nheap: %s" % (c.tag, h.tag))
        if (c.rows is None) != (h.rows is None) or c.rows is not None and sorted(map(str, c.rows)) != sorted(map(str, h.rows)):
            raise Difference("rows", _rows_differ(c.rows or [], h.rows or []))
        for side in SIDES:
            if session.state(side) != session.state("h"):
                raise Difference("state", "transaction states differ")
        if session.state() == IDLE:
            self._after_commit(operation)

    def _after_commit(self, operation):
        """Contents are compared when those that this commit has woken have ended: one side's may be ahead of the other's."""
        if operation[2].split(None, 1)[0].upper() not in ("SELECT", "SET", "RESET", "SHOW", "EXPLAIN", "DECLARE", "FETCH"):
            self.committed = True

    def _do_c(self, session, sql, data, _operation):
        if session.waiting or session.state("c") not in (IDLE, IN_TRANSACTION):
            return
        self.statements += 1
        transaction = session.state("c") == IN_TRANSACTION
        result = self._send(session, "c", sql, data)
        if result is None:
            session.connection["c"].close()
            raise Stuck("an operation of one side waits")
        if result.code and result.code.startswith("XX"):
            raise Difference("internal", "%s %s" % (result.code, result.message))
        if result.code and transaction:
            session.connection["c"].run("ROLLBACK")
            session.connection["h"].run("ROLLBACK")
        if not transaction:
            self.check_contents()

    def _do_check(self, _session, _sql, _data, _operation):
        self.check_contents()
        self.check_structure()

    def _do_cancel(self, session, _sql, _data, _operation):
        if session.waiting:
            for side in SIDES:
                self.monitor.rows("SELECT pg_cancel_backend(%d)" % session.connection[side].pid)

    def _do_terminate(self, session, _sql, _data, _operation):
        for side in SIDES:
            pid = session.connection[side].pid
            session.connection[side].close()
            self.monitor.rows("SELECT pg_terminate_backend(%d, 10000)" % pid)
        self.sessions[session.number] = Session(self, session.number)
        session.waiting = None
        self._look_at_waiting()
        self.check_contents()

    def _do_kill(self, session, _sql, _data, _operation):
        self.server.kill_backend(session.connection["c"].pid)
        self._reconnect()

    def _do_crash(self, _session, _sql, _data, _operation):
        self.server.crash()
        self._reconnect()

    def _reconnect(self):
        for session in self.sessions:
            session.close()
        self.monitor.close()
        self.server.wait_ready()
        bad = [line for line in self.server.crashes_since(self.log_position)
               if "TRAP" in line or "PANIC" in line or "inconsistent" in line or "signal 11" in line or "signal 6" in line]
        if bad:
            raise Difference("crash", "\n".join(bad))
        self.log_position = self.server.log_size()
        self.monitor = self.server.connect(self.database)
        self.monitor.run("SET client_min_messages = error; SET timezone = 'UTC'")
        self._connect()
        self.check_contents()
        self.check_structure()

    # ---------------------------------------------------------------- checks
    def _tables(self):
        """Tables of both schemas, without those that somebody holds locked."""
        rows = self.monitor.rows("""
            SELECT n.nspname, c.relname, c.relkind, c.relispopulated,
                   (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull, ',' ORDER BY a.attnum)
                    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('h', 'c') AND c.relkind IN ('r', 'p', 'm') ORDER BY 2""")
        found = {side: {r[1]: r[2:] for r in rows if r[0] == side} for side in SIDES}
        if found["c"] != found["h"]:
            raise Difference("tables", "columnar: %s\nheap: %s" % (found["c"], found["h"]))
        locked = {r[0] for r in self.monitor.rows("""
            SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE l.mode = 'AccessExclusiveLock' AND n.nspname IN ('h', 'c')""")}
        return [t for t, about in found["h"].items() if t not in locked and about[1] == "t" and about[2]]

    def check_contents(self):
        """Are the committed rows of the twins the same?"""
        self._run_check(self._contents)

    def _run_check(self, check):
        try:
            check()
        except ConnectionLost as lost:
            raise Difference("crash", str(lost)) from lost

    def _contents(self):
        for table in self._tables():
            digest = "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric), count(DISTINCT (tableoid, ctid)) FROM %s.\"%s\" t"
            rows = {side: self._quickly(digest % (side, table)) for side in SIDES}
            if None in rows.values():
                continue
            if rows["c"] != rows["h"]:
                raise Difference("contents", self._describe(table, rows))

    def _quickly(self, sql):
        """Rows, or None if a lock is in the way."""
        self.monitor.run("SET lock_timeout = '100ms'")
        result = self.monitor.run(sql)
        self.monitor.run("SET lock_timeout = 0")
        if result.code == "55P03":
            return None
        if not result.ok:
            raise Difference("internal" if result.code.startswith("XX") else "check", "%s: %s %s" % (sql, result.code, result.message))
        return result.rows

    def _describe(self, table, rows):
        parts = ["table %s: columnar %s, heap %s" % (table, rows["c"], rows["h"])]
        for one, other in (("c", "h"), ("h", "c")):
            sql = 'SELECT left(t::text, 200) FROM (SELECT t::text FROM %s."%s" t EXCEPT ALL SELECT t::text FROM %s."%s" t) t LIMIT 5'
            result = self.monitor.run(sql % (one, table, other, table))
            parts.append("only in %s: %s" % ({"c": "columnar", "h": "heap"}[one], result.rows if result.ok else result.message))
        return "\n".join(parts)

    def check_structure(self):
        """verify() of columnar tables and amcheck of their B-trees; tables and indexes in use are left out."""
        self._run_check(self._structure)

    def _structure(self):
        busy = [s for s in self.sessions if s.waiting or s.state("c") != IDLE]
        tables = self.monitor.rows("""
            SELECT c.oid::regclass::text FROM pg_class c JOIN pg_am a ON a.oid = c.relam
            WHERE c.relnamespace = 'c'::regnamespace AND c.relkind IN ('r', 'm') AND a.amname = 'ecinsight_columnar'""")
        for (table,) in tables:
            rows = self._quickly("SELECT * FROM ecinsight.verify('%s')" % table.replace("'", "''"))
            if rows:
                raise Difference("verify", "verify(%s): %s" % (table, rows[:5]))
        if busy:
            return
        indexes = self.monitor.rows("""
            SELECT i.oid::regclass::text FROM pg_class i JOIN pg_am a ON a.oid = i.relam JOIN pg_index x ON x.indexrelid = i.oid
            WHERE i.relnamespace = 'c'::regnamespace AND i.relkind = 'i' AND a.amname = 'btree' AND x.indisvalid AND x.indisready""")
        for (index,) in indexes:
            # Prepared transactions keep their locks.
            self.monitor.run("SET lock_timeout = '100ms'")
            result = self.monitor.run("SELECT bt_index_check('%s', true)" % index.replace("'", "''"))
            self.monitor.run("SET lock_timeout = 0")
            if not result.ok and result.code != "55P03":
                raise Difference("index", "bt_index_check(%s): %s %s %s" % (index, result.code, result.message, result.detail))


def _rows_differ(c, h):
    left, only_c = list(map(str, h)), []
    for row in map(str, c):
        if row in left:
            left.remove(row)
        else:
            only_c.append(row)
    return "columnar has %d rows, heap %d\nonly columnar: %s\nonly heap: %s" % (
        len(c), len(h), [r[:300] for r in only_c[:5]], [r[:300] for r in left[:5]])
