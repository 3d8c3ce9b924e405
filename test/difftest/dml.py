"""Random statements that read and write rows.

Each function gets the random generator and the model and returns (kind, sql, data), or None if the tables at hand don't
allow such a statement.  Results must not depend on the order of rows: no LIMIT without a total order, no two source rows
for one target row, no shift of unique keys that may collide on the way.
"""
import values


def table_of(r, model, write=True):
    fitting = [t for t in model.values() if t.known and not (write and t.kind == "m")]
    return r.choice(fitting) if fitting else None


def some(r, items, least=1):
    items = list(items)
    return r.sample(items, r.randint(min(least, len(items)), len(items)))


# -------------------------------------------------------------------- predicates
def key_value(r, column):
    """A value of a key column: small numbers, so that they collide."""
    if column.type.name in ("integer", "bigint", "smallint", "small"):
        return str(r.randint(0, 60))
    return column.type.literal(r, 0)


def _compare(r, column):
    kind, name = column.type, column.name
    x = r.random()
    if x < .1:
        return "%s IS %sNULL" % (name, r.choice(["", "NOT "]))
    if kind.name == "boolean" and x < .5:
        return r.choice(["%s", "NOT %s", "%s IS TRUE", "%s IS NOT TRUE", "%s IS UNKNOWN"]) % name
    if not kind.ordered:
        return _special(r, column)
    if x < .2:
        return "%s %s (%s)" % (name, r.choice(["IN", "NOT IN"]), ", ".join(kind.literal(r, .05) for _ in range(r.randint(1, 4))))
    if x < .3:
        return "%s IS %sDISTINCT FROM %s" % (name, r.choice(["", "NOT "]), kind.literal(r))
    if x < .4:
        return "%s BETWEEN %s AND %s" % (name, kind.literal(r, .02), kind.literal(r, .02))
    if x < .45 and kind.name in ("text", "character varying(3000)"):
        return "%s LIKE %s" % (name, r.choice(["'t1%'", "'common%'", "'%1'", "'_'", "'a%'"]))
    if x < .5 and kind.name in ("integer[]", "text[]", "jsonb", "int4range", "inet"):
        return _special(r, column)
    return "%s %s %s" % (name, r.choice(["=", "=", "<>", "<", "<=", ">", ">="]), kind.literal(r, .02))


def _special(r, column):
    name, kind = column.name, column.type.name
    literal = column.type.literal(r, 0)
    operators = {"integer[]": ["@>", "<@", "&&"], "text[]": ["@>", "&&"], "int4range": ["&&", "@>", "<<", "-|-"],
                 "int4multirange": ["&&", "@>"], "point": ["~=", "<<"], "box": ["&&", "<<", "@>"], "inet": ["<<=", "&&", ">>="]}
    if kind == "jsonb":
        return name + r.choice([" @> '{\"k\": 3}'", " ? 'k'", " @> '{\"a\": 1}'"])
    if kind == "tsvector":
        return "%s @@ '%s'::tsquery" % (name, r.choice(["cat", "cat & rat", "dog | 7", "!sat"]))
    if kind in operators:
        return "%s %s %s" % (name, r.choice(operators[kind]), literal)
    return "%s::text = %s" % (name, values.quote(r.choice(["1", "{}", "x"])))


def predicate(r, table, depth=2):
    x = r.random()
    if depth and x < .3:
        return "(%s)" % r.choice([" AND ", " OR "]).join(predicate(r, table, depth - 1) for _ in range(r.randint(2, 3)))
    if depth and x < .36:
        return "NOT (%s)" % predicate(r, table, depth - 1)
    if x < .4:
        return "%s.ctid >= '(%d,1)'" % (table.name, 0) if r.random() < .5 else "%s.tableoid IS NOT NULL" % table.name
    key = table.key
    if key and key.type and x < .65:
        if r.random() < .5:
            return "%s = %s" % (key.name, key_value(r, key))
        return "%s IN (%s)" % (key.name, ", ".join(key_value(r, key) for _ in range(r.randint(1, 5))))
    return _compare(r, r.choice(table.known))


def few_rows(r, table):
    """A predicate that is true for one row or for few."""
    key = table.key
    if key and key.type and r.random() < .8:
        return "%s = %s" % (key.name, key_value(r, key))
    return predicate(r, table)


