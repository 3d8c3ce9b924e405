"""Writes descriptions of book.py as Tableau's XML: a workbook (.twb) or a data source (.tds).

Element and attribute names and their order follow Tableau's published schema (TWB 2026.1) and the form in which
Tableau saves workbooks itself: format 18.1 and a manifest of what the file uses, by which it chooses the grammar.
All names and ids are made from the descriptions, so the same description gives the same file.
"""
import hashlib
import re
import uuid
import xml.etree.ElementTree as ET
from collections import namedtuple

import book

USER = "http://www.tableausoftware.com/xml/user"
ET.register_namespace("user", USER)

# how the client reaches the server; empty ones Tableau asks for
Server = namedtuple("Server", "host port database username schema events",
                    defaults=("", "5432", "", "", "insight", "events"))

# PostgreSQL's type: Tableau's, its code in metadata, role, kind of values
TYPES = {
    "text": ("string", 130, "dimension", "nominal"),
    "bigint": ("integer", 20, "measure", "quantitative"),
    "numeric(18,2)": ("real", 131, "measure", "quantitative"),
    "numeric(18,6)": ("real", 131, "measure", "quantitative"),
    "double precision": ("real", 5, "measure", "quantitative"),
    "date": ("date", 7, "dimension", "ordinal"),
    "timestamp without time zone": ("datetime", 7, "dimension", "ordinal"),
    "boolean": ("boolean", 11, "dimension", "nominal"),
}
AGGREGATION = {"string": "Count", "integer": "Sum", "real": "Sum", "date": "Year", "datetime": "Year", "boolean": "Count"}
DERIVATION = {"none": "None", "sum": "Sum", "min": "Min", "max": "Max", "tdy": "Day-Trunc", "usr": "User"}

# Of these, a workbook uses explain-data (the published schema demands it), object-graph, layout, zones' type-v2,
# simple-id and computed-sort; the others go along with them in what Tableau saves.
MANIFEST = ("AccessibleZoneTabOrder", "AnimationOnByDefault", "ExplainData_AuthorControls", "MarkAnimation",
            "ObjectModelEncapsulateLegacy", "ObjectModelTableType", "SchemaViewerObjectModel", "SetMembershipControl",
            "SheetIdentifierTracking", "SortTagCleanup", "WindowsPersistSimpleIdentifiers")
SOURCE_MANIFEST = ("ObjectModelEncapsulateLegacy", "ObjectModelTableType", "SchemaViewerObjectModel")


def add(parent, tag, text=None, **attributes):
    """Names of attributes: _ stands for -, user_ for the namespace."""
    element = ET.SubElement(parent, tag)
    for name, value in sorted(attributes.items()):
        name = name.rstrip("_").replace("_", "-")
        element.set("{%s}%s" % (USER, name[5:]) if name.startswith("user-") else name, str(value))
    if text is not None:
        element.text = text
    return element


def simple_id(parent, *what):
    add(parent, "simple-id", uuid="{%s}" % str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("ecinsight",) + what))).upper())


class Field:
    """A column or calculation of a source, in one derivation."""

    def __init__(self, source, text, continuous=False):
        self.source = source
        self.derivation, self.name = text.split(":")
        self.calculation = next((c for c in source.calculations if c.name == self.name), None)
        self.pgtype = dict(source.columns).get(self.name)
        if (self.calculation is None) == (self.pgtype is None):
            raise ValueError("%s has no field %s" % (source.name, text))
        aggregate = self.calculation is not None and self.calculation.aggregate
        if aggregate != (self.derivation == "usr"):
            raise ValueError("%s of %s: an aggregate calculation is usr, all else isn't" % (text, source.name))
        self.column = column_name(source, self.name)
        self.type = self.calculation.type if self.calculation else TYPES[self.pgtype][0]
        discrete = {"string": "nk", "boolean": "nk"}.get(self.type, "ok")
        self.suffix = discrete if self.derivation == "none" and not continuous else "qk"

    @property
    def instance(self):
        return "[%s:%s:%s]" % (self.derivation, self.column[1:-1], self.suffix)

    @property
    def qualified(self):
        return "[%s].%s" % (source_id(self.source), self.instance)

    def needs(self):
        """Names of the fields that must be known where this one is used."""
        if not self.calculation:
            return {self.name}
        return {self.name} | names_in(self.source, self.calculation.formula)


