"""The queries of a workbook's worksheets, as Tableau would ask PostgreSQL: made from the .twb alone.

Understands what tableau/book.py uses of Tableau's language, no more: anything else is an error.
"""
import re
import xml.etree.ElementTree as ET


def quoted(name):
    return '"%s"' % name.strip("[]")


class Source:
    """One <datasource> of the workbook."""

    def __init__(self, element):
        self.element = element
        self.name, self.caption = element.get("name"), element.get("caption")
        self.relation = element.find("connection/relation")
        self.columns = {c.get("name"): c for c in element.findall("column") if c.get("datatype") != "table"}
        self.physical = {r.findtext("local-name"): r for r in element.findall("connection/metadata-records/metadata-record")}

    def from_clause(self, parameters):
        if self.relation.get("type") == "text":
            return '(\n%s\n) "Custom SQL Query"' % put_parameters(self.relation.text, parameters)
        schema, table = re.fullmatch(r"\[(.*)\]\.\[(.*)\]", self.relation.get("table")).groups()
        return '"%s"."%s" "%s"' % (schema, table, table)

    def expression(self, column, parameters):
        """SQL of a column or calculation."""
        if column in self.physical:
            text = quoted(column)
            return "CAST(%s AS TEXT)" % text if self.columns[column].get("datatype") == "string" else text
        return self.formula(self.columns[column].find("calculation").get("formula"), parameters)

    def formula(self, text, parameters):
        text = put_parameters(text, parameters)
        text = re.sub(r'"([^"]*)"', lambda m: "'%s'" % m[1].replace("'", "''"), text)
        if "'" in text:
            text = text.replace(" + ", " || ")
        text = re.sub(r" / (\w+\([^()]*\))", r" / NULLIF(\1, 0)", text)
        text = text.replace("IFNULL(", "COALESCE(")
        text = re.sub(r"DATE\((\[\w+\])\)", r"CAST(\1 AS DATE)", text)
        unknown = set(re.findall(r"([A-Z]+)\(", text)) - {"COALESCE", "NULLIF", "CAST", "SUM", "MIN", "MAX"}
        if unknown:
            raise ValueError("functions that this test doesn't know: %s" % unknown)
        return re.sub(r"\[(\w+)\]", lambda m: self.known(m[1]), text)

    def known(self, name):
        if "[%s]" % name not in self.physical:
            raise ValueError("%s has no column %s" % (self.caption, name))
        return quoted(name)


def put_parameters(text, parameters):
    for name, value in parameters.items():
        text = text.replace("<[Parameters].[%s]>" % name, "(DATE '%s')" % value)
        text = text.replace("[Parameters].[%s]" % name, "(DATE '%s')" % value)
    if "[Parameters]" in text:
        raise ValueError("an unknown parameter in: " + text)
    return text


class Workbook:
    def __init__(self, path):
        self.root = ET.parse(path).getroot()
        elements = self.root.findall("datasources/datasource")
        self.sources = {e.get("name"): Source(e) for e in elements if e.get("name") != "Parameters"}
        self.parameters = {c.get("name").strip("[]"): c.get("value").strip("#") for c in elements[0].findall("column")}
        self.sheets = {w.get("name"): Sheet(w, self) for w in self.root.findall("worksheets/worksheet")}
        self.dashboards = {d.get("name"): Dashboard(d, self) for d in self.root.findall("dashboards/dashboard")}

    def defaults(self):
        """(parameter, query) of those that take a field's value when the workbook is opened."""
        found = []
        for column in self.root.findall("datasources/datasource[@name='Parameters']/column"):
            if column.get("default-value-field"):
                source, name = column.get("default-value-field").split("].", 1)
                source = self.sources[source.strip("[")]
                found.append((column.get("caption"), 'SELECT %s AS "X" FROM %s GROUP BY 1' % (
                    source.expression(name, self.parameters), source.from_clause(self.parameters))))
        return found


class Dashboard:
    """One <dashboard>: what it shows."""

    def __init__(self, element, book):
        zones = list(element.iter("zone"))
        self.name = element.get("name")
        self.sheets = [book.sheets[z.get("name")] for z in zones if z.get("name") and not z.get("type-v2")]
        # The values that a filter offers.
        self.domains = [(z.get("name"), book.sheets[z.get("name")].domain(z.get("param").split("].", 1)[1]))
                        for z in zones if z.get("type-v2") == "filter"]


