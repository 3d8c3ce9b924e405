/*
 * Draws the report's charts from the JSON in the page, and runs the drill-down.
 *
 * Colours are CSS variables, so that light, dark and print need no drawing anew.  Charts are SVG.
 * Texts from the data get into the page as text nodes only.
 */
(function () {
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const byId = (id) => document.getElementById(id);
const font = getComputedStyle(document.documentElement).getPropertyValue('--sans').trim();

// ---- words and numbers ----

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const few = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const money = (v) => (v === null ? '–' : Math.abs(v) < 10000 ? cents.format(v) : whole.format(v));
const count = (v) => (v === null ? '–' : whole.format(v));
const percent = (v) => (v === null ? '–' : few.format(100 * v) + ' %');
const text = (v) => (v === null ? '(blank)' : v === '' ? '(empty)' : v);
const counted = (v, one, many) => count(v) + ' ' + (Number(v) === 1 ? one : many ?? one + 's');
const sum = (rows, column) => rows.reduce((s, row) => s + Number(row[column] ?? 0), 0);

function element(name, attributes, ...children)
{
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(attributes || {}))
		if (key === 'style') e.style.cssText = value; // set by script, which the policy allows
		else e.setAttribute(key, value);
	e.append(...children);
	return e;
}

// Long names break after their dots.
function named(name)
{
	return name.split(/(?<=[._])/).flatMap((part, i) => (i > 0 ? [element('wbr'), part] : [part]));
}

// Names that come twice get the end of their id.
function categoryNames(rows)
{
	const seen = new Map();
	for (const row of rows) seen.set(row.category_code, (seen.get(row.category_code) || 0) + 1);
	return rows.map((row) => text(row.category_code) +
		(seen.get(row.category_code) > 1 && row.category_id !== null ? ' (…' + row.category_id.slice(-5) + ')' : ''));
}

// ---- tooltip: title and lines of [label, value] ----

const tip = element('div', { id: 'tip', role: 'status', 'aria-live': 'off' });
document.body.append(tip);

function showTip(handler, event, item, value)
{
	if (!value) { tip.style.visibility = 'hidden'; return; }
	const { title, ...lines } = value;
	tip.replaceChildren(element('b', {}, String(title ?? '')),
		...Object.entries(lines).map(([k, v]) => element('div', {}, element('span', {}, k), element('span', {}, String(v)))));
	const box = tip.getBoundingClientRect();
	tip.style.left = Math.max(6, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + 'px';
	tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 12 : event.clientY + 18) + 'px';
	tip.style.visibility = 'visible';
}
addEventListener('scroll', () => { tip.style.visibility = 'hidden'; }, { passive: true });

// ---- drawing ----

const axis = { labelColor: 'var(--soft)', titleColor: 'var(--soft)', gridColor: 'var(--grid)', domain: false, ticks: false,
	labelFontSize: 12.5, titleFontSize: 12.5, titleFontWeight: 500, labelPadding: 6, labelFont: font, titleFont: font };
const config = { font, background: null, view: { stroke: null }, axis,
	axisY: { grid: false, labelColor: 'var(--ink)' }, axisX: { tickCount: 6 },
	legend: { labelColor: 'var(--ink)', titleColor: 'var(--soft)', labelFontSize: 12.5, labelFont: font, title: null, orient: 'top', padding: 0, offset: 10 },
	text: { font, fontSize: 12.5, fill: 'var(--ink)' } };
const views = new Map();

// draw(ID, spec(width)): of Vega-Lite, or of Vega if it says so; again whenever the width changes.
function draw(id, makeSpec)
{
	const place = byId(id);
	if (!place) return;
	const plot = place.querySelector('.plot') || place.appendChild(element('div', { class: 'plot' }));
	let width = 0;
	const paint = () =>
	{
		const now = Math.floor(plot.clientWidth);
		if (now < 50 || now === width) return;
		width = now;
		let spec = makeSpec(width);
		if (!/\/vega\//.test(spec.$schema || ''))
			spec = vegaLite.compile({ autosize: { type: 'fit-x', contains: 'padding' }, padding: 2, width, config, ...spec }).spec;
		if (views.has(id)) views.get(id).finalize();
		const view = new vega.View(vega.parse(spec), { renderer: 'svg', container: plot, hover: true, tooltip: showTip, logLevel: vega.Error });
		views.set(id, view);
		view.run();
		// The section's title and finding describe the chart; Vega's own labels would repeat every mark.
		const svg = plot.querySelector('svg');
		if (svg) { svg.setAttribute('aria-hidden', 'true'); svg.setAttribute('focusable', 'false'); }
	};
	paint();
	let wait = 0;
	new ResizeObserver(() =>
	{
		clearTimeout(wait);
		// On paper the drawing is scaled.
		wait = setTimeout(() => { if (!matchMedia('print').matches) paint(); }, 120);
	}).observe(plot);
}

// An axis of places 0, 1, … whose labels are in the parameter "names": names themselves must not get into expressions, and two may
// look the same.
const byPlace = (field, axis) => ({ field, type: 'ordinal', title: null, axis: { domain: false, labelExpr: 'names[datum.value]', ...axis } });

// Room for names beside bars.
const nameLimit = (width) => Math.round(Math.min(270, width * 0.47));

// ---- sales trend ----

const steps = { hour: 3600e3, day: 86400e3, week: 7 * 86400e3 };
function bucketEnd(start)
{
	if (data.bucket !== 'month') return start + steps[data.bucket];
	return new Date(start).setUTCMonth(new Date(start).getUTCMonth() + 1);
}

// PostgreSQL's text of a bucket: years may have more digits than four, or end with BC, which Date.parse doesn't know.
function bucketStart(bucket)
{
	const [, year, month, day, hour] = /^(\d+)-(\d+)-(\d+) (\d+)/.exec(bucket).map(Number);
	const date = new Date(0);
	date.setUTCFullYear(bucket.endsWith(' BC') ? 1 - year : year, month - 1, day);
	return date.setUTCHours(hour);
}

function bucketName(bucket, start)
{
	const [date, time] = bucket.split(' '), era = bucket.endsWith(' BC') ? ' BC' : '';
	return (data.bucket === 'hour' ? date + ' ' + time.slice(0, 5)
		: data.bucket === 'day' ? new Date(start).toLocaleDateString('en', { weekday: 'short', timeZone: 'UTC' }) + ' ' + date
		: data.bucket === 'week' ? 'week of ' + date : date.slice(0, -3)) + era;
}

function sales(width)
{
	const rows = data.sales_trend.map((row) =>
	{
		const start = bucketStart(row.bucket), end = bucketEnd(start), name = bucketName(row.bucket, start);
		return { start, end, middle: (start + end) / 2, revenue: row.revenue, peak: row.peak,
			label: data.bucket === 'hour' ? name.replace(/^\d+-/, '') : data.bucket === 'month' ? name : new Date(start).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' }),
			tip: { title: name, Revenue: money(row.revenue), Purchases: count(row.purchases), Carts: count(row.carts), Views: count(row.views),
				Visitors: count(row.users), Buyers: count(row.buyers), ...(row.peak ? { Peak: 'yes' } : {}) } };
	});
	namePeaks(rows, width);
	const x = { field: 'start', type: 'temporal', scale: { type: 'utc' }, title: null,
		axis: { grid: false, labelFlush: false, labelOverlap: true, tickCount: width < 500 ? 4 : 10, format: { hour: '%-d %b %H:%M', day: '%-d %b', week: '%-d %b %y', month: '%b %Y' }[data.bucket], labelColor: 'var(--soft)' } };
	const y = { field: 'revenue', type: 'quantitative', title: null, axis: { grid: true, format: '~s', labelExpr: 'replace(datum.label, "G", "B")', tickCount: 5, labelColor: 'var(--soft)' },
		...(rows.some((row) => row.revenue != 0) ? {} : { scale: { domain: [0, 1] } }) };
	const slim = rows.length > width / 5;
	return { height: width < 500 ? 220 : 290, data: { values: rows }, layer: [
		{ mark: { type: 'rect', cornerRadiusTopLeft: slim ? 0 : 2, cornerRadiusTopRight: slim ? 0 : 2, stroke: 'var(--card)', strokeWidth: slim ? 0.4 : 1.5 },
			encoding: { x, x2: { field: 'end' }, y, y2: { datum: 0 }, tooltip: { field: 'tip' },
				color: { condition: { test: 'datum.peak', value: 'var(--peak)' }, value: 'var(--accent)' } } },
		{ transform: [{ filter: 'datum.peak' }], mark: { type: 'point', shape: 'triangle-up', filled: true, size: 55, color: 'var(--peak)', dy: -9, yOffset: -9, opacity: 1 },
			encoding: { x: { field: 'middle', type: 'temporal' }, y } },
		{ transform: [{ filter: 'datum.named' }], mark: { type: 'text', dy: -22, fontWeight: 600, fill: 'var(--peak)' },
			encoding: { x: { field: 'middle', type: 'temporal' }, y, text: { field: 'label' } } }] };
}

// The highest peaks get their date written, as long as there is room between two.
function namePeaks(rows, width)
{
	const room = rows.length > 0 ? (rows[rows.length - 1].end - rows[0].start) * 90 / width : 0, named = [];
	for (const row of rows.filter((r) => r.peak).sort((a, b) => b.revenue - a.revenue))
		if (named.every((other) => Math.abs(other.middle - row.middle) >= room)) { row.named = true; named.push(row); }
}

// ---- prices: a dot each for lowest, average and highest ----

function prices(width)
{
	const kinds = ['lowest', 'average', 'highest'];
	const names = data.price_sensitivity.map((row) => text(row.category_code));
	const rows = data.price_sensitivity.map((row, i) => ({ i, low: row.min_price, high: row.max_price,
		tip: { title: names[i], Highest: money(row.max_price), Average: money(row.average_price), Lowest: money(row.min_price), Interactions: count(row.interactions) } }));
	const dots = data.price_sensitivity.flatMap((row, i) => [row.min_price, row.average_price, row.max_price].map((price, k) =>
		({ i, price, kind: kinds[k], tip: rows[i].tip })));
	const y = byPlace('i', { labelLimit: nameLimit(width) });
	return { height: 31 * names.length, params: [{ name: 'names', value: names }], layer: [
		{ data: { values: rows }, mark: { type: 'rule', strokeWidth: 2, color: 'var(--line)' }, encoding: { y, x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } } },
		{ data: { values: dots }, mark: { type: 'point', filled: true, opacity: 1, size: 95, strokeWidth: 1, stroke: 'var(--card)' },
			encoding: { y, x: { field: 'price', type: 'quantitative', title: 'price', axis: { grid: true, format: rows.some((row) => row.high > 5) ? ',.0f' : ',.2f', tickCount: width < 420 ? 3 : 5 } }, tooltip: { field: 'tip' },
				shape: { field: 'kind', type: 'nominal', sort: kinds, scale: { domain: kinds, range: ['triangle-down', 'circle', 'triangle-up'] } },
				color: { field: 'kind', type: 'nominal', sort: kinds, scale: { domain: kinds, range: ['var(--good)', 'var(--accent)', 'var(--peak)'] } } } }] };
}

// ---- pie: numbers in the slices stand for the names in the legend ----

function pie()
{
	const place = byId('categories');
	if (!place) return;
	const names = categoryNames(data.popular_categories), all = sum(data.popular_categories, 'interaction_count');
	const rows = data.popular_categories.map((row, i) => ({ place: i + 1, name: names[i], n: row.interaction_count, share: row.interaction_count / all,
		tip: { title: names[i], Interactions: count(row.interaction_count), Share: percent(row.interaction_count / all), Views: count(row.views), Carts: count(row.carts),
			Purchases: count(row.purchases), Revenue: money(row.revenue) } }));
	place.classList.add('pie');
	place.append(element('div', { class: 'plot', style: 'width:100%' }),
		element('ol', { class: 'legend' }, ...rows.map((row, i) => element('li', {},
			element('span', { class: 'no', style: `background:var(--c${i + 1});color:var(--t${i + 1})` }, String(row.place)),
			element('span', { class: 'name' }, ...named(row.name)), element('span', { class: 'value' }, percent(row.share))))));
	const scale = (letter) => ({ field: 'place', type: 'ordinal', legend: null, scale: { domain: rows.map((row) => row.place), range: rows.map((row, i) => `var(--${letter}${i + 1})`) } });
	draw('categories', (width) =>
	{
		const size = Math.min(width, 260), r = size / 2 - 4;
		return { width: size, height: size, data: { values: rows }, encoding: { theta: { field: 'n', type: 'quantitative', stack: true }, order: { field: 'place' } }, layer: [
			{ mark: { type: 'arc', outerRadius: r, stroke: 'var(--card)', strokeWidth: 1.5 }, encoding: { color: scale('c'), tooltip: { field: 'tip' } } },
			{ transform: [{ calculate: 'datum.share >= 0.03 ? datum.place : ""', as: 'shown' }], mark: { type: 'text', radius: r * 0.76, fontSize: 13, fontWeight: 650 },
				encoding: { text: { field: 'shown' }, fill: { ...scale('t') } } }] };
	});
}

// ---- bars with their value at the end ----

function bars(rows, width, options)
{
	const x = { field: 'v', type: 'quantitative', title: null, axis: null, scale: { domainMin: 0, nice: false } };
	return { height: 31 * rows.length, data: { values: rows.map((row, i) => ({ ...row, i })) }, encoding: { x, y: byPlace('i', { labelLimit: nameLimit(width) }), tooltip: { field: 'tip' } }, layer: [
		{ mark: { type: 'bar', cornerRadiusEnd: 3, color: 'var(--accent)', height: { band: 0.68 }, ...options } },
		{ mark: { type: 'text', align: 'left', dx: 6 }, encoding: { text: { field: 'shown' } } }] };
}

function interactions(width)
{
	const rows = data.top_user_categories.map((row) => ({ name: text(row.user_id) + ' · ' + text(row.category_code), v: row.interactions, shown: count(row.interactions),
		tip: { title: 'User ' + text(row.user_id), Category: text(row.category_code), Interactions: count(row.interactions) } }));
	return { params: [{ name: 'names', value: rows.map((row) => row.name) }], ...bars(rows, width) };
}

// ---- segments ----

function segments(width)
{
	const colours = { champions: 'c1', loyal: 'c3', promising: 'c6', new: 'c2', at_risk: 'c5', hibernating: 'c10', browsers: 'c4' };
	const all = sum(data.customer_segments, 'revenue');
	const rows = data.customer_segments.filter((row) => row.revenue > 0).map((row) => ({ id: row.segment, parent: 'all', size: Number(row.revenue),
		name: row.segment.replace('_', ' '), fill: `var(--${colours[row.segment] || 'c10'})`, ink: `var(--${(colours[row.segment] || 'c10').replace('c', 't')})`,
		share: percent(row.revenue / all), people: counted(row.customers, 'customer'),
		tip: { title: row.segment.replace('_', ' '), Customers: count(row.customers), Orders: count(row.orders), Revenue: money(row.revenue), 'Share of revenue': percent(row.revenue / all),
			'Revenue per customer': money(row.average_monetary), 'Days since the last order': few.format(row.average_recency_days) } }));
	const label = (field, dy, size, weight, least) => ({ type: 'text', from: { data: 'leaves' }, interactive: false, encode: { update: {
		x: { field: 'x0', offset: 9 }, y: { field: 'y0', offset: dy }, align: { value: 'left' }, baseline: { value: 'top' }, font: { value: font }, fontSize: { value: size }, fontWeight: { value: weight },
		fill: { field: 'ink' }, limit: { signal: 'datum.x1 - datum.x0 - 14' }, text: { signal: `datum.x1 - datum.x0 > 52 && datum.y1 - datum.y0 > ${least} ? datum.${field} : ''` } } } });
	return { $schema: 'https://vega.github.io/schema/vega/v6.json', width, height: 300, padding: 0, background: null,
		data: [{ name: 'leaves', values: [{ id: 'all' }, ...rows], transform: [{ type: 'stratify', key: 'id', parentKey: 'parent' },
			{ type: 'treemap', field: 'size', sort: { field: 'value', order: 'descending' }, round: true, method: 'squarify', ratio: 1.4, paddingInner: 3, size: [{ signal: 'width' }, { signal: 'height' }] },
			{ type: 'filter', expr: 'datum.parent' }] }],
		marks: [{ type: 'rect', from: { data: 'leaves' }, encode: { update: { x: { field: 'x0' }, x2: { field: 'x1' }, y: { field: 'y0' }, y2: { field: 'y1' },
			fill: { field: 'fill' }, cornerRadius: { value: 4 }, tooltip: { field: 'tip' } } } },
			label('name', 9, 15, 650, 26), label('share', 29, 13.5, 400, 46), label('people', 47, 12.5, 400, 64)] };
}

// ---- funnel: centred bars, each beside its share of those who looked; below, categories ----

function funnel(width)
{
	const row = data.funnel_all[0];
	const steps = [['looked', row.viewers], ['put into the cart', row.carters], ['bought', row.buyers]];
	const rows = steps.map(([name, v], i) => ({ name, from: -v / 2, to: v / 2, shown: count(v) + (i > 0 && row.viewers > 0 ? '  (' + percent(v / row.viewers) + ')' : ''), i,
		tip: { title: name, Users: count(v), ...(row.viewers > 0 ? { 'Of those who looked': percent(v / row.viewers) } : {}), ...(i === 2 && row.carters > 0 ? { 'Of those with a cart': percent(v / row.carters) } : {}) } }));
	const y = { field: 'name', type: 'nominal', sort: rows.map((r) => r.name), title: null, axis: { labelLimit: 130, domain: false }, scale: { paddingInner: 0.12 } };
	const rate = data.funnel.map((r) => ({ name: text(r.category_code), v: r.view_to_buy ?? 0, shown: percent(r.view_to_buy), tip: { title: text(r.category_code), Viewers: count(r.viewers),
		'With a cart': count(r.carters), Buyers: count(r.buyers), 'Viewers with a cart': percent(r.view_to_cart), 'Viewers who buy': percent(r.view_to_buy) } }));
	const small = bars(rate, width, { color: 'var(--good)' });
	return { autosize: { type: 'pad', contains: 'padding' }, params: [{ name: 'names', value: rate.map((r) => r.name) }], vconcat: [
		{ width: width - 150, height: 132, data: { values: rows }, layer: [
			{ mark: { type: 'bar', cornerRadius: 4 }, encoding: { y, x: { field: 'from', type: 'quantitative', axis: null, title: null }, x2: { field: 'to' }, tooltip: { field: 'tip' },
				color: { field: 'i', type: 'ordinal', legend: null, scale: { domain: [0, 1, 2], range: ['var(--h3)', 'var(--h4)', 'var(--h5)'] } } } },
			{ transform: [{ filter: 'datum.i == 0' }], mark: { type: 'text', fontWeight: 600, fill: 'var(--ht3)' }, encoding: { y, x: { datum: 0, type: 'quantitative' }, text: { field: 'shown' } } },
			{ transform: [{ filter: 'datum.i > 0' }], mark: { type: 'text', fontWeight: 600, align: 'left', dx: 8, fill: 'var(--ink)' }, encoding: { y, x: { field: 'to', type: 'quantitative' }, text: { field: 'shown' } } }] },
		{ ...small, width: width - nameLimit(width) - 60, height: 24 * rate.length, title: { text: 'Viewers who buy, in the most viewed categories', anchor: 'start', frame: 'group', font, fontSize: 12.5, fontWeight: 500, color: 'var(--soft)', offset: 6 } }] };
}

// ---- cross-selling ----

// Five colours of about as many cells each.
const lifts = data.cross_sell.map((row) => row.lift).sort((a, b) => a - b);
const liftSteps = [...new Set([0.2, 0.4, 0.6, 0.8].map((q) => Number((lifts[Math.floor(q * lifts.length)] || 0).toPrecision(2))))];

function cross(width)
{
	const totals = new Map();
	for (const row of data.cross_sell)
		for (const item of [row.item_a, row.item_b]) totals.set(item, (totals.get(item) || 0) + row.baskets);
	const items = [...totals.keys()].sort((a, b) => totals.get(b) - totals.get(a) || (a < b ? -1 : 1));
	const cells = data.cross_sell.flatMap((row) => [[row.item_a, row.item_b], [row.item_b, row.item_a]].map(([a, b]) => ({ a: items.indexOf(a), b: items.indexOf(b), step: liftSteps.filter((s) => row.lift >= s).length, shown: count(row.baskets),
		tip: { title: text(a) + ' + ' + text(b), Baskets: count(row.baskets), Lift: few.format(row.lift), 'Share of baskets': percent(row.support),
			'First, then also second': percent(row.item_a === a ? row.confidence_ab : row.confidence_ba) } })));
	const limit = Math.round(Math.min(190, width * 0.34));
	const scale = (letter) => ({ field: 'step', type: 'ordinal', legend: null, scale: { domain: [0, 1, 2, 3, 4], range: [1, 2, 3, 4, 5].map((i) => `var(--${letter}${i})`) } });
	const wide = width >= 480 ? 1 : 0;
	return { height: 30 * items.length, params: [{ name: 'names', value: items.map(text) }], data: { values: cells }, encoding: {
		x: byPlace('a', { orient: 'bottom', labelAngle: -40, labelLimit: limit * 0.8, grid: false, labelColor: 'var(--ink)' }), y: byPlace('b', { labelLimit: limit }) }, layer: [
		{ mark: { type: 'rect', cornerRadius: 3, stroke: 'var(--card)', strokeWidth: 2 }, encoding: { color: scale('h'), tooltip: { field: 'tip' } } },
		...(wide ? [{ mark: { type: 'text', fontSize: 11 }, encoding: { text: { field: 'shown' }, fill: scale('ht') } }] : [])] };
}

function crossKey()
{
	const place = byId('cross'), last = liftSteps.length;
	if (!place) return;
	const names = ['below ' + liftSteps[0], ...liftSteps.slice(1).map((step, i) => liftSteps[i] + '–' + step), 'from ' + liftSteps[last - 1]];
	place.append(element('ul', { class: 'key' }, element('li', {}, 'Lift'), ...names.map((name, i) =>
		element('li', {}, element('i', { style: `background:var(--h${i + 1});border:1px solid var(--line)` }), name))));
}

// ---- drill-down: lists of buttons, so that keys and screen readers work ----

// Rows of one level below a path of [{ value, other }…], summed.
const levels = [['category_code', 'other_categories', 'categories'], ['brand', 'other_brands', 'brands'], ['product_id', 'other_products', 'products']];
function children(path)
{
	const groups = new Map();
	for (const row of data.drill_down)
	{
		if (!path.every((step, i) => row[levels[i][0]] === step.value && !row[levels[i][1]])) continue;
		const [column, other] = levels[path.length], key = JSON.stringify([row[column], row[other]]);
		if (!groups.has(key)) groups.set(key, { value: row[column], other: row[other], rows: [] });
		groups.get(key).rows.push(row);
	}
	return [...groups.values()].map((group) => ({ ...group, revenue: sum(group.rows, 'revenue'), interactions: sum(group.rows, 'interactions'), products: sum(group.rows, 'products') }));
}

function drill()
{
	const place = byId('drill');
	if (!place) return;
	const trail = element('nav', { class: 'path', 'aria-label': 'Where you are' }), list = element('ol', { class: 'rows' });
	const said = element('p', { class: 'hidden', role: 'status' });
	place.append(trail, list, said);

	function line(path, row, most)
	{
		const leaf = row.other || path.length === 2, [, , plural] = levels[path.length];
		const name = row.other ? `other ${plural}` : (path.length === 2 ? 'product ' : '') + text(row.value);
		const e = element(leaf ? 'div' : 'button', leaf ? {} : { type: 'button' }, element('span', { class: 'name' }, ...named(name)),
			element('span', { class: 'track', 'aria-hidden': 'true' }, element('i', { style: `width:${most > 0 ? Math.max(0, 100 * row.revenue / most) : 0}%` })),
			element('span', { class: 'value' }, money(row.revenue)), element('span', { class: 'value more' }, counted(row.interactions, 'interaction')));
		if (!leaf) e.addEventListener('click', () => show([...path, { value: row.value }], true));
		return element('li', row.other ? { class: 'other' } : {}, e);
	}

	function show(path, moved)
	{
		const rows = children(path), most = Math.max(...rows.map((row) => row.revenue));
		const names = ['All categories', ...path.map((step) => text(step.value))];
		trail.replaceChildren(...names.flatMap((name, i) =>
		{
			const last = i === path.length;
			const e = last ? element('span', { 'aria-current': 'true' }, name) : element('button', { type: 'button' }, name);
			if (!last) e.addEventListener('click', () => show(path.slice(0, i), true));
			return i > 0 ? [element('span', { 'aria-hidden': 'true' }, '›'), e] : [e];
		}));
		list.setAttribute('aria-label', `${levels[path.length][2]} of ${names[path.length]}`);
		// The bars begin and end in line, so the longest number makes the room for all.
		for (const [name, texts] of [['--value', rows.map((row) => money(row.revenue))], ['--more', rows.map((row) => counted(row.interactions, 'interaction'))]])
			list.style.setProperty(name, Math.max(0, ...texts.map((t) => t.length)) + 'ch');
		list.replaceChildren(...rows.map((row) => line(path, row, most)));
		if (!moved) return;
		said.textContent = `${rows.length} ${levels[path.length][2]} of ${names[path.length]}`;
		(list.querySelector('button') || trail.querySelector('button')).focus({ preventScroll: true });
	}
	show([], false);
}

draw('sales', sales);
drill();
pie();
draw('prices', prices);
draw('interactions', interactions);
draw('segments', segments);
draw('funnel', funnel);
draw('cross', cross);
crossKey();
document.documentElement.dataset.drawn = views.size;
}());
