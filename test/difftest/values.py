"""Column types of the differential fuzzer: literals, bulk expressions of a number i, and what indexes take them.

Literals are SQL text with a cast.  Enum, composite and domain types are created by PREAMBLE in schema public, once.
"""
PREAMBLE = """
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy');
ALTER TYPE public.mood ADD VALUE 'zz' BEFORE 'ok';
CREATE TYPE public.pair AS (a int, b text);
CREATE DOMAIN public.small AS int CHECK (VALUE > -1000);
CREATE DOMAIN public.word AS text NOT NULL DEFAULT 'w';
"""

_LETTERS = "abcäß€ zZ"
_EDGES = [0, 1, -1, 127, -128, 32767, -32768, 2147483647, -2147483648, 9223372036854775807, -9223372036854775808]


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def _integer(bits):
    def make(r):
        if r.random() < .1:
            return str(r.choice([e for e in _EDGES if -2 ** (bits - 1) <= e < 2 ** (bits - 1)]))
        return str(r.randint(-40, 40) if r.random() < .85 else r.randint(-2 ** (bits - 2), 2 ** (bits - 2)))
    return make


def _float(r):
    return r.choice(["NaN", "Infinity", "-Infinity", "-0", "0", "1.5", "0.1", "-2.25", "1e30", "1e-30",
                     str(r.randint(-20, 20) / 4), str(r.randint(-999, 999) / 100)])


def _numeric(digits, scale):
    def make(r):
        if r.random() < .04:
            return "NaN"
        top = 10 ** digits - 1
        value = r.choice([top, -top, 0, r.randint(-top, top), r.randint(-500, 500)])
        value = max(-top, min(top, value))
        text = str(abs(value)).zfill(scale + 1)
        return ("-" if value < 0 else "") + (text[:-scale] + "." + text[-scale:] if scale else text)
    return make


def _any_numeric(r):
    return r.choice(["1.0", "1.00", "1", "-0.000", "Infinity", "-Infinity", "NaN", _numeric(8, 2)(r), _numeric(30, 10)(r)])


def _text(r):
    k = r.random()
    if k < .1:
        return ""
    if k < .3:
        return "common prefix " + str(r.randint(0, 30))
    if k < .34:
        return r.choice("xy") * r.choice([100, 2100, 9000]) + str(r.randint(0, 3))
    return "".join(r.choice(_LETTERS) for _ in range(r.randint(1, 6)))


def _short(length):
    return lambda r: _text(r)[:length].rstrip()


def _date(r):
    if r.random() < .1:
        return r.choice(["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31"])
    return "20%02d-%02d-%02d" % (r.randint(18, 21), r.randint(1, 12), r.randint(1, 28))


def _stamp(r):
    if r.random() < .08:
        return r.choice(["infinity", "-infinity", "294276-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC"])
    return "20%02d-%02d-%02d %02d:00:00" % (r.randint(18, 21), r.randint(1, 12), r.randint(1, 28), r.choice([0, 5, 12]))


def _event_time(r):
    return _stamp(r) if r.random() < .1 else "2020-01-%02d %02d:%02d:00Z" % (r.randint(1, 4), r.randint(0, 23), r.choice([0, 17, 59]))


def _uuid(r):
    return "%08x-0000-4000-8000-%012x" % (r.choice([0, 1, 0x7fffffff, 0x80000000, r.randint(0, 9)]), r.randint(0, 5))


def _range(r):
    a = r.randint(-20, 40)
    return r.choice(["empty", "(,)", "[%d,%d)" % (a, a + r.randint(1, 9)), "[%d,)" % a])


def _choice(*texts):
    return lambda r: r.choice(texts)


def _bytea(r):
    return "\\x" + r.choice(["", "00ff", "ab" * r.choice([3, 100, 3000]), "%04x" % r.randint(0, 50)])


def _tsvector(r):
    return " ".join(sorted({r.choice(["cat", "rat", "dog", "sat", "mat"]) for _ in range(r.randint(0, 4))}))


class Type:
    """One column type.  bulk is an SQL expression of the integer i; indexes: letters of access methods that take it."""

    def __init__(self, name, literal, bulk, indexes="btree hash brin", column=None, key=None):
        self.name, self._literal, self.bulk = name, literal, bulk
        self.indexes = indexes.split()
        self.column = column or name
        self.key = key or name

    def literal(self, r, nulls=.1):
        if r.random() < nulls:
            return "NULL"
        return "%s::%s" % (quote(self._literal(r)), self.name)

    def copy(self, r, nulls=.1):
        """A field of COPY's text format."""
        if r.random() < nulls:
            return "\\N"
        return self._literal(r).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")

    @property
    def ordered(self):
        return "btree" in self.indexes

    @property
    def exact(self):
        """Are equal values printed equally?"""
        return self.ordered and self.name not in ("numeric", "real", "double precision", "interval")