def names_in(source, formula):
    return {n for n in re.findall(r"\[([^\]]*)\]", formula.replace("[Parameters].[", "")) if n in dict(source.columns)}


def source_id(source):
    return "federated." + source.name


def object_id(source):
    return "%s_%s" % (source.name, hashlib.md5(source.name.encode()).hexdigest().upper())


def column_name(source, name):
    return "[%s]" % ("Calculation_" + name if any(c.name == name for c in source.calculations) else name)


def caption(name):
    return book.CAPTIONS.get(name) or name.replace("_", " ").capitalize()


# ---- data sources ----

def write_column(parent, source, name):
    calculation = next((c for c in source.calculations if c.name == name), None)
    if calculation:
        kind = {"string": "nominal", "boolean": "nominal", "date": "ordinal"}.get(calculation.type, "quantitative")
        column = add(parent, "column", caption=calculation.caption, datatype=calculation.type, name=column_name(source, name),
                     role="measure" if kind == "quantitative" else "dimension", type=kind)
        add(column, "calculation", class_="tableau", formula=calculation.formula)
        return
    datatype, _, role, kind = TYPES[dict(source.columns)[name]]
    if name == "rank":  # numbers rows, measures nothing
        role, kind = "dimension", "ordinal"
    add(parent, "column", caption=caption(name), datatype=datatype, name="[%s]" % name, role=role, type=kind)


def write_instances(parent, fields):
    for field in sorted({f.instance: f for f in fields}.values(), key=lambda f: f.instance):
        add(parent, "column-instance", column=field.column, derivation=DERIVATION[field.derivation], name=field.instance, pivot="key",
            type={"nk": "nominal", "ok": "ordinal", "qk": "quantitative"}[field.suffix])


def write_relation(parent, source, server):
    if source.sql:
        # Only parameters may stand in <>: of other such signs Tableau would want two.
        add(parent, "relation", source.sql, connection="postgres." + source.name, name=source.caption, type="text")
    else:
        add(parent, "relation", connection="postgres." + source.name, name=source.name,
            table="[%s].[%s]" % (server.schema, source.name), type="table")


def write_connection(parent, source, server):
    connection = add(parent, "connection", class_="federated")
    named = add(add(connection, "named-connections"), "named-connection", caption="ecinsight", name="postgres." + source.name)
    # In this order: scripts/demo fills them in.
    ET.SubElement(named, "connection", {
        "class": "postgres", "server": server.host, "port": server.port, "dbname": server.database, "username": server.username,
        "authentication": "username-password", "odbc-native-protocol": "yes", "one-time-sql": "", "sslmode": "",
        "workgroup-auth-mode": "prompt"})
    write_relation(connection, source, server)
    records = add(connection, "metadata-records")
    parent_name = source.caption if source.sql else source.name
    for ordinal, (name, pgtype) in enumerate(source.columns, 1):
        record = add(records, "metadata-record", class_="column")
        add(record, "remote-name", name)
        add(record, "remote-type", str(TYPES[pgtype][1]))
        add(record, "local-name", "[%s]" % name)
        add(record, "parent-name", "[%s]" % parent_name)
        add(record, "remote-alias", name)
        add(record, "ordinal", str(ordinal))
        add(record, "local-type", TYPES[pgtype][0])
        add(record, "aggregation", AGGREGATION[TYPES[pgtype][0]])
        numeric = re.match(r"numeric\((\d+),(\d+)\)", pgtype)
        if numeric:
            add(record, "precision", numeric[1])
            add(record, "scale", numeric[2])
        add(record, "contains-null", "true")
        add(record, "object-id", "[%s]" % object_id(source))


def needs_parameters(source):
    return "[Parameters]" in (source.sql or "") + "".join(c.formula for c in source.calculations)