# -------------------------------------------------------------------- writes
class Writer:
    """Makes values; remembers the next new key."""

    def __init__(self):
        self.next_key = 0

    def value(self, r, table, column, in_values=True):
        if in_values and (column.has_default or column.identity or column.generated) and r.random() < .2:
            return "DEFAULT"
        if column.name in table.unique_columns and column.type.name in ("integer", "bigint"):
            if r.random() < .25:
                return str(r.randint(0, 60))
            self.next_key += 1
            return str(self.next_key)
        return column.type.literal(r, 0 if column.not_null else .12)

    def bulk(self, r, table, column, count):
        """An expression of i."""
        if column.name in table.unique_columns and column.type.name in ("integer", "bigint"):
            self.next_key += count
            return "i + %d" % (self.next_key - count)
        if not column.not_null and r.random() < .2:
            return "CASE WHEN i %% %d = 0 THEN NULL ELSE %s END" % (r.choice([2, 10, 100]), column.type.bulk)
        if r.random() < .08:
            return column.type.literal(r, 0 if column.not_null else .3)
        return column.type.bulk


def target(r, table):
    columns = [c for c in table.writable if c.not_null and not c.has_default and not c.identity or r.random() < .8]
    return columns or table.writable


def names(columns):
    return ", ".join(c.name for c in columns)


def returning(r, table):
    if r.random() < .75:
        return ""
    return " RETURNING " + r.choice(["*", names(some(r, table.columns)), "1", "tableoid IS NOT NULL, ctid IS NOT NULL"])


def insert(r, model, writer):
    table = table_of(r, model)
    if not table or not table.writable:
        return None
    columns = target(r, table)
    count = r.choice([1, 1, 1, 2, 5, 40])
    rows = ["(%s)" % ", ".join(writer.value(r, table, c) for c in columns) for _ in range(count)]
    overriding = " OVERRIDING SYSTEM VALUE" if r.random() < .05 else ""
    return "sql", "INSERT INTO %s (%s)%s VALUES %s%s%s" % (
        table.name, names(columns), overriding, ", ".join(rows), conflict(r, table, writer) if r.random() < .35 else "", returning(r, table)), None


def conflict(r, table, writer):
    """ON CONFLICT for statements with few rows; two of them with the same key are the same error on both sides."""
    unique = [i for i in table.indexes if i.unique and i.immediate and i.valid and not i.special]
    if not unique or r.random() < .3:
        return " ON CONFLICT DO NOTHING"
    index = r.choice(unique)
    where = "(%s)" % ", ".join(index.columns)
    if index.constraint and r.random() < .3:
        where = "ON CONSTRAINT " + index.name
    settable = [c for c in table.writable if c.name not in index.columns and not c.partition_key]
    if r.random() < .3 or not settable:
        return " ON CONFLICT %s DO NOTHING" % where
    return " ON CONFLICT %s DO UPDATE SET %s%s" % (
        where, ", ".join("%s = %s" % (c.name, r.choice(["excluded." + c.name, "%s.%s" % (table.name, c.name), writer.value(r, table, c)]))
                         for c in some(r, settable)[:3]),
        " WHERE %s.%s IS DISTINCT FROM excluded.%s" % (table.name, settable[0].name, settable[0].name)
        if settable[0].type.ordered and r.random() < .4 else "")


def insert_many(r, model, writer):
    table = table_of(r, model)
    if not table or not table.writable:
        return None
    columns = target(r, table)
    count = r.choice([3, 63, 64, 65, 200, 700, 2500])
    expressions = ", ".join(writer.bulk(r, table, c, count) for c in columns)
    return "loose", "INSERT INTO %s (%s) SELECT %s FROM generate_series(1, %d) i%s" % (
        table.name, names(columns), expressions, count,
        conflict(r, table, writer) if r.random() < .1 else " RETURNING 1" if r.random() < .05 else ""), None


def insert_copy_of(r, model, writer):
    table, source = table_of(r, model), table_of(r, model, False)
    if not table or not source:
        return None
    if any(c.identity == "a" for c in table.columns):
        return None
    # All columns: defaults that count would follow the order of rows.
    columns, expressions = [], []
    for column in table.writable:
        same = [c for c in source.known if c.type is column.type]
        columns.append(column)
        if column.name in table.unique_columns:
            if column.type.name not in ("integer", "bigint"):
                return None
            key = source.key
            if not key or key.type.name not in ("integer", "bigint"):
                return None
            writer.next_key += 5000
            expressions.append("%s + %d" % (key.name, writer.next_key))
            writer.next_key += 5000
        elif same and r.random() < .8:
            expressions.append(r.choice(same).name)
        else:
            expressions.append(column.type.literal(r, 0 if column.not_null else .1))
    if not columns:
        return None
    return "loose", "INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s" % (
        table.name, names(columns), ", ".join(expressions), source.name, predicate(r, source)), None


