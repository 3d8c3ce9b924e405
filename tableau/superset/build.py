#!/usr/bin/env python3
"""Writes the bundle of the Superset dashboard: bundle/*.yaml beside this file.

    build.py            write it
    build.py --check    code 1 if what is there differs
    build.py --zip FILE --uri URI
                        an archive for Superset's import, with this database URI

The bundle names no password; scripts/dashboard puts in the URI of the demo's database.
"""
import argparse
import json
import pathlib
import sys
import uuid
import zipfile

HERE = pathlib.Path(__file__).resolve().parent / "bundle"
SCHEMA = "insight"
URI = "postgresql+psycopg2://tableau@127.0.0.1:5432/shop"


def uid(name):
    return str(uuid.uuid5(uuid.UUID("6a1f4c0e-3f0b-5c54-9a53-0c1f3f1f5e10"), name))


# ---- YAML of dicts, lists and scalars; strings as JSON writes them, which YAML reads ----

def scalar(v):
    return json.dumps(v, ensure_ascii=False)


def dump(v, indent=0):
    pad = "  " * indent
    if isinstance(v, dict) and v:
        lines = []
        for key, value in v.items():
            nested = isinstance(value, (dict, list)) and value
            lines.append(f"{pad}{key}:" + ("\n" + dump(value, indent + 1) if nested else f" {scalar(value)}"))
        return "\n".join(lines)
    if isinstance(v, list) and v:
        return "\n".join(f"{pad}- " + (dump(x, indent + 1).lstrip() if isinstance(x, (dict, list)) and x else scalar(x))
                         for x in v)
    return pad + scalar(v)


# ---- datasets: the views, and two queries over them ----

TEXT, INT, MONEY, RATIO, DATE, BOOL = "TEXT", "BIGINT", "NUMERIC(18, 2)", "DOUBLE PRECISION", "DATE", "BOOLEAN"
COUNTS = {"interactions": INT, "views": INT, "carts": INT, "purchases": INT, "revenue": MONEY}
PRICED = {**COUNTS, "priced": INT, "price_sum": MONEY, "price_min": MONEY, "price_max": MONEY}
DATASETS = {
    "sales_trend": {"bucket": DATE, **COUNTS, "users": INT, "buyers": INT, "peak": BOOL},
    "category_day": {"bucket": DATE, "category_id": TEXT, "category_code": TEXT, "brand": TEXT, **PRICED},
    "product_day": {"bucket": DATE, "product_id": TEXT, "category_id": TEXT, "category_code": TEXT, "brand": TEXT,
                    **PRICED},
    "user_category_day": {"bucket": DATE, "user_id": TEXT, "category_code": TEXT, "interactions": INT},
    "customer_segments": {"segment": TEXT, "customers": INT, "orders": INT, "revenue": MONEY, "revenue_share": RATIO},
    "cross_sell": {"rank": INT, "item_a": TEXT, "item_b": TEXT, "baskets": INT, "support": RATIO, "lift": RATIO},
    "funnel_steps": {"category_code": TEXT, "step": TEXT, "users": INT},
}
QUERIES = {
    "funnel_steps": "SELECT key AS category_code, step, users\nFROM insight.funnel,\n"
                    "  LATERAL (VALUES ('1 viewed', viewers), ('2 put into the cart', carters), ('3 bought', buyers)) "
                    "AS s (step, users)",
}


def dataset(name):
    columns = DATASETS[name]
    return {
        "table_name": name, "main_dttm_col": "bucket" if "bucket" in columns else None, "description": None,
        "default_endpoint": None, "offset": 0, "cache_timeout": None, "schema": SCHEMA, "sql": QUERIES.get(name),
        "params": None, "template_params": None, "filter_select_enabled": True, "fetch_values_predicate": None,
        "extra": None, "normalize_columns": False, "always_filter_main_dttm": False, "uuid": uid("dataset " + name),
        "metrics": [{"metric_name": "count", "verbose_name": None, "metric_type": "count", "expression": "COUNT(*)",
                     "description": None, "d3format": None, "extra": None, "warning_text": None}],
        "columns": [{"column_name": c, "verbose_name": None, "is_dttm": t == DATE, "is_active": True, "type": t,
                     "advanced_data_type": None, "groupby": t in (TEXT, DATE, BOOL), "filterable": True,
                     "expression": None, "description": None, "python_date_format": None, "extra": None}
                    for c, t in columns.items()],
        "version": "1.0.0", "database_uuid": uid("database")}