def fill_source(element, source, server, sources=()):
    write_connection(element, source, server)
    add(element, "aliases", enabled="yes")
    for name in sorted([n for n, _ in source.columns] + [c.name for c in source.calculations]):
        write_column(element, source, name)
    add(element, "column", caption=source.caption, datatype="table", name="[__tableau_internal_object_id__].[%s]" % object_id(source),
        role="measure", type="quantitative")
    if source.hierarchies:
        paths = add(element, "drill-paths")
        for name, levels in source.hierarchies.items():
            path = add(paths, "drill-path", name=name)
            for level in levels:
                add(path, "field", column_name(source, level))
    add(element, "layout", dim_ordering="alphabetic", measure_ordering="alphabetic", show_structure="true")
    if needs_parameters(source):
        known = add(element, "datasource-dependencies", datasource="Parameters")
        for parameter in book.PARAMETERS:
            write_parameter(known, parameter, sources)
    objects = add(add(element, "object-graph"), "objects")
    thing = add(objects, "object", caption=source.caption, id=object_id(source))
    write_relation(add(thing, "properties", context=""), source, server)


def write_parameter(parent, parameter, sources):
    source = next(s for s in sources if s.name == parameter.default[0])
    column = add(parent, "column", caption=parameter.caption, datatype="date", name="[%s]" % parameter.name, param_domain_type="any",
                 default_value_field="[%s].%s" % (source_id(source), column_name(source, parameter.default[1])),
                 role="measure", type="quantitative", value="#%s#" % parameter.value)
    add(column, "calculation", class_="tableau", formula="#%s#" % parameter.value)


def write_parameters(parent, sources):
    element = add(parent, "datasource", hasconnection="false", inline="true", name="Parameters", version="18.1")
    add(element, "aliases", enabled="yes")
    for parameter in book.PARAMETERS:
        write_parameter(element, parameter, sources)


# ---- worksheets ----

class SheetFields:
    """The fields of a worksheet by the shelf they are on."""

    def __init__(self, sheet, source):
        def field(text, **how):
            return Field(source, text, **how)
        self.rows = [field(t) for t in sheet.rows]
        self.cols = [field(t) for t in sheet.cols]
        self.encodings = [(shelf, field(t)) for shelf, t in sheet.encodings]
        self.top = field("none:" + sheet.top[0]) if sheet.top else None
        self.shared = field("none:" + sheet.shared) if sheet.shared else None
        self.between = field("none:between") if sheet.between else None
        self.ranges = [(field(t, continuous=True), low, high) for t, (low, high) in (sheet.ranges or {}).items()]
        self.sort = [field(t) for t in sheet.sort] if sheet.sort else []

    def filters(self):
        return [f for f in (self.between, self.shared, self.top) if f] + [f for f, _, _ in self.ranges]

    def all(self):
        return self.rows + self.cols + [f for _, f in self.encodings] + self.filters() + self.sort


def uses_parameters(sheet, source):
    return sheet.between or "[Parameters]" in (source.sql or "")


def write_dependencies(parent, source, fields, also):
    element = add(parent, "datasource-dependencies", datasource=source_id(source))
    for name in sorted(set().union(*(f.needs() for f in fields), also)):
        write_column(element, source, name)
    write_instances(element, fields)


def write_group(parent, field, chosen=None):
    """All members of a field, or one."""
    if chosen is None:
        add(parent, "groupfilter", function="level-members", level=field.instance, user_ui_enumeration="all", user_ui_marker="enumerate")
    else:
        add(parent, "groupfilter", function="member", level=field.instance, member=chosen, user_ui_domain="database",
            user_ui_enumeration="inclusive", user_ui_marker="enumerate")


def write_filters(view, sheet, fields, group):
    """Range and category come first (context): the first n are those of what they leave."""
    if fields.between:
        write_group(add(view, "filter", class_="categorical", column=fields.between.qualified, context="true"), fields.between, "true")
    if fields.shared:
        write_group(add(view, "filter", class_="categorical", column=fields.shared.qualified, context="true", filter_group=group),
                    fields.shared)
    if fields.top:
        _, expression, count = sheet.top
        end = add(add(view, "filter", class_="categorical", column=fields.top.qualified), "groupfilter", count=count, end="top",
                  function="end", units="records", user_ui_marker="end", user_ui_top_by_field="false")
        order = add(end, "groupfilter", direction="DESC", expression=expression, function="order", user_ui_marker="order")
        write_group(order, fields.top)
    for field, low, high in fields.ranges:
        element = add(view, "filter", class_="quantitative", column=field.qualified, included_values="in-range")
        add(element, "min", str(low))
        add(element, "max", str(high))