def copy_in(r, model, writer):
    table = table_of(r, model)
    if not table or not table.writable:
        return None
    columns = target(r, table)
    lines = []
    for _ in range(r.choice([1, 5, 70, 300])):
        fields = []
        for c in columns:
            if c.name in table.unique_columns and c.type.name in ("integer", "bigint"):
                writer.next_key += 1
                fields.append(str(writer.next_key))
            else:
                fields.append(c.type.copy(r, 0 if c.not_null else .1))
        lines.append("\t".join(fields))
    return "loose", "COPY %s (%s) FROM STDIN" % (table.name, names(columns)), "\n".join(lines) + "\n"


def copy_out(r, model, _writer):
    table = table_of(r, model, False)
    return table and ("sql", "COPY (SELECT * FROM %s WHERE %s) TO STDOUT" % (table.name, predicate(r, table)), None)


def assignments(r, table, writer):
    settable = [c for c in table.writable if c.name not in table.unique_columns]
    if not settable:
        return None
    parts = []
    for c in some(r, settable)[:r.choice([1, 1, 2, 4])]:
        same = [o.name for o in table.known if o.type is c.type and (not c.not_null or o.not_null)]
        if r.random() < .4 and same:
            parts.append("%s = %s" % (c.name, r.choice(same)))
        elif c.type.name in ("integer", "bigint", "numeric") and r.random() < .4:
            parts.append("%s = %s + 1" % (c.name, c.name))
        elif c.type.key in ("text", "text C") and r.random() < .3:
            parts.append("%s = %s" % (c.name, r.choice(["%s || 'x'" % c.name, "repeat(md5(coalesce(%s, '')), 70)" % c.name,
                                                        "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)"])))
        else:
            parts.append("%s = %s" % (c.name, writer.value(r, table, c)))
    return ", ".join(parts)


def update(r, model, writer):
    table = table_of(r, model)
    sets = table and assignments(r, table, writer)
    if not sets:
        return None
    return "loose", "UPDATE %s SET %s WHERE %s%s" % (
        table.name, sets, few_rows(r, table) if r.random() < .6 else predicate(r, table), returning(r, table)), None


def update_key(r, model, writer):
    """Move keys to where none are: by so much that old and new ones can't meet."""
    table = table_of(r, model)
    key = table and table.key
    if not key or not key.type or key.type.name not in ("integer", "bigint") or not key.writable:
        return None
    if r.random() < .5:
        return "loose", "UPDATE %s SET %s = %s WHERE %s = %s" % (table.name, key.name, key_value(r, key), key.name, key_value(r, key)), None
    writer.next_key += 20000
    sql = "UPDATE %s SET %s = %s + %d WHERE %s" % (table.name, key.name, key.name, writer.next_key, predicate(r, table))
    writer.next_key += 20000
    return "loose", sql, None


def update_from(r, model, writer):
    table, other = table_of(r, model), table_of(r, model, False)
    sets = table and assignments(r, table, writer)
    key = other and other.key
    mine = sets and key and key.type and [c for c in table.known if c.type is key.type]
    if not mine or other is table:
        return None
    join = "%s.%s = o.other_key" % (table.name, r.choice(mine).name)
    source = "(SELECT %s AS other_key FROM %s) o" % (key.name, other.name)
    if r.random() < .3:
        return "loose", "DELETE FROM %s USING %s WHERE %s" % (table.name, source, join), None
    return "loose", "UPDATE %s SET %s FROM %s WHERE %s" % (table.name, sets, source, join), None


def delete(r, model, _writer):
    table = table_of(r, model)
    return table and ("loose", "DELETE FROM %s WHERE %s%s" % (
        table.name, few_rows(r, table) if r.random() < .6 else predicate(r, table), returning(r, table)), None)


