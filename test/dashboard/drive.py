#!/usr/bin/env python3
"""Drives the Superset dashboard in chromium and compares what it gets and shows with the insight functions.

    drive.py URL PASSWORD [DIRECTORY]     pictures of it go to the directory

The database is that of the environment (PGHOST, PGPORT, PGUSER, PGDATABASE).  The last line is
"N passed, N failed".
"""
import decimal
import json
import os
import sys
import time
import urllib.parse

import psycopg2
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

URL, PASSWORD = sys.argv[1:3]
PICTURES = sys.argv[3] if len(sys.argv) > 3 else None
PATIENCE = int(os.environ.get("EC_BROWSER_SECONDS", "300"))
passed = failed = 0


def check(what, good, detail=""):
    global passed, failed
    if good:
        passed += 1
        print(f"ok {what}", flush=True)
    else:
        failed += 1
        print(f"not ok {what} {detail}", flush=True)


def wait(what, condition, seconds=PATIENCE):
    end = time.time() + seconds
    while time.time() < end:
        result = condition()
        if result:
            return result
        time.sleep(1)
    raise SystemExit(f"{what}: not within {seconds} s\n{passed} passed, {failed + 1} failed")


# ---- the database ----

connection = psycopg2.connect("")
connection.autocommit = True


def rows(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [list(map(plain, row)) for row in cursor.fetchall()]


def plain(v):
    """Numbers alike, whatever made them."""
    if isinstance(v, bool):
        return v
    if isinstance(v, (int, float, decimal.Decimal)):
        return round(float(v), 4)
    return v


# ---- the browser ----

def start():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                     "--disable-background-networking", "--window-size=1500,3400", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(PATIENCE)
    driver.set_script_timeout(PATIENCE)
    return driver


# In every page, before its own scripts: keep what charts ask for and get.
HOOK = """
window.ecSeen = [];
const plain = window.fetch;
window.fetch = async function (resource, init) {
    const response = await plain.apply(this, arguments);
    const url = String(resource.url || resource);
    if (url.includes('/api/v1/chart/data') && init && init.body) {
        const copy = response.clone();
        copy.json().then((answer) => window.ecSeen.push([String(init.body), answer]));
    }
    return response;
};
"""


class Dashboard:
    def __init__(self, driver):
        self.driver = driver
        self.charts = {}  # id: name
        self.answers = {}  # name: rows of the last answer
        self.queries = {}  # name: the request
        self.sent = {}  # name of a chart or filter: the statement that the server sent to the database
        self.hosts = {}  # request: host
        self.refused = set()  # requests that the page's policy held back

    def listen(self):
        """What the page has got since the last call; HOOK collects it."""
        seen = self.driver.execute_script("const s = window.ecSeen || []; window.ecSeen = []; return s")
        for request, answer in seen:
            self.take(json.loads(request), answer)
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            of = event["params"]
            if event["method"] == "Network.requestWillBeSent" and of["request"]["url"].startswith(("http", "ws")):
                self.hosts[of["requestId"]] = urllib.parse.urlsplit(of["request"]["url"]).netloc
            elif event["method"] == "Network.loadingFailed" and of.get("blockedReason") == "csp":
                self.refused.add(of["requestId"])

    def take(self, request, answer):
        form = request.get("form_data") or {}
        name = self.charts.get(form.get("slice_id"))
        if "result" in answer and (name or form.get("native_filter_id")):
            self.sent[name or form["native_filter_id"].replace("NATIVE_FILTER-", "filter ")] = " ".join(
                answer["result"][0]["query"].rstrip("; \n").split())
        if name and "result" in answer:
            self.answers[name] = answer["result"][0]["data"]
            self.queries[name] = request["queries"][0]

    def forget(self):
        self.listen()
        self.answers, self.queries, self.sent = {}, {}, {}

    def complete(self):
        self.listen()
        return set(self.charts.values()) <= set(self.answers)

    def log_in(self):
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": HOOK})
        self.driver.get(URL + "/login/")
        found = wait("the login page", lambda: self.driver.find_elements(By.CSS_SELECTOR, "input[type=password]"))
        name = next(e for e in self.driver.find_elements(By.CSS_SELECTOR, "form input") if e.get_attribute("type") == "text")
        name.send_keys("admin")
        found[0].send_keys(PASSWORD)
        found[0].send_keys(Keys.ENTER)
        wait("logging in", lambda: "/login" not in self.driver.current_url)
        found = self.driver.execute_async_script(
            "const done = arguments[0]; fetch('/api/v1/dashboard/shop-insights/charts').then(r => r.json()).then(done, done)")
        self.charts = {chart["id"]: chart["slice_name"] for chart in found["result"]}

    def open(self, query=""):
        self.forget()
        self.driver.get("about:blank")
        self.driver.get(URL + "/superset/dashboard/shop-insights/" + query)
        try:
            wait("the charts' data", self.complete)
        except SystemExit:
            print("missing:", set(self.charts.values()) - set(self.answers))
            self.picture("incomplete.png")
            raise
        wait("drawing", lambda: not self.driver.find_elements(By.CSS_SELECTOR, ".loading, [data-test='loading-indicator']"))
        time.sleep(3)

    def picture(self, name):
        if PICTURES:
            self.driver.save_screenshot(os.path.join(PICTURES, name))


def table(answer, *columns):
    return [[plain(to_number(row.get(c))) for c in columns] for row in answer]


def to_number(v):
    try:
        return float(v) if isinstance(v, str) and not v.isdigit() else v
    except ValueError:
        return v


def compare(what, answer, columns, expected, ordered=True):
    got = table(answer, *columns)
    if not ordered:
        got, expected = sorted(got, key=str), sorted(expected, key=str)
    check(what, got == expected and expected, f"\n  got {got[:12]}\n  not {expected[:12]}")


def check_numbers(dash, what, since, until):
    """Every chart that a time range reaches, against the function with that range."""
    span = "since => %s::timestamptz, until => %s::timestamptz"
    answers = dash.answers
    overview = rows(f"SELECT revenue, purchases, interactions FROM ecinsight.overview('events', {span})", since, until)[0]
    for i, name in enumerate(("Revenue", "Purchases", "Interactions")):
        compare(f"{what}: {name}", answers[name], [name.lower()], [[overview[i]]])
    got = {row["bucket"]: (row["revenue"], row["revenue, peak"]) for row in answers["Sales trend with peaks"]}
    trend = rows(f"SELECT extract(epoch FROM bucket) * 1000, revenue FROM ecinsight.sales_trend('events', {span})", since, until)
    check(f"{what}: Sales trend with peaks",
          sorted((k, round(float(a or 0) + float(b or 0), 4)) for k, (a, b) in got.items()) == [tuple(r) for r in trend],
          f"{sorted(got.items())[:3]} {trend[:3]}")
    compare(f"{what}: Interactions over the top 10 categories", answers["Interactions over the top 10 categories"],
            ["category_code", "interactions"],
            rows(f"SELECT category_code, interaction_count FROM ecinsight.popular_categories('events', k => 10, by => 'code', {span})",
                 since, until))
    compare(f"{what}: Prices of the top 10 categories", answers["Prices of the top 10 categories"],
            ["category_code", "average price", "highest price", "lowest price"],
            rows(f"SELECT category_code, average_price, max_price, min_price FROM ecinsight.price_sensitivity('events', k => 10, {span})",
                 since, until), ordered=False)
    top = rows(f"SELECT interactions FROM ecinsight.top_user_categories('events', k => 10, {span})", since, until)
    check(f"{what}: Top 10 interactions",
          sorted(v for row in answers["Top 10 interactions"] for k, v in row.items() if k != "user_id" and v) ==
          sorted(r[0] for r in top), f"{answers['Top 10 interactions'][:3]} {top}")
    compare(f"{what}: Revenue by category", answers["Revenue by category"], ["category_code", "revenue"],
            rows("SELECT category_code, sum(revenue) FROM ecinsight.popular_categories('events', k => NULL, by => 'code', "
                 f"{span}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10", since, until), ordered=False)


def check_standing(dash):
    """Charts over all events."""
    compare("Customer segments", dash.answers["Customer segments"], ["segment", "revenue"],
            rows("SELECT segment, revenue FROM ecinsight.customer_segments('events')"), ordered=False)
    pairs = rows("SELECT item_a, item_b, lift FROM ecinsight.cross_sell('events', k => 60)")
    compare("Bought together", dash.answers["Bought together"], ["item_a", "item_b", "lift"], pairs, ordered=False)
    compare("From view to purchase", dash.answers["From view to purchase"], ["users"],
            rows("SELECT unnest(ARRAY[sum(viewers), sum(carters), sum(buyers)]) FROM ecinsight.funnel('events')"),
            ordered=False)


def statements(when):
    """Those of statements.sql, by chart."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "statements.sql"), encoding="utf-8") as file:
        lines = [line.rstrip(";\n") for line in file]
    mark = f"-- {when}: "
    return {line[len(mark):]: lines[n + 1] for n, line in enumerate(lines) if line.startswith(mark)}


def check_statements(dash, when):
    """What benchmarks measure is what is sent."""
    known = statements(when)
    end = time.time() + PATIENCE
    while not set(known) <= set(dash.sent) and time.time() < end:
        time.sleep(1)
        dash.listen()
    check(f"{when}: the statements of statements.sql", known and {n: dash.sent.get(n) for n in known} == known,
          f"\n  got {dash.sent}\n  not {known}")


def check_drill(dash):
    """A click on a bar of categories filters the brands and the products."""
    place = next(e for e in dash.driver.find_elements(By.CSS_SELECTOR, "[data-test-chart-name='Revenue by category']"))
    canvas = place.find_element(By.CSS_SELECTOR, "canvas")
    dash.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    width, height = canvas.size["width"], canvas.size["height"]
    for step in (15, 17, 19, 13, 21, 11, 23):  # the longest bar is the first from the left
        dash.forget()
        ActionChains(dash.driver).move_to_element_with_offset(
            canvas, round((step / 100 - 0.5) * width), round(-0.1 * height)).click().perform()
        for _ in range(10):
            time.sleep(1)
            dash.listen()
            if "Revenue by brand" in dash.answers:
                break
        if "Revenue by brand" in dash.answers:
            break
    chosen = [f["val"] for f in dash.queries.get("Revenue by brand", {}).get("filters", []) if f["col"] == "category_code"]
    check("a click on a category filters the brands", len(chosen) == 1, str(dash.queries.get("Revenue by brand"))[:400])
    if chosen:
        category = chosen[0] if isinstance(chosen[0], list) else [chosen[0]]
        compare(f"brands of {category}", dash.answers["Revenue by brand"], ["brand", "revenue"],
                rows("SELECT brand, sum(revenue) AS r FROM insight.product_day WHERE category_code = ANY (%s) GROUP BY 1 "
                     "ORDER BY 2 DESC LIMIT 10", category), ordered=False)
        wait("products", lambda: dash.listen() or "Revenue by product" in dash.answers, 60)
        got = [row["revenue"] for row in dash.answers["Revenue by product"]]
        compare(f"products of {category}", [{"r": v} for v in got], ["r"],
                rows("SELECT sum(revenue) AS r FROM insight.product_day WHERE category_code = ANY (%s) GROUP BY product_id "
                     "ORDER BY 1 DESC LIMIT 10", category), ordered=False)
        time.sleep(3)
        dash.picture("dashboard-drill.png")


def main():
    driver = start()
    try:
        dash = Dashboard(driver)
        dash.log_in()
        check("thirteen charts", len(dash.charts) == 13, str(dash.charts))
        dash.open()
        dash.picture("dashboard.png")
        alerts = [e.text for e in driver.find_elements(By.CSS_SELECTOR, "[data-test='error'], .ant-alert-error, [role='alert']") if e.text]
        check("no error on the page", not alerts, str(alerts)[:500])
        check("charts are drawn", len(driver.find_elements(By.CSS_SELECTOR, ".dashboard canvas")) >= 10)
        revenue = rows("SELECT revenue FROM ecinsight.overview('events')")[0][0]
        check("the page shows the revenue", f"{revenue:,.2f}" in driver.find_element(By.TAG_NAME, "body").text)
        check_numbers(dash, "all", None, None)
        check_standing(dash)
        check_statements(dash, "load")
        check_drill(dash)
        check_statements(dash, "drill")
        span = "2019-10-05 : 2019-10-20"
        dash.open("?native_filters=(NATIVE_FILTER-Time-range:(__cache:(label:'a',value:'%s'),extraFormData:(time_range:'%s'),"
                  "filterState:(value:'%s'),id:NATIVE_FILTER-Time-range,ownState:()))" % (span, span, span))
        check_numbers(dash, span, "2019-10-05 00:00:00+00", "2019-10-20 00:00:00+00")
        check_statements(dash, "range")
        dash.picture("dashboard-time.png")
        dash.listen()
        hosts = {host for request, host in dash.hosts.items() if request not in dash.refused}
        check("the pages talk to this machine only", hosts == {URL.split("/")[2]}, str(hosts))
    finally:
        driver.quit()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