def write_title(parent, title):
    text = add(add(add(parent, "layout-options"), "title"), "formatted-text")
    add(text, "run", title)


def shelf(fields):
    """One header within the other for discrete fields, axes side by side for continuous ones."""
    if len(fields) > 1 and all(f.suffix == "qk" for f in fields):
        return "(%s)" % " + ".join(f.qualified for f in fields)
    if len(fields) > 1:
        text = fields[-1].qualified
        for field in reversed(fields[:-1]):
            text = "(%s / %s)" % (field.qualified, text)
        return text
    return fields[0].qualified if fields else None


def write_sheet(parent, sheet, sources):
    source = next(s for s in sources if s.name == sheet.source)
    fields = SheetFields(sheet, source)
    element = add(parent, "worksheet", name=sheet.name)
    write_title(element, sheet.title)
    table = add(element, "table")
    view = add(table, "view")
    used = add(view, "datasources")
    add(used, "datasource", caption=source.caption, name=source_id(source))
    if uses_parameters(sheet, source):
        add(used, "datasource", name="Parameters")
        known = add(view, "datasource-dependencies", datasource="Parameters")
        for parameter in book.PARAMETERS:
            write_parameter(known, parameter, sources)
    write_dependencies(view, source, fields.all(), names_in(source, sheet.top[1]) if sheet.top else set())
    write_filters(view, sheet, fields, 1 + [s.name for s in sources].index(source.name))
    if fields.sort:
        add(view, "computed-sort", column=fields.sort[0].qualified, direction="DESC", using=fields.sort[1].qualified)
    if fields.filters():
        slices = add(view, "slices")
        for name in sorted({f.qualified for f in fields.filters()}):
            add(slices, "column", name)
    add(view, "aggregation", value="true")
    add(table, "style")
    pane = add(add(table, "panes"), "pane", selection_relaxation_option="selection-relaxation-allow")
    add(add(pane, "view"), "breakdown", value="auto")
    add(pane, "mark", class_=sheet.mark)
    encodings = add(pane, "encodings")
    for name, field in fields.encodings:
        add(encodings, name, column=field.qualified)
    rule = add(add(pane, "style"), "style-rule", element="mark")
    for attribute in ("mark-labels-cull", "mark-labels-show"):
        add(rule, "format", attr=attribute, value="true")
    add(table, "rows", shelf(fields.rows))
    add(table, "cols", shelf(fields.cols))
    simple_id(element, "worksheet", sheet.name)


# ---- dashboards ----

def zone_attributes(what, argument, sources):
    if what == "sheet":
        return {"name": argument}
    if what == "parameter":
        parameter = next(p for p in book.PARAMETERS if p.caption == argument)
        return {"type_v2": "paramctrl", "param": "[Parameters].[%s]" % parameter.name, "mode": "compact"}
    name, text = argument
    sheet = next(s for s in book.SHEETS if s.name == name)
    field = Field(next(s for s in sources if s.name == sheet.source), text)
    return {"type_v2": "filter", "name": name, "param": field.qualified, "mode": "checkdropdown"}


def write_dashboard(parent, dashboard, sources):
    element = add(parent, "dashboard", name=dashboard.name)
    write_title(element, "<Sheet Name>")
    add(element, "style")
    add(element, "size", maxheight=900, maxwidth=1400, minheight=900, minwidth=1400)
    used = {s.source for s in book.SHEETS if ("sheet", s.name) in {z[:2] for z in dashboard.zones}}
    datasources = add(element, "datasources")
    for source in sources:
        if source.name in used:
            add(datasources, "datasource", caption=source.caption, name=source_id(source))
    add(datasources, "datasource", name="Parameters")
    known = add(element, "datasource-dependencies", datasource="Parameters")
    for parameter in book.PARAMETERS:
        write_parameter(known, parameter, sources)
    for what, argument, *_ in dashboard.zones:
        if what == "filter":
            source = next(s for s in sources if s.name == next(t for t in book.SHEETS if t.name == argument[0]).source)
            write_dependencies(element, source, [Field(source, argument[1])], set())
    page = add(add(element, "zones"), "zone", type_v2="layout-basic", id=1, x=0, y=0, w=100000, h=100000)
    for number, (what, argument, x, y, w, h) in enumerate(dashboard.zones, 2):
        # A strip on top is left to the dashboard's title.
        add(page, "zone", id=number, x=x * 100, y=6000 + y * 94, w=w * 100, h=h * 94, **zone_attributes(what, argument, sources))
    add(page, "zone", id=len(dashboard.zones) + 2, type_v2="title", x=0, y=0, w=100000, h=6000)
    simple_id(element, "dashboard", dashboard.name)


