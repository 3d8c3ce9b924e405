# customer_clusters finds clusters as tight as those of scikit-learn: over the same points
# (logarithms of recency, frequency and monetary value, standardised) the squared distances
# from the clusters' means sum up to at most 1.02 times the least sum of ten attempts
# there, for few and for many customers (more than are sampled), for clear clusters and none.
# Needs scikit-learn from PyPI; without it the test is skipped.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $venv = $ENV{EC_SKLEARN_VENV} // "$PostgreSQL::Test::Utils::tmp_check/sklearn";
my $python = "$venv/bin/python";
unless (-x $python && system("$python -c 'import sklearn' 2>/dev/null") == 0)
{
	system("python3 -m venv $venv && $venv/bin/pip install -q scikit-learn") == 0
		or plan skip_all => 'SKIPPED: scikit-learn cannot be installed from PyPI';
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ecinsight');

# Customers of g groups (1: no clear groups), each with some orders of some prices.
sub make_events
{
	my ($name, $customers, $groups) = @_;
	$node->safe_psql('postgres', "SELECT setseed(0.5); CREATE TABLE $name USING ecinsight_columnar AS
		SELECT timestamptz '2020-01-01' - days * interval '1 day' - o * random() * interval '3 days' AS event_time, 'purchase' AS event_type,
			1 AS product_id, 1 AS category_id, 'a' AS category_code, 'b' AS brand,
			(mean * exp(random() - 0.5))::numeric(10,2) AS price, u AS user_id, 's' || o AS user_session
		FROM (SELECT u, 10 ^ (3 * (u % $groups + random()) / $groups) / 10 AS days, 10 ^ (1 + 2.5 * (u % $groups * 7 % $groups + random()) / $groups) AS mean,
				1 + floor(20 * random() * (u % $groups + 1) / $groups)::int AS orders
			FROM generate_series(1, $customers) u) c, generate_series(1, orders) o");
}

make_events('few', 300, 4);
make_events('clear', 5000, 5);
make_events('cloud', 5000, 1);
make_events('many', 50000, 3);

# Our clusters beside the points, judged by the other side.
my $script = <<'PYTHON';
import csv, sys
import numpy as np
from sklearn.cluster import KMeans
rows = list(csv.reader(sys.stdin))
labels = np.array([int(r[1]) for r in rows])
x = np.array([[float(r[2]), float(r[3]), float(r[4])] for r in rows])
x = np.sign(x) * np.log1p(np.abs(x))
x = (x - x.mean(axis=0)) / x.std(axis=0)
k = int(sys.argv[1])
means = np.array([x[labels == c].mean(axis=0) for c in range(1, labels.max() + 1)])
ours = ((x - means[labels - 1]) ** 2).sum()
nearest = ((x[:, None, :] - means[None, :, :]) ** 2).sum(axis=2).argmin(axis=1) + 1
theirs = KMeans(n_clusters=k, init='k-means++', n_init=10, random_state=1).fit(x).inertia_
print(len(rows), labels.max(), f'{(nearest != labels).mean():.4f}', f'{ours / theirs:.4f}')
PYTHON
my $program = "$PostgreSQL::Test::Utils::tmp_check/judge.py";
append_to_file($program, $script);

foreach my $case (['few', 4, 0], ['few', 7, 1], ['clear', 5, 0], ['cloud', 3, 0], ['cloud', 8, -9], ['many', 5, 0], ['many', 12, 3])
{
	my ($table, $k, $seed) = @$case;
	my $customers = $node->safe_psql('postgres', "SELECT count(DISTINCT user_id) FROM $table");
	my $file = "$PostgreSQL::Test::Utils::tmp_check/$table-$k.csv";
	append_to_file($file, $node->safe_psql('postgres', "SET extra_float_digits = 1; COPY (SELECT * FROM ecinsight.customer_clusters('$table', $k, $seed)) TO STDOUT (FORMAT csv)") . "\n");
	my ($n, $clusters, $misplaced, $ratio) = split ' ', `$python $program $k < $file`;
	is($n, $customers, "$table, $k clusters: each customer is there");
	is($clusters, $k, 'as many clusters as wanted');
	cmp_ok($misplaced, '<=', 0.002, "customers are next to their cluster's mean (but $misplaced of them)");
	cmp_ok($ratio, '<=', 1.02, "as tight as scikit-learn's: $ratio");
}

$node->stop;
done_testing();
