# ecreport: the page holds the functions' numbers, whatever names are in the data; it draws itself in a real browser
# without any network, in light and dark, and its drill-down works.
use strict;
use warnings;

use Cwd qw(abs_path);
use EcBrowser;
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

if (!-x 'bin/ecreport')
{
	diag('bin/ecreport is not built (its plotting library could not be fetched): the report is NOT tested');
	plan skip_all => 'bin/ecreport is not built';
}

my $tmp = abs_path(PostgreSQL::Test::Utils::tempdir());
my $node = PostgreSQL::Test::Cluster->new('report');
$node->init;
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub slurp { my ($file) = @_; open(my $f, '<:raw', $file) or die "$file: $!"; local $/; return scalar <$f> }

# Exit code and standard error
sub report
{
	my (@args) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'bin/ecreport', '-h', $node->host, '-p', $node->port, @args ], '<', \undef, '>', \$out, '2>', \$err);
	return ($? >> 8, $err, $out);
}

# ---- options and errors ----

my ($code, $err, $out) = report('--help');
is($code, 0, '--help');
like($out, qr/^Usage: ecreport/m, 'help says how');
($code, $err) = report('--since', '2019-1-1', 'postgres');
is($code, 2, 'a date that is none');
like($err, qr/2019-1-1/, 'is named');
($code, $err) = report('no_such_database');
is($code, 1, 'no database');
like($err, qr/^ecreport: .*no_such_database.*does not exist$/m, 'is said');
($code, $err) = report('-o', "$tmp/x.html", 'postgres');
is($code, 1, 'no extension');
like($err, qr/CREATE EXTENSION ecinsight/, 'hint at it');
sql('CREATE EXTENSION ecinsight');
($code, $err) = report('-o', "$tmp/x.html", 'postgres');
is($code, 1, 'no views');
like($err, qr/create_views/, 'hint at them');
ok(!glob("$tmp/x.html*"), 'nothing is written');

# ---- data with nasty names ----