# ---- charts ----

def metric(label, sql):
    return {"expressionType": "SQL", "sqlExpression": sql, "label": label, "hasCustomLabel": True,
            "optionName": "metric_" + label.replace(" ", "_")}


REVENUE = metric("revenue", "SUM(revenue)")
INTERACTIONS = metric("interactions", "SUM(interactions)")
PURCHASES = metric("purchases", "SUM(purchases)")
MONEY_FORMAT, COUNT_FORMAT = ",.2f", ",d"


def bars(dimension, measure, **more):
    """The ten greatest.  Upright: a click on a horizontal bar would filter by its measure, not by its name."""
    return {"viz_type": "echarts_timeseries_bar", "x_axis": dimension, "metrics": [measure], "groupby": [],
            "orientation": "vertical", "xAxisLabelRotation": 45, "row_limit": 10, "order_desc": True, "x_axis_sort": measure["label"],
            "x_axis_sort_asc": False, "show_value": True, "y_axis_format": "SMART_NUMBER", "show_legend": False,
            "truncate_metric": True, "show_empty_columns": True, "rich_tooltip": True, "xAxisForceCategorical": True,
            "color_scheme": "supersetColors", **more}


def number(measure, form):
    return {"viz_type": "big_number_total", "metric": measure, "y_axis_format": form, "header_font_size": 0.4,
            "subheader_font_size": 0.15}