def merge(r, model, writer):
    table = table_of(r, model)
    key = table and table.key
    if not key or not key.type or not key.writable:
        return None
    keys = {key_value(r, key) for _ in range(r.randint(1, 6))}
    source = "(VALUES %s) s(k, v)" % ", ".join("(%s, %d)" % (k, r.randint(0, 9)) for k in sorted(keys))
    sets = assignments(r, table, writer)
    parts = []
    if r.random() < .3:
        parts.append("WHEN MATCHED AND s.v < 3 THEN DELETE")
    if r.random() < .1:
        parts.append("WHEN MATCHED AND s.v < 5 THEN DO NOTHING")
    if sets and r.random() < .8:
        parts.append("WHEN MATCHED THEN UPDATE SET " + sets)
    if r.random() < .8 or not parts:
        columns = [c for c in target(r, table) if c is not key]
        # which of several rows gets which number depends on the join
        one = " AND s.k = " + min(keys) if any(c.identity for c in table.columns) else ""
        parts.append("WHEN NOT MATCHED%s THEN INSERT (%s) VALUES (%s)" % (
            one, names([key] + columns), ", ".join(["s.k"] + [writer.value(r, table, c) for c in columns])))
    return "loose", "MERGE INTO %s USING %s ON %s.%s = s.k %s" % (table.name, source, table.name, key.name, " ".join(parts)), None


def block(r, model, writer):
    """PL/pgSQL with subtransactions that are rolled back or not."""
    one = insert(r, model, writer) or delete(r, model, writer)
    two = r.choice([insert, insert_many, update, delete])(r, model, writer)
    if not one or not two:
        return None
    first, second = (s[1].split(" RETURNING ")[0] for s in (one, two))
    body = r.choice([
        "BEGIN %s; RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN NULL; END; %s;",
        "%s; BEGIN %s; RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN NULL; END;",
        "BEGIN %s; EXCEPTION WHEN integrity_constraint_violation THEN NULL; END; BEGIN %s; EXCEPTION WHEN data_exception THEN NULL; END;"]) % (first, second)
    return "loose", "DO $do$ BEGIN %s END $do$" % body, None


def with_writes(r, model, writer):
    """Data-modifying CTEs."""
    table, other = table_of(r, model), table_of(r, model)
    if not table or not other or not table.writable:
        return None
    key = table.key
    if r.random() < .5 and key and key.type:
        return "loose", "WITH d AS (DELETE FROM %s WHERE %s RETURNING *) SELECT count(*), count(d::text) FROM d" % (table.name, few_rows(r, table)), None
    made = insert(r, {table.name: table}, writer)
    return "loose", "WITH n AS (%s RETURNING *) SELECT count(*) + (SELECT count(*) FROM %s) FROM n" % (made[1].split(" RETURNING ")[0], other.name), None


# -------------------------------------------------------------------- reads
def digest(r, table):
    columns = some(r, table.columns)
    return "count(*), sum(hashtextextended(row(%s)::text, 0)::numeric)" % names(columns)


def select(r, model, _writer):
    table = table_of(r, model, False)
    if not table:
        return None
    where = predicate(r, table)
    x = r.random()
    ordered = [c for c in table.known if c.type.exact]
    if x < .4:
        sql = "SELECT %s FROM %s WHERE %s" % (digest(r, table), table.name, where)
    elif x < .55 and ordered:
        group = some(r, ordered)[:2]
        sql = "SELECT %s, count(*), min(%s), max(%s) FROM %s WHERE %s GROUP BY %s" % (
            names(group), *[_smallest(r.choice(ordered))] * 2, table.name, where, names(group))
    elif x < .7 and ordered:
        order = names(ordered)
        sql = "SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %d" % (order, table.name, where, ", ".join(
            "%s%s" % (c.name, r.choice(["", " DESC", " NULLS FIRST"])) for c in ordered), r.choice([1, 5, 50]))
    elif x < .8 and ordered:
        c = r.choice(ordered)
        sql = "SELECT count(*), count(x.n) FROM %s a LEFT JOIN LATERAL (SELECT count(*) AS n FROM %s b WHERE b.%s = a.%s) x ON true WHERE a.%s IS NOT NULL" % (
            table.name, table.name, c.name, c.name, c.name) if r.random() < .3 else \
            "SELECT count(*), count(DISTINCT %s), count(%s) FROM %s WHERE %s" % (c.name, c.name, table.name, where)
    elif x < .9:
        other = table_of(r, model, False)
        key = other.key
        mine = key and [c for c in table.known if c.type is key.type and c.type.ordered]
        if not mine:
            return None
        c = r.choice(mine).name
        sql = r.choice([
            "SELECT count(*), count(o.%s) FROM %s t LEFT JOIN %s o ON o.%s = t.%s" % (key.name, table.name, other.name, key.name, c),
            "SELECT count(*) FROM %s t WHERE EXISTS (SELECT FROM %s o WHERE o.%s = t.%s)" % (table.name, other.name, key.name, c),
            "SELECT count(*) FROM %s t WHERE t.%s NOT IN (SELECT o.%s FROM %s o)" % (table.name, c, key.name, other.name)])
    else:
        sql = "SELECT count(*), count(DISTINCT (tableoid, ctid)) FROM %s WHERE ctid IN (SELECT ctid FROM %s WHERE %s)" % (
            table.name, table.name, where) if not table.related else "SELECT * FROM %s WHERE %s" % (table.name, where)
    return "sql", sql, None