def write_actions(parent):
    """Highlight: what is chosen in one worksheet stands out in the others of the dashboard."""
    for number, dashboard in enumerate(book.DASHBOARDS, 1):
        action = add(parent, "action", caption="Highlight in %s" % dashboard.name, name="[Action%d]" % number)
        add(action, "activation", auto_clear="true", type="on-select")
        add(action, "source", dashboard=dashboard.name, type="sheet")
        command = add(action, "command", command="tsc:brush")
        add(command, "param", name="field-captions", value=",".join(dashboard.highlight))
        add(command, "param", name="target", value=dashboard.name)


def write_windows(parent):
    for number, dashboard in enumerate(book.DASHBOARDS):
        window = add(parent, "window", class_="dashboard", name=dashboard.name, **({"maximized": "true"} if number == 0 else {}))
        viewpoints = add(window, "viewpoints")
        for what, argument, *_ in dashboard.zones:
            if what == "sheet":
                add(add(viewpoints, "viewpoint", name=argument), "zoom", type="entire-view")
        add(window, "active", id=-1)
        simple_id(window, "window", dashboard.name)
    for sheet in book.SHEETS:
        window = add(parent, "window", class_="worksheet", name=sheet.name)
        cards = add(window, "cards")
        strip = add(add(cards, "edge", name="left"), "strip", size=160)
        for card in ("pages", "filters", "marks"):
            add(strip, "card", type=card)
        edge = add(cards, "edge", name="top")
        for card in ("columns", "rows", "title"):
            add(add(edge, "strip", size=2147483647), "card", type=card)
        simple_id(window, "window", sheet.name)


# ---- files ----

def write_manifest(parent, names):
    manifest = add(parent, "document-format-change-manifest")
    for name in names:
        add(manifest, name)


def to_text(root):
    ET.indent(root, "  ")
    return "<?xml version='1.0' encoding='utf-8' ?>\n\n" + ET.tostring(root, encoding="unicode") + "\n"


def workbook(server):
    sources = book.sources(server.events, server.schema)
    # source-build names a program, which this isn't; it must be there.
    root = ET.Element("workbook", {"original-version": "18.1", "source-build": "0.0.0 (0000.0.0.0)", "source-platform": "linux",
                                   "version": "18.1"})
    write_manifest(root, MANIFEST)
    preferences = add(root, "preferences")
    add(preferences, "preference", name="ui.encoding.shelf.height", value="24")
    add(preferences, "preference", name="ui.shelf.height", value="26")
    datasources = add(root, "datasources")
    write_parameters(datasources, sources)
    for source in sources:
        fill_source(add(datasources, "datasource", caption=source.caption, inline="true", name=source_id(source), version="18.1"),
                    source, server, sources)
    write_actions(add(root, "actions"))
    worksheets = add(root, "worksheets")
    for sheet in book.SHEETS:
        write_sheet(worksheets, sheet, sources)
    dashboards = add(root, "dashboards")
    for dashboard in book.DASHBOARDS:
        write_dashboard(dashboards, dashboard, sources)
    write_windows(add(root, "windows"))
    explain = add(root, "explain-data", enabled_for_viewer="false", extreme_values_enabled_for_all="false")
    add(explain, "explanation-types")
    return to_text(root)


def datasource(server):
    """The data source alone: Tableau keeps no parameters in it, so without what depends on them."""
    source = book.product_day()
    source = source._replace(calculations=tuple(c for c in source.calculations if "[Parameters]" not in c.formula))
    root = ET.Element("datasource", {"formatted-name": source_id(source), "inline": "true", "version": "18.1"})
    write_manifest(root, SOURCE_MANIFEST)
    fill_source(root, source, server)
    return to_text(root)