_LIST = [
    Type("smallint", _integer(16), "((i * 7) % 300)::smallint"),
    Type("integer", _integer(32), "((i * 7919) % 1000)"),
    Type("bigint", _integer(64), "(i::bigint * 7919 % 100003 * 1000003)"),
    Type("real", _float, "((i % 97) / 8.0)::real"),
    Type("double precision", _float, "((i % 997) / 7.0)::double precision"),
    Type("numeric(8,2)", _numeric(8, 2), "((i % 99999) / 100.0)::numeric(8,2)"),
    Type("numeric(18,9)", _numeric(18, 9), "((i % 99999) / 1000.0)::numeric(18,9)"),
    Type("numeric(24,3)", _numeric(24, 3), "(i * 1e15 + 0.125)::numeric(24,3)"),
    Type("numeric", _any_numeric, "(i % 50 + 0.10)::numeric"),
    Type("text", _text, "('t' || (i * 31) % 211)", "btree hash brin spgist"),
    Type("text", _text, "md5(i::text)", "btree hash brin", column='text COLLATE "C"', key="text C"),
    Type("character varying(3000)", _short(3000), "repeat('v', i % 40)"),
    Type("character(6)", _short(6), "left(md5((i % 9)::text), 6)::character(6)"),
    Type("name", _short(40), "('n' || i % 77)::name"),
    Type("bytea", _bytea, "decode(md5(i::text), 'hex')"),
    Type("boolean", _choice("t", "f"), "(i % 3 = 0)", "btree hash"),
    Type("date", _date, "('2020-01-01'::date + i % 700)"),
    Type("time without time zone", lambda r: "%02d:00:00" % r.randint(0, 24), "('00:00'::time + i * '1 min'::interval)"),
    Type("time with time zone", lambda r: "%02d:00:00+0%d" % (r.randint(0, 23), r.randint(0, 3)), "('05:00+01'::timetz + i * '1 s'::interval)"),
    Type("timestamp without time zone", _stamp, "('2020-01-01'::timestamp + i * '1 min'::interval)"),
    Type("timestamp with time zone", _stamp, "('2020-01-01 UTC'::timestamptz + i * '7 s'::interval)"),
    Type("interval", _choice("1 mon", "30 days", "720 hours", "-1 day", "0"), "(i % 100 * '1 hour'::interval)"),
    Type("uuid", _uuid, "md5((i % 500)::text)::uuid"),
    Type("inet", _choice("10.0.0.1", "10.0.0.0/8", "::1", "192.168.1.7"), "('10.0.0.0'::inet + i % 999)", "btree hash gist-inet_ops spgist brin"),
    Type("macaddr", _choice("08:00:2b:01:02:03", "00:00:00:00:00:00"), "'08:00:2b:01:02:03'::macaddr"),
    Type("bit(5)", _choice("10101", "00000", "11111"), "(i % 32)::bit(5)", "btree brin"),
    Type("bit varying", _choice("1", "", "0101010101"), "(i % 7)::bit(3)::varbit", "btree brin"),
    Type("money", lambda r: str(r.randint(-50, 50)), "(i % 90)::money", "btree"),
    Type('"char"', _choice("a", "b", "z"), "(chr(97 + i % 26))::\"char\"", "btree hash brin"),
    Type("oid", _choice("0", "1", "5", "4294967295", "2147483648"), "(i % 88)::oid"),
    Type("pg_lsn", _choice("0/0", "1/16B3748", "FFFFFFFF/FFFFFFFF"), "('0/1'::pg_lsn + i)"),
    Type("json", _choice('{"a": 1}', "[]", "null", '{"b":[1, 2]}'), "json_build_object('k', i % 9)", ""),
    Type("jsonb", _choice('{"a": 1}', "[]", "null", '{"b": [1, 2, 3], "c": "x"}'), "jsonb_build_object('k', i % 9, 'v', 'x')", "btree hash gin"),
    Type("integer[]", _choice("{}", "{1,2}", "{NULL,3}", "{{1},{2}}", "{5,7,9}"), "ARRAY[i % 5, i % 7]", "btree hash gin"),
    Type("text[]", _choice("{}", "{a,b}", '{"",NULL}', "{common}"), "ARRAY['a' || i % 3, 'b']", "btree hash gin"),
    Type("point", _choice("(1,2)", "(0,0)", "(-3.5,7)"), "point(i % 10, i % 7)", "gist spgist"),
    Type("box", _choice("(1,2),(0,0)", "(5,5),(4,4)"), "box(point(i % 10, 0), point(i % 10 + 1, 2))", "gist spgist brin"),
    Type("int4range", _range, "int4range(i % 50, i % 50 + 3)", "btree hash gist spgist"),
    Type("int4multirange", _choice("{}", "{[1,2),[5,9)}", "{[3,)}"), "int4multirange(int4range(i % 9, 20))", "btree hash gist"),
    Type("tsvector", _tsvector, "to_tsvector('simple', 'cat ' || i % 20)", "gin gist"),
    Type("mood", _choice("sad", "ok", "happy", "zz"), "(ARRAY['sad','ok','happy','zz']::mood[])[i % 4 + 1]", "btree hash"),
    Type("pair", _choice("(1,x)", "(,)", '(7,"a b")'), "row(i % 9, 'p')::pair", "btree"),
    Type("small", _integer(9), "(i % 400)::small", "btree hash"),
]
TYPES = {t.key: t for t in _LIST}

# What columns of events tables hold (see events.py).
_EVENTS = {
    "event_type": Type("text", _choice("view", "cart", "purchase", "other", ""), "(ARRAY['view','cart','purchase'])[i % 3 + 1]", key="event_type"),
    "category_code": Type("text", lambda r: "code %d" % r.randint(0, 6), "('code ' || i % 5)", key="category_code"),
    "user_session": Type("text", lambda r: r.choice(["s%d", "00000000-0000-4000-8000-00000000000%d"]) % r.randint(0, 9), "md5((i / 5)::text)::uuid::text", key="user_session"),
    "event_time": Type("timestamp with time zone", _event_time, "('2020-01-01 UTC'::timestamptz + i * '97 s'::interval)", key="event_time")}


def of_column(type_name, collation, name=""):
    """The Type of a column that the catalog describes so, or None."""
    if name in _EVENTS and _EVENTS[name].name == type_name and collation in (None, "default"):
        return _EVENTS[name]
    if type_name == "text" and collation == "C":
        return TYPES["text C"]
    return TYPES.get(type_name)