# Two months; user and session make pairs of categories; names that try to get out of HTML, JSON and CSV.
sql(<<'EOC');
SELECT ecinsight.create_events_table('public.events');
CREATE TABLE name (n int, category text, brand text);
INSERT INTO name VALUES (0, '</script><script>window.hacked=1</script>', 'a"b'), (1, NULL, NULL), (2, '', ''), (3, '<!-- <b>&amp;', E'tab\there'),
	(4, E'two\nlines', '\."x",y'), (5, 'kids.carriage', $$it's$$), (6, E'\u2028 caf\u00e9 \U0001F6D2', 'back\slash'), (7, '\u003cimg src=x onerror=window.hacked=2>', '${1}');
INSERT INTO events
SELECT timestamptz '2019-10-01 00:00:00+00' + i * interval '13 minutes',
	CASE WHEN i % 5 = 0 OR i BETWEEN 4000 AND 4200 THEN 'purchase' WHEN i % 5 = 1 THEN 'cart' ELSE 'view' END,
	1000 + i % 97, 2053013555631882000 + i % 9, category, brand, CASE WHEN i % 19 > 0 THEN (i * 37 % 9999) / 100.0 END, 500000000 + i / 7 % 300, 's' || i / 7
FROM generate_series(0, 6999) i JOIN name ON n = (i / 7 + i % 3) % 8;
SELECT ecinsight.create_views('public.events');
CREATE ROLE reader LOGIN;
SELECT ecinsight.grant_read('reader');
EOC

my $page = "$tmp/report.html";
($code, $err) = report('-o', $page, '-U', 'reader', 'postgres');
is("$code $err", '0 ', 'a role that may only read the views gets a report');
my $html = slurp($page);
ok(!glob("$tmp/*.tmp"), 'no temporary file is left');

my $json = JSON::PP->new->utf8->allow_bignum;
sub page_data { my ($text) = @_; return $json->decode($text =~ m{<script type="application/json" id=data>(.*?)</script>}s ? $1 : die 'no data in the page') }

# The rows of a query in the same form.
sub rows
{
	my ($query) = @_;
	return $json->decode(sql("SET TimeZone = 'UTC'; SELECT coalesce(json_agg(r), '[]') FROM ($query) r"));
}

# Numbers as numbers, all else as text: JSON's own types differ (bignum objects, 1.0 and 1).
sub flat
{
	my ($rows) = @_;
	return [ map { my $r = $_; join '|', map { my $v = $r->{$_}; "$_=" . (!defined $v ? 'null' : JSON::PP::is_bool($v) ? ($v ? 'true' : 'false') : "$v" =~ /^-?[\d.]+(e[-+]?\d+)?$/i ? 0 + "$v" : $v =~ s/T(?=\d\d:)/ /r) } sort keys %$r } @$rows ];
}

my %function = (
	overview => "SELECT first_event AT TIME ZONE 'UTC' AS first_event, last_event AT TIME ZONE 'UTC' AS last_event, interactions, views, carts, purchases, revenue, users, buyers, sessions, orders, average_order_value, conversion FROM ecinsight.overview('events'%s)",
	sales_trend => "SELECT bucket AT TIME ZONE 'UTC' AS bucket, interactions, views, carts, purchases, revenue, users, buyers, peak FROM ecinsight.sales_trend('events'%s)",
	price_sensitivity => "SELECT * FROM ecinsight.price_sensitivity('events', k => 10%s)",
	popular_categories => "SELECT rank, category_id::text, category_code, interaction_count, views, carts, purchases, revenue FROM ecinsight.popular_categories('events', k => 10%s)",
	top_user_categories => "SELECT rank, user_id::text, category_code, interactions FROM ecinsight.top_user_categories('events', k => 10%s)",
	customer_segments => "SELECT * FROM ecinsight.customer_segments('events'%s)",
	funnel_all => "SELECT viewers, carters, buyers, view_to_cart, cart_to_buy, view_to_buy FROM ecinsight.funnel('events', by => 'none'%s)",
	funnel => "SELECT key AS category_code, viewers, carters, buyers, view_to_cart, cart_to_buy, view_to_buy FROM ecinsight.funnel('events'%s) LIMIT 10");

# All panels, and sums of the drill-down.
sub check_numbers
{
	my ($data, $what, $range) = @_;
	foreach my $panel (sort keys %function)
	{
		my $expected = rows(sprintf $function{$panel}, $range);
		cmp_ok(scalar @$expected, '>', 0, "$what: $panel has rows");
		is_deeply(flat($data->{$panel}), flat($expected), "$what: numbers of $panel");
	}
	my %pair = map { $_ => 1 } @{ flat(rows("SELECT item_a, item_b, baskets, support, confidence_ab, confidence_ba, lift FROM ecinsight.cross_sell('events', k => NULL$range)")) };
	my @shown = @{ flat($data->{cross_sell}) };
	cmp_ok(scalar @shown, '>', 5, "$what: pairs");
	is(scalar(grep { !$pair{$_} } @shown), 0, "$what: numbers of cross_sell");
	my ($revenue, $interactions) = (0, 0);
	my %category;
	foreach my $row (@{ $data->{drill_down} })
	{
		$revenue += 0 + "$row->{revenue}";
		$interactions += $row->{interactions};
		$category{ $row->{category_code} // 'NULL' } += $row->{interactions} unless $row->{other_categories};
	}
	is(sprintf('%.2f', $revenue), sprintf('%.2f', "$data->{overview}[0]{revenue}"), "$what: revenue of the drill-down");
	is($interactions, $data->{overview}[0]{interactions}, "$what: interactions of the drill-down");
	my %by_code = map { ($_->{category_code} // 'NULL') => 0 + $_->{interaction_count} } @{ rows("SELECT category_code, interaction_count FROM ecinsight.popular_categories('events', k => NULL, by => 'code'$range)") };
	is_deeply(\%category, \%by_code, "$what: categories of the drill-down");
}
check_numbers(page_data($html), 'all', '');
is(page_data($html)->{bucket}, 'day', 'two months are shown by day');

# A range of days, on standard output; hours for three days.
($code, $err, $out) = report('-o', '-', '--since', '2019-10-05', '--until', '2019-11-20', '--title', '<i>T&C</i>', 'postgres');
is($code, 0, 'a range');
check_numbers(page_data($out), 'range', ", since => '2019-10-05 00:00:00+00', until => '2019-11-20 00:00:00+00'");
like($out, qr{<title>&lt;i&gt;T&amp;C&lt;/i&gt;</title>}, 'title');
like($out, qr/only since 2019-10-05 before 2019-11-20/, 'the page says its range');
($code, $err, $out) = report('-o', '-', '--since', '2019-10-05', '--until', '2019-10-07', 'postgres');
is(page_data($out)->{bucket}, 'hour', 'two days are shown by hour');
is(scalar @{ page_data($out)->{sales_trend} }, 48, '48 hours');

# A role's settings don't narrow it.
sql(q(ALTER ROLE reader SET ecinsight.since = '2019-11-01'));
($code, $err, $out) = report('-o', '-', '-U', 'reader', 'postgres');
is("@{ flat(page_data($out)->{overview}) }", "@{ flat(page_data($html)->{overview}) }", "settings of the role don't count");

# ---- HTML and CSV ----

unlike($html =~ s{<script>.*?</script>}{}sgr, qr/<script>window|<img|<!--/, 'names are escaped in HTML and JSON');
is(scalar(() = $html =~ m{</script}gi), 4, 'as many ends of scripts as scripts');
like($html, qr{<td>&lt;/script&gt;&lt;script&gt;window.hacked=1&lt;/script&gt;</td>}, 'a nasty name stands in a table');
unlike($html =~ s{<script>.*?</script>}{}sgr, qr{(?:src|href)\s*=\s*["']?(?:https?:)?//}i, 'no reference to any other place');
like($html, qr/Content-Security-Policy content="default-src 'none';/, 'a policy against connections');
like($html, qr/University of Washington Interactive Data Lab/, "the library's licence is in the page");
foreach my $csv ([ 'top_10_interactions', "SELECT user_id, category_code, interactions AS count FROM ecinsight.top_user_categories('events', k => 10)" ],
	[ 'top_10_categories_prices', "SELECT category_code, average_price, max_price, min_price FROM ecinsight.price_sensitivity('events', k => 10)" ],
	[ 'top_10_categories', "SELECT category_id, category_code, interaction_count FROM ecinsight.popular_categories('events', k => 10)" ])
{
	is(slurp("$tmp/$csv->[0].csv"), sql("COPY ($csv->[1]) TO STDOUT (FORMAT csv, HEADER)") . "\n", "$csv->[0].csv as COPY writes it");
}

# ---- what can go wrong ----

($code, $err) = report('-o', "$tmp/no/such/dir.html", 'postgres');
is($code, 1, 'a directory that is not there');
like($err, qr{no/such/dir.html: No such file}, 'is named');
($code, $err) = report('--schema', 'pg_catalog', 'postgres');
is($code, 1, 'a schema without views');
sql(q(CREATE TABLE nothing (LIKE events); SELECT ecinsight.create_views('nothing', 'empty "schema"')));
($code, $err) = report('-o', "$tmp/empty.html", '--no-csv', '--schema', 'empty "schema"', 'postgres');
is("$code $err", '0 ', 'no events at all');
like(slurp("$tmp/empty.html"), qr/There is nothing to show/, 'is said');

# Great sums, few rows, and times for which JavaScript's own text of a date has another form.
sql(<<'EOC');
CREATE TABLE odd (LIKE events);
INSERT INTO odd SELECT timestamptz '0291-01-01 00:00:00+00 BC' + i * interval '2000 years', 'purchase', 1, 1, 'kids.carriage', 'belecoo', 99999999.99, 1, 's' FROM generate_series(0, 6) i;
INSERT INTO odd SELECT timestamptz '2019-10-01 00:00:00+00', 'purchase', 1, 1, 'kids.carriage', 'belecoo', 99999999.99, 1, 's' FROM generate_series(1, 20000) i;
SELECT ecinsight.create_views('odd', 'odd');
CREATE TABLE free (LIKE events);
INSERT INTO free VALUES ('2019-10-01 00:00:00+00', 'purchase', 1, 1, 'kids.carriage', 'belecoo', 0, 1, 's');
SELECT ecinsight.create_views('free', 'free');
EOC
foreach my $schema (qw(odd free))
{
	($code, $err) = report('-o', "$tmp/$schema.html", '--no-csv', '--schema', $schema, 'postgres');
	is("$code $err", '0 ', "report of $schema events");
}
my ($finding) = slurp("$tmp/odd.html") =~ /(The best .*?)</;
my @said = slurp("$tmp/free.html") =~ m{<p class=finding[^>]*>(.*?)</p>}gs;
ok(slurp("$tmp/odd.html") =~ m{The best month, <b>2019-10</b>, brought 1,999,999,999,800,}, 'the best month among those of odd years') or diag($finding);
ok((grep { /of all interactions\.$/ } @said) && (grep { /: 1 interaction\.$/ } @said), 'one is not many') or diag(explain(\@said));

# ---- in a browser ----

my $browser = EcBrowser->find(dir => $tmp);
SKIP:
{
	if (!$browser)
	{
		diag('chromium is not installed: how the report looks in a browser is NOT tested');
		skip 'no chromium', 1;
	}

	# Scripts around the page: what goes wrong, and what is to be seen after a walk through the drill-down.
	my $watch = <<'EOC';
<script>window.seen = { errors: [], violations: [] };
addEventListener('error', (e) => seen.errors.push(String(e.message)));
addEventListener('unhandledrejection', (e) => seen.errors.push(String(e.reason)));
addEventListener('securitypolicyviolation', (e) => seen.violations.push(e.violatedDirective));
for (const level of ['error', 'warn']) { const old = console[level]; console[level] = (...a) => { seen.errors.push(a.join(' ')); old.apply(console, a); }; }</script>
EOC
	my $walk = <<'EOC';
<script>setTimeout(() => {
const names = () => [...document.querySelectorAll('#drill .rows .name')].map((e) => e.textContent);
const crumbs = () => [...document.querySelectorAll('#drill .path > :not([aria-hidden])')].map((e) => e.textContent);
const push = (list, text) => { const b = [...document.querySelectorAll('#drill ' + list + ' button')].find((e) => e.textContent.startsWith(text)); b.focus(); b.click(); };
seen.top = names();
push('.rows', 'kids.carriage'); seen.brands = names(); seen.crumbs = crumbs(); seen.focus = document.activeElement.className || document.activeElement.tagName;
push('.rows', ''); seen.products = names(); seen.values = [...document.querySelectorAll('#drill .rows .value:not(.more)')].map((e) => e.textContent);
push('.path', 'All'); seen.back = names();
const bar = document.querySelector('#sales .mark-rect path, #sales .mark-bar path');
seen.marks = Object.fromEntries([...document.querySelectorAll('.chart')].map((e) => [e.id, e.querySelectorAll('svg path, svg text').length]));
seen.slices = document.querySelectorAll('#categories .mark-arc path').length;
seen.bars = document.querySelectorAll('#interactions .mark-rect path').length;
seen.cells = document.querySelectorAll('#segments .mark-rect path').length;
seen.legend = [...document.querySelectorAll('.legend .name')].map((e) => e.textContent);
seen.unnamed = [...document.querySelectorAll('[role=img], section, [role=group], [role=region]')].filter((e) => {
	const label = e.getAttribute('aria-label') || (document.getElementById(e.getAttribute('aria-labelledby')) || {}).textContent; return !label; }).length;
seen.scale = [...document.querySelectorAll('#sales svg text')].map((e) => e.textContent).join(' ');
seen.cut = [...document.querySelectorAll('.tiles dd, .rows .value')].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent);
seen.wide = document.documentElement.scrollWidth - innerWidth;
seen.page = getComputedStyle(document.body).backgroundColor;
seen.fetched = performance.getEntriesByType('resource').length;
seen.hacked = window.hacked || 0;
for (const type of ['pointerover', 'pointermove']) bar.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX: bar.getBoundingClientRect().x + 2, clientY: bar.getBoundingClientRect().y + 2 }));
seen.tip = (document.getElementById('tip') || {}).textContent;
const pre = document.createElement('pre'); pre.id = 'seen'; pre.textContent = JSON.stringify(seen); document.body.append(pre);
}, 1500);</script>
EOC
	my $watched = sub {
		my ($name, $html, @options) = @_;
		open(my $f, '>:raw', "$tmp/$name.html") or die;
		print {$f} $html =~ s/<head>\n/<head>\n$watch/r =~ s{</body>}{$walk</body>}r;
		close $f;
		my ($dom, $console) = $browser->dom("$tmp/$name.html", @options);
		$dom =~ m{<pre id="seen">(.*?)</pre>}s or die "no result: $console\n" . substr($dom, -2000);
		my %entity = (lt => '<', gt => '>', amp => '&', quot => '"', nbsp => "\xc2\xa0");
		my $seen = $json->decode($1 =~ s/&(\w+);/$entity{$1}/gr);
		return ($seen, $console);
	};
	my $data = page_data($html);
	my ($seen, $console) = $watched->('watched', $html);
	is_deeply($seen->{errors}, [], 'no error, no warning') or diag($console);
	is_deeply($seen->{violations}, [], 'nothing that the policy forbids is tried');
	is($seen->{fetched}, 0, 'nothing is fetched');
	is($seen->{hacked}, 0, 'names are not run');
	foreach my $chart (qw(sales categories prices interactions segments funnel cross))
	{
		cmp_ok($seen->{marks}{$chart}, '>', 5, "chart $chart is drawn");
	}
	is($seen->{slices}, scalar @{ $data->{popular_categories} }, 'slices of the pie');
	is($seen->{bars}, scalar @{ $data->{top_user_categories} }, 'bars');
	is($seen->{cells}, scalar(grep { "$_->{revenue}" > 0 } @{ $data->{customer_segments} }), 'cells of the treemap');
	is(scalar @{ $seen->{legend} }, $seen->{slices}, 'legend of the pie');
	is($seen->{unnamed}, 0, 'every chart and table has a name for screen readers');
	like($seen->{tip}, qr/2019.*Revenue.*Visitors/s, 'a tooltip');

	my %name = map { $_ => 1 } @{ $seen->{top} };
	ok($name{'(blank)'} && $name{'(empty)'} && $name{'</script><script>window.hacked=1</script>'} && $name{'kids.carriage'}, 'categories of the drill-down, NULL and the empty text among them');
	is_deeply($seen->{brands}, ["it's"], 'brands of a category');
	is_deeply($seen->{crumbs}, [ 'All categories', 'kids.carriage' ], 'where it is');
	is($seen->{focus}, 'BUTTON', 'the keyboard goes on in the list');
	is_deeply($seen->{back}, $seen->{top}, 'and back');
	my $products = rows(q(SELECT product_id, sum(revenue) AS revenue FROM insight.product_day WHERE category_code = 'kids.carriage' GROUP BY 1 ORDER BY 2 DESC, sum(interactions) DESC, product_id COLLATE "C" LIMIT 8));
	is_deeply([ @{ $seen->{products} }[0 .. 7] ], [ map { "product $_->{product_id}" } @$products ], 'products of a brand');
	is_deeply([ map { s/,//gr } @{ $seen->{values} }[0 .. 7] ], [ map { sprintf '%.2f', "$_->{revenue}" } @$products ], 'and their revenue');
	is($seen->{products}[-1], 'other products', 'and the others');

	foreach my $schema (qw(odd free))
	{
		($seen, $console) = $watched->("seen_$schema", slurp("$tmp/$schema.html"), '--window-size=1300,900');
		is_deeply($seen->{errors}, [], "no error with $schema events") or diag($console);
		is_deeply($seen->{cut}, [], "$schema: no number is cut off");
		cmp_ok($seen->{marks}{funnel}, '>', 5, "$schema: all is drawn");
		unlike($seen->{scale}, qr/NaN/, "$schema: an axis of numbers");
	}

	# That the policy works at all: a picture from elsewhere is refused.
	($seen) = $watched->('forbidden', $html =~ s{</header>}{<img src="http://127.0.0.1:9/x.png"></header>}r);
	is_deeply($seen->{violations}, ['img-src'], 'the page may not fetch anything');

	# Looks
	my $light = $seen->{page};
	($seen) = $watched->('dark', $html, $browser->dark);
	isnt($seen->{page}, $light, 'another page for those who prefer dark ones');
	($seen) = $watched->('narrow', $html, '--window-size=500,900');
	cmp_ok($seen->{wide}, '<=', 0, 'a narrow window need not be scrolled sideways');
	($seen) = $watched->('empty', slurp("$tmp/empty.html") =~ s{</main>}{<div id=drill><ol class=rows><li><button>kids.carriage</button></ol><nav class=path><button>All</button></nav></div><div id=sales><g class=mark-rect><path></path></g></div></main>}r);
	is_deeply($seen->{errors}, [], 'the page without events draws nothing, without error');
	open(my $f, '>', "$tmp/blank.html") or die;
	print {$f} '<!doctype html><title>blank</title>';
	close $f;
	is($browser->screenshot($page, "$tmp/page.png", 1280, 2960), '', 'no message on the console');
	$browser->screenshot("$tmp/blank.html", "$tmp/blank.png", 1280, 2960);
	cmp_ok(-s "$tmp/page.png", '>', 10 * -s "$tmp/blank.png", 'a picture that is not blank');
	$browser->pdf($page, "$tmp/page.pdf");
	my $pages = () = slurp("$tmp/page.pdf") =~ m{/Type\s*/Page\b}g;
	ok($pages >= 3 && $pages <= 8, "$pages printed pages");
}

done_testing();
