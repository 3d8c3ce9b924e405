"""One case: random statements generated against the state that the earlier ones left, applied to the twins as they come.

A case is known by its seed alone and remembers its operations, so that they can be applied again, whole or in part.
"""
import random
import re

import ddl
import dml
import events
import model
from libpq import IDLE, IN_ERROR, IN_TRANSACTION
from twins import Stuck


class Case:
    def __init__(self, twins, seed, concurrent=None, crashes=True, length=None, avoid=None):
        self.avoid = avoid and re.compile(avoid)
        self.r = random.Random(seed)
        self.twins = twins
        self.seed = seed
        self.namer, self.writer = ddl.Namer(), dml.Writer()
        self.operations = []
        self.model = {}
        self.sessions = self.r.choice([1, 1, 1, 2, 3]) if concurrent is None else concurrent
        self.crashes = crashes and self.r.random() < .12
        self.length = length or self.r.choice([40, 80, 150])
        self.prepared = []
        self.gids = 0

    def run(self):
        self.twins.count = self.sessions
        self.twins.begin()
        try:
            self._setup()
            for _ in range(self.length):
                self._step()
            self._finish()
        except Stuck:
            pass

    # ---------------------------------------------------------------- applying
    def do(self, kind, session, sql="", data=None):
        if self.avoid and self.avoid.search(sql):
            return
        operation = (kind, session, sql, data)
        self.operations.append(operation)
        self.twins.apply(operation)

    def _statement(self, session, made):
        if made:
            self.do(made[0], session, made[1], made[2])

    def _refresh(self, session):
        s = self.twins.sessions[session]
        if s.state("h") == IN_TRANSACTION:
            self.do("sql", session, "SELECT 1")     # reading the catalog takes the snapshot, so on both sides
        if not s.waiting and s.state("h") != IN_ERROR:
            self.model = model.read(s.connection["h"])

    def _pick(self, choices, session):
        functions, weights = zip(*choices)
        for _ in range(10):
            function = self.r.choices(functions, weights)[0]
            third = self.namer if function.__module__ == "ddl" else self.writer
            made = function(self.r, self.model, third)
            if made:
                return made
        return None

    # ---------------------------------------------------------------- the course
    def _setup(self):
        for statement in ddl.FUNCTIONS.strip().split(";\nCREATE"):
            self.do("sql", 0, statement if statement.startswith("CREATE") else "CREATE" + statement)
        for _ in range(self.r.choice([1, 2, 3])):
            for statement in ddl.create_table(self.r, self.namer, self.model):
                self.do("sql", 0, statement)
            self._refresh(0)
        if self.r.random() < .4:
            for statement in events.create(self.r, self.namer):
                self.do("sql", 0, statement)
            self._refresh(0)
            for made in events.insert, events.vacuum, events.change, events.insight:
                self._statement(0, made(self.r, self.model, self.writer))
        self._statement(0, ddl.options(self.r, self.model, None))
        for _ in range(self.r.choice([0, 1, 2])):
            self._statement(0, ddl.create_index(self.r, self.model, self.namer, False))
        for _ in range(3):
            self._statement(0, dml.insert_many(self.r, self.model, self.writer))
        self._refresh(0)

    def _step(self):
        session = self.r.randrange(self.sessions)
        s = self.twins.sessions[session]
        if s.waiting:
            if self.r.random() < .1:
                self.do("cancel", session)
            return
        if not self.model or self.r.random() < .02:
            self._refresh(session)
        if not self.model:
            self._new_table(session)
            return
        state = s.state("h")
        if state == IN_ERROR:
            self.do("sql", session, "ROLLBACK")
            self._refresh(session)
        elif state == IDLE:
            self._outside(session)
        else:
            self._inside(session)

    def _others_idle(self, session):
        return all(not s.waiting and s.state("h") == IDLE for s in self.twins.sessions if s.number != session)

    def _new_table(self, session):
        for statement in ddl.create_table(self.r, self.namer, self.model):
            if self.twins.sessions[session].state("h") != IN_ERROR:
                self.do("sql", session, statement)
        self._refresh(session)

    def _outside(self, session):
        x = self.r.random()
        if x < .35:
            level = self.r.choice([""] * 4 + [" ISOLATION LEVEL REPEATABLE READ"] * 2 +
                                  ([" ISOLATION LEVEL SERIALIZABLE"] if self.sessions == 1 else []))
            self.do("sql", session, "BEGIN" + level)
        elif x < .40:
            self._statement(session, ddl.plans(self.r, self.model, None))
        elif x < .44:
            self._statement(session, ddl.options(self.r, self.model, None))
        elif x < .50 and self._others_idle(session):
            self._statement(session, self.r.random() < .5 and events.vacuum(self.r, self.model, None) or self._pick(ddl.MAINTENANCE, session))
        elif x < .52 and self._others_idle(session):
            self.do("check", session)
        elif x < .54 and self.crashes:
            self.do(self.r.choice(["crash", "kill", "terminate"]), session)
            self._refresh(0)
        elif x < .56 and self.prepared:
            gid = self.prepared.pop(self.r.randrange(len(self.prepared)))
            self.do("sql", session, "%s PREPARED '%s@S@'" % (self.r.choice(["COMMIT", "COMMIT", "ROLLBACK"]), gid))
            self._refresh(session)
        else:
            self._any(session)

    def _inside(self, session):
        x = self.r.random()
        if x < .12:
            self.do("sql", session, "COMMIT" if self.r.random() < .75 else "ROLLBACK")
            self._refresh(session)
        elif x < .20:
            self.do("sql", session, "SAVEPOINT s%d" % self.r.randint(1, 3))
        elif x < .26:
            self.do("sql", session, "%s s%d" % (self.r.choice(["ROLLBACK TO", "ROLLBACK TO", "RELEASE"]), self.r.randint(1, 3)))
            self._refresh(session)
        elif x < .28 and self.sessions == 1 and len(self.prepared) < 2:
            self.gids += 1
            gid = "g%d" % self.gids
            self.do("sql", session, "PREPARE TRANSACTION '%s@S@'" % gid)
            if self.twins.sessions[session].state("h") == IDLE:
                # Its locks stay and nobody else is there to let them go, so soon after it ends.
                if self.crashes and self.r.random() < .5:
                    self.do("crash", session)
                self.do("sql", session, "%s PREPARED '%s@S@'" % (self.r.choice(["COMMIT", "COMMIT", "ROLLBACK"]), gid))
            self._refresh(session)
        elif x < .31:
            self._cursor(session)
        elif x < .32 and self.crashes:
            self.do(self.r.choice(["crash", "kill", "terminate"]), session)
            self._refresh(0)
        else:
            self._any(session)

    def _any(self, session):
        """A statement that may run inside a transaction or outside."""
        concurrent = self.sessions > 1 and not self._others_idle(session)
        if concurrent:
            made = dml.concurrent_write(self.r, self.model, self.writer) if self.r.random() < .6 else self._pick(dml.CONCURRENT, session)
            self._statement(session, made)
            self._one_waiter()
        elif self.r.random() < .22 and (self.sessions == 1 or self.twins.sessions[session].state("h") == IDLE):
            if self.r.random() < .1:
                self._new_table(session)
            else:
                self._definition(session, self._pick(ddl.STATEMENTS, session))
        elif events.table_of(self.r, self.model) and self.r.random() < .5:
            self._statement(session, self._pick(events.STATEMENTS, session))
        elif self.sessions > 1 and self.r.random() < .4:
            self._statement(session, dml.concurrent_write(self.r, self.model, self.writer))
        else:
            self._statement(session, self._pick(dml.STATEMENTS, session))

    def _definition(self, session, made):
        """PostgreSQL's heap is wrong when rows follow SET TABLESPACE and all is rolled back: its indexes, which stayed where
        they are, keep the rows' entries.  (sql/table_tablespace.sql has that for columnar tables.)  So what moves is committed."""
        self._statement(session, made)
        if made and "SET TABLESPACE" in made[1] and self.twins.sessions[session].state("h") == IN_TRANSACTION:
            self.do("sql", session, "COMMIT")
        self._refresh(session)

    def _one_waiter(self):
        """Two that wait would race when both go on: the one with the higher number is cancelled."""
        waiting = [s.number for s in self.twins.sessions if s.waiting]
        if len(waiting) > 1:
            self.do("cancel", waiting[-1])

    def _cursor(self, session):
        table = dml.table_of(self.r, self.model, False)
        if not table or not table.key or self.sessions > 1:
            return
        options = self.r.choice(["", "SCROLL ", "NO SCROLL "])
        held = " WITH HOLD" if self.r.random() < .3 else ""
        lock = " FOR UPDATE" if not held and not options and table.kind != "m" else ""
        name = self.namer.new("cur")
        order = table.key.name + (", tableoid::regclass::text" if table.related else "")    # children may have the parent's keys
        self.do("sql", session, "DECLARE %s %sCURSOR%s FOR SELECT * FROM %s ORDER BY %s%s" % (name, options, held, table.name, order, lock))
        for _ in range(self.r.randint(1, 4)):
            if self.twins.sessions[session].state("h") == IN_ERROR:
                return
            x = self.r.random()
            if x < .3 and lock:
                sets = dml.assignments(self.r, table, self.writer)
                self.do("loose", session, "UPDATE %s SET %s WHERE CURRENT OF %s" % (table.name, sets, name) if sets and self.r.random() < .7
                        else "DELETE FROM %s WHERE CURRENT OF %s" % (table.name, name))
            elif x < .4:
                self._statement(session, self._pick([(dml.update, 1), (dml.delete, 1), (dml.insert, 1)], session))
            else:
                moves = ["1", "7", "FORWARD 70", "ALL"] + (["PRIOR", "BACKWARD 3", "FIRST", "LAST", "ABSOLUTE 5"] if options == "SCROLL " else [])
                self.do("sql", session, "%s %s FROM %s" % (self.r.choice(["FETCH", "FETCH", "MOVE"]), self.r.choice(moves), name))

    def _finish(self):
        for s in self.twins.sessions:
            if not s.waiting and s.state("h") != IDLE:
                self.do("sql", s.number, "COMMIT")
        for s in self.twins.sessions:
            if not s.waiting and s.state("h") != IDLE:
                self.do("sql", s.number, "COMMIT")
        self.do("check", 0)
