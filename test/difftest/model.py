"""What the generator knows of the tables: read from the heap twin's catalog, as a session sees it."""
import values

_COLUMNS = """
SELECT c.relname, c.relkind, c.relpersistence, c.relispartition, a.attname, format_type(a.atttypid, a.atttypmod),
       co.collname, a.attnotnull, a.attgenerated, a.attidentity, a.atthasdef,
       EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid OR i.inhrelid = c.oid) OR c.reloftype <> 0,
       EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = c.oid AND a.attnum = ANY (p.partattrs))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_collation co ON co.oid = a.attcollation
WHERE c.relnamespace IN ('h'::regnamespace, pg_my_temp_schema()) AND c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'log'
ORDER BY c.relname, a.attnum"""

_INDEXES = """
SELECT c.relname, i.relname, x.indisunique, x.indisprimary, x.indimmediate, x.indisvalid, x.indpred IS NOT NULL OR x.indexprs IS NOT NULL,
       m.amname, ARRAY(SELECT a.attname FROM unnest(x.indkey::int2[]) WITH ORDINALITY k(n, o) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.n
             WHERE o <= x.indnkeyatts ORDER BY o)::text, EXISTS (SELECT FROM pg_constraint t WHERE t.conindid = i.oid)
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam OR i.relkind = 'I' AND m.amname = 'btree'
WHERE c.relnamespace IN ('h'::regnamespace, pg_my_temp_schema()) ORDER BY 1, 2"""

_CONSTRAINTS = """
SELECT c.relname, t.conname, t.contype, t.convalidated, f.relname FROM pg_constraint t JOIN pg_class c ON c.oid = t.conrelid
LEFT JOIN pg_class f ON f.oid = t.confrelid WHERE c.relnamespace IN ('h'::regnamespace, pg_my_temp_schema()) ORDER BY 1, 2"""


class Column:
    def __init__(self, row):
        self.name = '"%s"' % row[4]
        self.type_name = row[5]
        self.collation = row[6]
        self.not_null = row[7] == "t"
        self.generated = row[8] != ""
        self.identity = row[9] or ""
        self.has_default = row[10] == "t"
        self.partition_key = row[12] == "t"
        self.type = values.of_column(row[5], row[6], row[4])

    @property
    def writable(self):
        return not self.generated and self.identity != "a"


class Index:
    def __init__(self, row):
        self.name = '"%s"' % row[1]
        self.unique, self.primary, self.immediate, self.valid, self.special = (v == "t" for v in row[2:7])
        self.method = row[7]
        self.columns = ['"%s"' % c for c in row[8].strip("{}").replace('"', "").split(",") if c]
        self.constraint = row[9] == "t"


class Table:
    def __init__(self, row):
        self.name = '"%s"' % row[0]
        self.kind, self.persistence = row[1], row[2]
        self.partition = row[3] == "t"
        self.related = row[11] == "t"
        self.columns = []
        self.indexes = []
        self.constraints = []    # (name, type, validated, referenced table)

    @property
    def key(self):
        """Name of a column that identifies rows, or None."""
        for index in self.indexes:
            if index.unique and index.immediate and index.valid and not index.special and len(index.columns) == 1:
                return next((c for c in self.columns if c.name == index.columns[0] and c.not_null), None)
        return None

    @property
    def unique_columns(self):
        return {name for index in self.indexes if index.unique or index.method == "gist" and index.constraint for name in index.columns}

    @property
    def known(self):
        """Columns whose type has values here."""
        return [c for c in self.columns if c.type]

    @property
    def writable(self):
        return [c for c in self.known if c.writable]


def read(connection):
    """Tables by name; connection is the heap side's of a session that isn't in a failed transaction."""
    tables = {}
    for row in connection.rows(_COLUMNS):
        table = tables.setdefault(row[0], Table(row))
        table.columns.append(Column(row))
    for row in connection.rows(_INDEXES):
        if row[0] in tables:
            tables[row[0]].indexes.append(Index(row))
    for row in connection.rows(_CONSTRAINTS):
        if row[0] in tables:
            tables[row[0]].constraints.append(('"%s"' % row[1], row[2], row[3] == "t", row[4]))
    return tables