def _smallest(column):
    """min() and max() don't take every ordered type."""
    if column.type.name in ("uuid", "boolean", "name", "bytea", "bit(5)", "bit varying", "jsonb", "pair", "\"char\"", "macaddr", "int4range", "int4multirange"):
        return column.name + "::text"
    return column.name


def lock_rows(r, model, _writer):
    table = table_of(r, model, False)
    if not table or table.kind == "m":
        return None
    strength = r.choice(["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"])
    return "sql", "SELECT %s FROM %s WHERE %s FOR %s%s" % (names(table.columns), table.name, few_rows(r, table), strength,
                                                        r.choice(["", "", " NOWAIT", " SKIP LOCKED"])), None


def sample(r, model, _writer):
    table = table_of(r, model, False)
    return table and ("run", "SELECT count(*), count(t::text) FROM %s t TABLESAMPLE %s (%d)" % (
        table.name, r.choice(["SYSTEM", "BERNOULLI"]), r.choice([0, 10, 50, 100])), None)


def sample_all(r, model, _writer):
    table = table_of(r, model, False)
    return table and ("sql", "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM %s t TABLESAMPLE %s (100) REPEATABLE (1)" % (
        table.name, r.choice(["SYSTEM", "BERNOULLI"])), None)


def explain(r, model, writer):
    made = select(r, model, writer)
    return made and ("run", "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, COSTS) " + made[1], None)


def all_rows(r, model, _writer):
    table = table_of(r, model, False)
    return table and ("sql", "SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM %s t" % table.name, None)


STATEMENTS = [
    (insert, 16), (insert_many, 10), (insert_copy_of, 4), (copy_in, 5), (copy_out, 2), (update, 16), (update_key, 4), (update_from, 3),
    (delete, 8), (merge, 5), (block, 4), (with_writes, 2), (select, 22), (lock_rows, 5), (sample, 1), (sample_all, 1), (explain, 1), (all_rows, 4)]
# For several sessions: rows are few, so that the order of locks is sure.
CONCURRENT = [(insert, 8), (insert_many, 1), (select, 5), (all_rows, 4)]


def concurrent_write(r, model, writer):
    """A write or lock of one row by its key."""
    keyed = [t for t in model.values() if t.key and t.key.type and t.kind != "m"]
    if not keyed:
        return None
    table = r.choice(keyed)
    where = "%s = %s" % (table.key.name, r.randint(0, 12) if table.key.type.name in ("integer", "bigint") else key_value(r, table.key))
    x = r.random()
    if x < .45:
        sets = assignments(r, table, writer)
        return sets and ("sql", "UPDATE %s SET %s WHERE %s%s" % (table.name, sets, where, returning(r, table)), None)
    if x < .6:
        return "sql", "DELETE FROM %s WHERE %s%s" % (table.name, where, returning(r, table)), None
    if x < .7 and table.key.writable and table.key.type.name in ("integer", "bigint"):
        return "sql", "UPDATE %s SET %s = %d WHERE %s" % (table.name, table.key.name, r.randint(0, 12), where), None
    strength = r.choice(["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE"])
    return "sql", "SELECT * FROM %s WHERE %s FOR %s%s" % (table.name, where, strength, r.choice(["", "", " NOWAIT", " SKIP LOCKED"])), None