# name: dataset, width (of 12), height (in 8 pixels), row, settings
CHARTS = {
    "Revenue": ("sales_trend", 4, 16, 0, number(REVENUE, MONEY_FORMAT)),
    "Purchases": ("sales_trend", 4, 16, 0, number(PURCHASES, COUNT_FORMAT)),
    "Interactions": ("sales_trend", 4, 16, 0, number(INTERACTIONS, COUNT_FORMAT)),
    "Sales trend with peaks": ("sales_trend", 12, 44, 1, {
        "viz_type": "echarts_timeseries_bar", "x_axis": "bucket", "time_grain_sqla": "P1D", "groupby": [],
        "metrics": [metric("revenue", "SUM(revenue) FILTER (WHERE NOT peak)"),
                    metric("revenue, peak", "SUM(revenue) FILTER (WHERE peak)")],
        "stack": "Stack", "row_limit": 10000, "y_axis_format": "SMART_NUMBER", "x_axis_time_format": "smart_date",
        "show_legend": True, "rich_tooltip": True, "color_scheme": "supersetColors"}),
    "Prices of the top 10 categories": ("category_day", 6, 52, 2, {
        "viz_type": "echarts_timeseries_scatter", "x_axis": "category_code", "groupby": [],
        "metrics": [metric("average price", "SUM(price_sum) / NULLIF(SUM(priced), 0)"),
                    metric("highest price", "MAX(price_max)"), metric("lowest price", "MIN(price_min)")],
        "row_limit": 10, "order_desc": True, "x_axis_sort": "average price", "x_axis_sort_asc": False,
        "markerSize": 9, "y_axis_format": ",.0f", "xAxisLabelRotation": 45, "show_legend": True, "rich_tooltip": True,
        "xAxisForceCategorical": True, "color_scheme": "supersetColors"}),
    "Interactions over the top 10 categories": ("category_day", 6, 52, 2, {
        "viz_type": "pie", "groupby": ["category_code"], "metric": INTERACTIONS, "row_limit": 10,
        "sort_by_metric": True, "label_type": "key_percent", "show_labels": True, "labels_outside": True,
        "label_line": True, "show_legend": False, "number_format": COUNT_FORMAT, "outerRadius": 70,
        "color_scheme": "supersetColors"}),
    "Revenue by category": ("product_day", 4, 50, 3, bars("category_code", REVENUE)),
    "Revenue by brand": ("product_day", 4, 50, 3, bars("brand", REVENUE)),
    "Revenue by product": ("product_day", 4, 50, 3, bars("product_id", REVENUE)),
    "Top 10 interactions": ("user_category_day", 6, 50, 4, bars(
        "user_id", INTERACTIONS, groupby=["category_code"], stack="Stack", show_legend=True, limit=0)),
    "Customer segments": ("customer_segments", 6, 50, 4, {
        "viz_type": "treemap_v2", "groupby": ["segment"], "metric": REVENUE, "row_limit": 100, "show_labels": True,
        "show_upper_labels": False, "label_type": "key_value", "number_format": MONEY_FORMAT,
        "color_scheme": "supersetColors"}),
    "Bought together": ("cross_sell", 6, 56, 5, {
        "viz_type": "heatmap_v2", "x_axis": "item_a", "groupby": "item_b", "metric": metric("lift", "MAX(lift)"),
        "row_limit": 60, "sort_x_axis": "alpha_asc", "sort_y_axis": "alpha_asc", "normalize_across": "heatmap",
        "legend_type": "continuous", "linear_color_scheme": "schemeBlues", "show_legend": True, "show_values": False,
        "show_percentage": False, "value_bounds": [None, None], "y_axis_format": ",.2f", "left_margin": "auto",
        "bottom_margin": "auto", "xscale_interval": -1, "yscale_interval": -1, "adhoc_filters": [
            {"expressionType": "SQL", "clause": "WHERE", "sqlExpression": "rank <= 60"}]}),
    "From view to purchase": ("funnel_steps", 6, 56, 5, {
        "viz_type": "funnel", "groupby": ["step"], "metric": metric("users", "SUM(users)"), "row_limit": 10,
        "sort_by_metric": True, "show_labels": True, "label_type": 5, "percent_calculation_type": "first_step",
        "number_format": COUNT_FORMAT, "show_legend": False, "color_scheme": "supersetColors"}),
}


def chart(name):
    source, _, _, _, settings = CHARTS[name]
    filters = list(settings.get("adhoc_filters", []))
    if "bucket" in DATASETS[source]:
        filters.append({"expressionType": "SIMPLE", "clause": "WHERE", "subject": "bucket",
                        "operator": "TEMPORAL_RANGE", "comparator": "No filter"})
    return {"slice_name": name, "description": None, "certified_by": None, "certification_details": None,
            "viz_type": settings["viz_type"],
            "params": {"datasource": "1__table", **settings, "adhoc_filters": filters, "extra_form_data": {}},
            "query_context": None, "cache_timeout": 0, "uuid": uid("chart " + name), "version": "1.0.0",
            "dataset_uuid": uid("dataset " + source)}


# ---- dashboard ----

NOTE = ("Shop events, live. Choose a time range and categories at the left; click a bar, a slice or a cell to filter the "
        "other charts by it; right-click one to drill by another dimension. *Customer segments*, *Bought together* and "
        "*From view to purchase* are about all events, whatever the time range.")


