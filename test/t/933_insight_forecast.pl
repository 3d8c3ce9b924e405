# sales_forecast fits as well as statsmodels' ExponentialSmoothing: over the same values the sum of
# the squared errors of one step is at most 1.02 times theirs.  With the parameters that ours found,
# their ETSModel's forecasts differ from ours by less than a millionth of the values' mean, and the
# widths of the intervals by less than a millionth, once the variance is divided by the same number.
# (ExponentialSmoothing's own forecasts take a value of the season that is one season old, for the
# last step of the first season ahead, so they can't serve.)
# Needs statsmodels from PyPI; without it the test is skipped.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $venv = $ENV{EC_STATSMODELS_VENV} // "$PostgreSQL::Test::Utils::tmp_check/statsmodels";
my $python = "$venv/bin/python";
unless (-x $python && system("$python -c 'import statsmodels' 2>/dev/null") == 0)
{
	system("python3 -m venv $venv && $venv/bin/pip install -q statsmodels") == 0
		or plan skip_all => 'SKIPPED: statsmodels cannot be installed from PyPI';
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ecinsight');

# One purchase for each bucket: its price is the value.
sub make_series
{
	my ($name, $bucket, $n, $value) = @_;
	$node->safe_psql('postgres', "SELECT setseed(0.25); CREATE TABLE $name USING ecinsight_columnar AS
		SELECT timestamptz '2020-01-06 00:00+00' + i * interval '1 $bucket' AS event_time, 'purchase' AS event_type,
			($value)::numeric(12,2) AS price, 1 AS user_id FROM generate_series(0, $n - 1) i");
}

my $script = <<'PYTHON';
import csv, sys, warnings
import numpy as np
from scipy.stats import norm
from statsmodels.tsa.holtwinters import ExponentialSmoothing
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
warnings.simplefilter('ignore')
season, alpha, beta, gamma, sse, level = int(sys.argv[1]), *map(float, sys.argv[2:7])
y = np.array([float(v) for v in sys.argv[7].split(',')])
ours = np.array([[float(v) for v in line.split('|')] for line in sys.argv[8].split()])
kind = dict(trend='add', seasonal='add' if season > 1 else None, seasonal_periods=season if season > 1 else None)
theirs = ExponentialSmoothing(y, initialization_method='estimated', **kind).fit()

# the start that is best for our parameters: errors are linear in it
def errors(values, l, b, s):
    s, out = list(s), []
    for i, v in enumerate(values):
        e = v - l - b - s[i % season]
        l, b = l + b + alpha * e, b + beta * e
        s[i % season] += gamma * e
        out.append(e)
    return np.array(out)
zero = np.zeros(season)
units = [(1, 0, zero), (0, 1, zero)]
for i in range(season - 1):
    s = zero.copy()
    s[i], s[season - 1] = 1, -1
    units.append((0, 0, s))
columns = np.array([errors(np.zeros(len(y)), *u) for u in units]).T
start = np.linalg.lstsq(columns, -errors(y, 0, 0, zero), rcond=None)[0]
s0 = sum((start[2 + i] * units[2 + i][2] for i in range(season - 1)), zero)
known = dict(initial_level=start[0], initial_trend=start[1])
if season > 1:
    known['initial_seasonal'] = s0
same = ExponentialSmoothing(y, initialization_method='known', **known, **kind).fit(
    smoothing_level=alpha, smoothing_trend=beta / alpha if alpha > 0 else 0, smoothing_seasonal=gamma if season > 1 else None, optimized=False)
h = len(ours)
scale = np.abs(y).mean()
print(f'{sse / theirs.sse:.6f}')
# (0 and 1 for alpha would be divided by there)
state = ETSModel(y, error='add', initialization_method='known', **known, **kind)
result = state.smooth([min(max(alpha, 1e-12), 1 - 1e-9), beta] + ([gamma] if season > 1 else []))
print(f'{np.abs(np.asarray(result.forecast(h)) - ours[:, 0]).max() / scale:.3e}', f'{abs(same.sse / sse - 1):.3e}')
variance = np.asarray(result.forecast_variance(h)) / (result.sse / len(y))
freedom = len(y) - (4 if season == 1 else season + 4)
width = 2 * norm.ppf((1 + level) / 2) * np.sqrt(sse / freedom * variance)
print(f'{np.abs((ours[:, 2] - ours[:, 1]) / width - 1).max():.3e}')
PYTHON
my $judge = PostgreSQL::Test::Utils::tempdir() . '/judge.py';
append_to_file($judge, $script);

sub compare
{
	my ($name, $bucket, $season, $horizon, $level) = @_;
	my $history = $node->safe_psql('postgres', "SELECT string_agg(revenue::text, ',' ORDER BY bucket) FROM ecinsight.sales_trend('$name', bucket => '$bucket')");
	my ($rc, $out, $err) = $node->psql('postgres', "SET extra_float_digits = 3; SET client_min_messages = debug1;
		SELECT forecast, low, high FROM ecinsight.sales_forecast('$name', bucket => '$bucket', horizon => $horizon, level => $level)");
	my ($used, $alpha, $beta, $gamma, $sse) = $err =~ /season (\d+), alpha (\S+), beta (\S+), gamma (\S+), sum of squared errors (\S+)/;
	is($used, $season, "$name: season");
	my ($judged, $complaint);
	PostgreSQL::Test::Utils::system_log('true');
	IPC::Run::run([ $python, $judge, $season, $alpha, $beta, $gamma, $sse, $level, $history, $out ], '>', \$judged, '2>', \$complaint);
	my ($ratio, $forecasts, $errors, $widths) = split ' ', $judged;
	like($judged, qr/\d/, "$name: judged") or diag($complaint);
	cmp_ok($ratio, '<=', 1.02, "$name: squared errors are $ratio of theirs (alpha $alpha, beta $beta, gamma $gamma)");
	cmp_ok($errors, '<', 1e-6, "$name: same errors with the same parameters");
	cmp_ok($forecasts, '<', 1e-6, "$name: same forecasts with the same parameters");
	cmp_ok($widths, '<', 1e-6, "$name: same intervals");
}

make_series('weekly', 'day', 91, "1000 + 5 * i + 200 * sin(i % 7) + 100 * random()");
make_series('changing', 'day', 120, "3000 + 900 * sin(i / 20.0) + (200 + 20 * i) * cos(i % 7) + 300 * random()");
make_series('short', 'day', 15, "100 + 30 * (i % 7) + 20 * random()");
make_series('hours', 'hour', 500, "500 + 300 * sin(i % 24 * 0.26) + i * 0.3 + 150 * random()");
make_series('walk', 'week', 60, "1000 + 100 * (hashint4(i / 7) % 9) + 80 * random()");
make_series('noise', 'month', 36, "100 * random()");

compare('weekly', 'day', 7, 21, 0.95);
compare('changing', 'day', 7, 30, 0.8);
compare('short', 'day', 7, 14, 0.95);
compare('hours', 'hour', 24, 60, 0.99);
compare('walk', 'week', 1, 12, 0.95);
compare('noise', 'month', 1, 6, 0.5);

$node->stop;
done_testing();