class Sheet:
    """One <worksheet>: its fields and filters."""

    def __init__(self, element, book):
        self.element, self.book, self.name = element, book, element.get("name")
        view = element.find("table/view")
        self.source = book.sources[view.find("datasources/datasource").get("name")]
        known = next(d for d in view.findall("datasource-dependencies") if d.get("datasource") == self.source.name)
        self.instances = {i.get("name"): i for i in known.findall("column-instance")}
        shelves = [element.findtext("table/rows") or "", element.findtext("table/cols") or ""]
        shelves += [e.get("column") for e in element.find("table/panes/pane/encodings")]
        self.fields = []
        for field in re.findall(r"\[%s\]\.(\[[^\]]*\])" % re.escape(self.source.name), " ".join(shelves)):
            if field not in self.fields:
                self.fields.append(field)
        self.filters = view.findall("filter")

    def sql_of(self, instance, parameters):
        """Expression of an instance, and whether it is of a group of rows."""
        element = self.instances[instance]
        text = self.source.expression(element.get("column"), parameters)
        derivation = element.get("derivation")
        if derivation in ("Sum", "Min", "Max"):
            return "%s(%s)" % (derivation.upper(), text), True
        if derivation == "Day-Trunc":
            return "CAST(DATE_TRUNC('DAY', CAST(%s AS DATE)) AS DATE)" % text, False
        if derivation in ("None", "User"):
            return text, derivation == "User"
        raise ValueError("derivation %s" % derivation)

    def domain(self, instance):
        text = self.sql_of(instance, self.book.parameters)[0]
        return "SELECT %s AS \"%s\" FROM %s GROUP BY 1 ORDER BY 1 ASC NULLS FIRST" % (
            text, instance.strip("[]"), self.source.from_clause(self.book.parameters))

    def conditions(self, parameters, context, members):
        """Of the filters that are (not) in the context; the first n of a field are a join, see top()."""
        found = []
        for element in self.filters:
            instance = element.get("column").split("].", 1)[1]
            if (element.get("context") == "true") != context:
                continue
            text = self.sql_of(instance, parameters)[0]
            if element.get("class") == "quantitative":
                found.append("(%s >= %s) AND (%s <= %s)" % (text, element.findtext("min"), text, element.findtext("max")))
            elif element.find("groupfilter").get("function") == "member":
                found.append("(%s) = %s" % (text, element.find("groupfilter").get("member")))
            elif element.find("groupfilter").get("function") == "level-members" and instance in members:
                found.append("(%s IN (%s))" % (text, ", ".join("'%s'" % m for m in members[instance])))
        return found

    def top(self, parameters, members):
        for element in self.filters:
            end = element.find("groupfilter")
            if end is None or end.get("function") != "end":
                continue
            order = end.find("groupfilter")
            field = self.sql_of(element.get("column").split("].", 1)[1], parameters)[0]
            query = 'SELECT %s AS "X_k", %s AS "X__alias__0" FROM %s%s GROUP BY 1 ORDER BY 2 %s NULLS LAST LIMIT %s' % (
                field, self.source.formula(order.get("expression"), parameters), self.source.from_clause(parameters),
                where(self.conditions(parameters, True, members)), order.get("direction"), end.get("count"))
            return ' INNER JOIN (%s) "t0" ON (%s IS NOT DISTINCT FROM "t0"."X_k")' % (query, field)
        return ""

    def query(self, members=None, depth=1, **changed):
        """members: chosen in filters, by instance; depth: levels open of the hierarchy; changed: values of parameters by
        name, with _ for a space."""
        parameters = {**self.book.parameters, **{n.replace("_", " "): v for n, v in changed.items()}}
        members = members or {}
        levels = [f.text for f in self.source.element.findall("drill-paths/drill-path/field")][1:depth]
        texts = [self.sql_of(f, parameters) for f in self.fields] + [(self.source.expression(c, parameters), False) for c in levels]
        groups = [str(n) for n, (_text, aggregate) in enumerate(texts, 1) if not aggregate]
        conditions = self.conditions(parameters, True, members) + self.conditions(parameters, False, members)
        tail = (" GROUP BY " + ", ".join(groups)) if groups else " HAVING (COUNT(1) > 0)"
        return "SELECT %s FROM %s%s%s%s" % (
            ", ".join('%s AS "%s"' % (text, field.strip("[]")) for field, (text, _a) in zip(self.fields + levels, texts)),
            self.source.from_clause(parameters), self.top(parameters, members), where(conditions), tail)


def where(conditions):
    return " WHERE " + " AND ".join("(%s)" % c for c in conditions) if conditions else ""