def position():
    rows = sorted({row for *_, row, _ in CHARTS.values()})
    grid = ["ROW-note"] + [f"ROW-{row}" for row in rows]
    nodes = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": grid, "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": "Shop insights"}},
        "ROW-note": {"type": "ROW", "id": "ROW-note", "children": ["MARKDOWN-note"], "parents": ["ROOT_ID", "GRID_ID"],
                     "meta": {"background": "BACKGROUND_TRANSPARENT"}},
        "MARKDOWN-note": {"type": "MARKDOWN", "id": "MARKDOWN-note", "children": [],
                          "parents": ["ROOT_ID", "GRID_ID", "ROW-note"],
                          "meta": {"code": NOTE, "width": 12, "height": 10}}}
    for row in rows:
        members = [(i, n) for i, n in enumerate(CHARTS) if CHARTS[n][3] == row]
        nodes[f"ROW-{row}"] = {"type": "ROW", "id": f"ROW-{row}", "children": [f"CHART-{i}" for i, _ in members],
                               "parents": ["ROOT_ID", "GRID_ID"], "meta": {"background": "BACKGROUND_TRANSPARENT"}}
        for i, name in members:
            nodes[f"CHART-{i}"] = {"type": "CHART", "id": f"CHART-{i}", "children": [],
                                   "parents": ["ROOT_ID", "GRID_ID", f"ROW-{row}"],
                                   "meta": {"chartId": i + 1, "width": CHARTS[name][1], "height": CHARTS[name][2],
                                            "sliceName": name, "uuid": uid("chart " + name)}}
    return nodes


def native_filter(name, kind, targets, **controls):
    return {"id": "NATIVE_FILTER-" + name.replace(" ", "-"), "name": name, "filterType": kind, "type": "NATIVE_FILTER",
            "description": "", "cascadeParentIds": [], "targets": targets, "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
            "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
            "controlValues": {"enableEmptyFilter": False, **controls}}


def dashboard():
    select = {"multiSelect": True, "searchAllOptions": True, "inverseSelection": False, "defaultToFirstItem": False}

    def column(name):
        return [{"datasetUuid": uid("dataset category_day"), "column": {"name": name}}]
    return {"dashboard_title": "Shop insights", "description": "Insights of ecinsight", "css": "", "slug": "shop-insights",
            "uuid": uid("dashboard"), "published": True, "position": position(),
            "metadata": {"native_filter_configuration": [
                native_filter("Time range", "filter_time", [{}]),
                native_filter("Category", "filter_select", column("category_code"), **select),
                native_filter("Brand", "filter_select", column("brand"), **select)],
                "cross_filters_enabled": True, "refresh_frequency": 0, "color_scheme": "supersetColors",
                "timed_refresh_immune_slices": [], "expanded_slices": {}, "label_colors": {}, "default_filters": "{}",
                "filter_bar_orientation": "VERTICAL"},
            "version": "1.0.0"}


def bundle(uri):
    files = {
        "metadata.yaml": {"version": "1.0.0", "type": "Dashboard", "timestamp": "2026-01-01T00:00:00+00:00"},
        "databases/ecinsight.yaml": {
            "database_name": "ecinsight", "sqlalchemy_uri": uri, "cache_timeout": 0, "expose_in_sqllab": True,
            "allow_run_async": False, "allow_ctas": False, "allow_cvas": False, "allow_dml": False,
            "allow_file_upload": False, "extra": {"allows_virtual_table_explore": True}, "uuid": uid("database"),
            "version": "1.0.0"},
        "dashboards/shop_insights.yaml": dashboard()}
    files.update({f"datasets/ecinsight/{name}.yaml": dataset(name) for name in DATASETS})
    files.update({f"charts/{name.lower().replace(' ', '_')}.yaml": chart(name) for name in CHARTS})
    return {path: dump(content) + "\n" for path, content in files.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--zip", metavar="FILE")
    parser.add_argument("--uri", default=URI)
    options = parser.parse_args()
    files = bundle(options.uri)
    if options.zip:
        with zipfile.ZipFile(options.zip, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in files.items():
                archive.writestr("shop_insights/" + path, text)
        return 0
    if options.check:
        there = {str(p.relative_to(HERE)): p.read_text(encoding="utf-8") for p in HERE.rglob("*.yaml")}
        for path in sorted(set(there) | set(files)):
            if there.get(path) != files.get(path):
                print(f"tableau/superset/bundle/{path} is not as build.py writes it")
        return there != files
    for path, text in files.items():
        (HERE / path).parent.mkdir(parents=True, exist_ok=True)
        (HERE / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
