/*
 * smoothing.c
 *	  Additive exponential smoothing, fitted by least squares.
 *
 * In the form of error correction, with e = value - level - trend - season:
 *		level' = level + trend + alpha e
 *		trend' = trend + beta e
 *		season' = season + gamma e
 * For given alpha, beta and gamma the errors depend linearly on the states before the
 * first value, so the best of these come from linear equations, and only the three
 * are searched for: on a grid, and from the best places there by the simplex method
 * of Nelder and Mead (1965).  No random numbers: the same values give the same model.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"

#include "insight/smoothing.h"

#define DIMENSIONS 3 /* alpha, beta / alpha, gamma / (1 - alpha): each from 0 to 1 */
#define STARTS 3	 /* places on the grid from which is searched on */
#define STEPS 120	 /* of a search */
#define FIRST_STEP 0.1
#define CLOSE_ENOUGH 1e-10 /* relative difference of the errors of a simplex */
#define RIDGE 1e-10		   /* relative; keeps equations solvable that tell nothing of a state */

typedef struct Fit
{
	const double *values;
	int64 n;
	int season;
	int nunknowns; /* level, trend, season's values but the last, as all sum up to 0 */
} Fit;

typedef struct Point
{
	double at[DIMENSIONS];
	double sse;
} Point;

/* ---- the model ---- */

static void
set_parameters(EcSmoothing *model, const double *at)
{
	model->alpha = at[0];
	model->beta = at[0] * at[1];
	model->gamma = model->season > 1 ? (1 - at[0]) * at[2] : 0;
}

/* Takes a value, the i-th; returns the error of what was expected. */
static inline double
take_value(const EcSmoothing *model, double *states, int64 i, double value)
{
	double *season = &states[2 + i % model->season];
	double error = value - states[0] - states[1] - *season;

	states[0] += states[1] + model->alpha * error;
	states[1] += model->beta * error;
	*season += model->gamma * error;
	return error;
}

/* Runs the model over the values from its start. */
static void
run(EcSmoothing *model, const Fit *fit)
{
	double states[EC_SMOOTHING_STATES];

	memcpy(states, model->start, sizeof(states));
	model->sse = 0;
	for (int64 i = 0; i < fit->n; i++)
	{
		double error = take_value(model, states, i, fit->values[i]);

		model->sse += error * error;
	}
	memcpy(model->end, states, sizeof(double) * 2);
	for (int i = 0; i < model->season; i++)
		model->end[2 + i] = states[2 + (fit->n + i) % model->season];
}

/* ---- the best start for given parameters ---- */

/* The start in which one unknown is 1 and the others are 0; none is 1 beyond the last. */
static void
set_unit(const Fit *fit, int unknown, double *states)
{
	memset(states, 0, sizeof(double) * EC_SMOOTHING_STATES);
	if (unknown >= fit->nunknowns)
		return;
	states[unknown] = 1;
	if (unknown >= 2)
		states[1 + fit->season] = -1;
}

/*
 * Solves the n equations of a symmetric, not negative definite matrix (its lower
 * half) by Cholesky's method; the solution replaces the right side.
 */
static void
solve(double matrix[][EC_SMOOTHING_STATES], double *right, int n)
{
	for (int j = 0; j < n; j++)
	{
		double diagonal = matrix[j][j] * (1 + RIDGE) + DBL_MIN;

		for (int k = 0; k < j; k++)
			diagonal -= matrix[j][k] * matrix[j][k];
		matrix[j][j] = sqrt(Max(diagonal, matrix[j][j] * RIDGE + DBL_MIN));
		for (int i = j + 1; i < n; i++)
		{
			for (int k = 0; k < j; k++)
				matrix[i][j] -= matrix[i][k] * matrix[j][k];
			matrix[i][j] /= matrix[j][j];
		}
	}
	for (int i = 0; i < n; i++)
	{
		for (int k = 0; k < i; k++)
			right[i] -= matrix[i][k] * right[k];
		right[i] /= matrix[i][i];
	}
	for (int i = n - 1; i >= 0; i--)
	{
		for (int k = i + 1; k < n; k++)
			right[i] -= matrix[k][i] * right[k];
		right[i] /= matrix[i][i];
	}
}

/*
 * Errors are those of a start of zeros plus, for each unknown, the unknown times the
 * errors that a start with 1 there makes of values that are all 0.
 */
static void
find_start(EcSmoothing *model, const Fit *fit)
{
	int n = fit->nunknowns;
	double states[EC_SMOOTHING_STATES][EC_SMOOTHING_STATES];
	double matrix[EC_SMOOTHING_STATES][EC_SMOOTHING_STATES] = {{0}};
	double right[EC_SMOOTHING_STATES] = {0};
	double errors[EC_SMOOTHING_STATES];

	for (int unknown = 0; unknown <= n; unknown++)
		set_unit(fit, unknown, states[unknown]);
	for (int64 i = 0; i < fit->n; i++)
	{
		double error = take_value(model, states[n], i, fit->values[i]);

		for (int j = 0; j < n; j++)
			errors[j] = take_value(model, states[j], i, 0);
		for (int j = 0; j < n; j++)
		{
			for (int k = 0; k <= j; k++)
				matrix[j][k] += errors[j] * errors[k];
			right[j] -= errors[j] * error;
		}
	}
	solve(matrix, right, n);
	memset(model->start, 0, sizeof(model->start));
	memcpy(model->start, right, sizeof(double) * n);
	for (int i = 2; i < n; i++)
		model->start[1 + fit->season] -= right[i];
}

static void
evaluate(EcSmoothing *model, const Fit *fit, Point *point)
{
	CHECK_FOR_INTERRUPTS();
	set_parameters(model, point->at);
	find_start(model, fit);
	run(model, fit);
	point->sse = isfinite(model->sse) ? model->sse : DBL_MAX;
}

/* ---- the search ---- */

static int
compare_points(const void *a, const void *b)
{
	double x = ((const Point *) a)->sse;
	double y = ((const Point *) b)->sse;

	return (x > y) - (x < y);
}

/* The point at center + factor (point - center), within the bounds. */
static void
move_point(EcSmoothing *model, const Fit *fit, const double *center, const Point *point,
		   double factor, Point *moved)
{
	for (int i = 0; i < DIMENSIONS; i++)
	{
		double at = center[i] + factor * (point->at[i] - center[i]);

		moved->at[i] = Max(0, Min(1, at));
	}
	evaluate(model, fit, moved);
}

/* One step of Nelder and Mead's method: replaces the worst point, or draws all towards the best. */
static void
step_simplex(EcSmoothing *model, const Fit *fit, Point *simplex)
{
	Point *worst = &simplex[DIMENSIONS];
	double center[DIMENSIONS] = {0};
	Point reflected;
	Point other;

	for (int i = 0; i < DIMENSIONS; i++)
	{
		for (int j = 0; j < DIMENSIONS; j++)
			center[j] += simplex[i].at[j] / DIMENSIONS;
	}
	move_point(model, fit, center, worst, -1, &reflected);
	if (reflected.sse < simplex[0].sse)
	{
		move_point(model, fit, center, worst, -2, &other);
		*worst = other.sse < reflected.sse ? other : reflected;
		return;
	}
	if (reflected.sse < simplex[DIMENSIONS - 1].sse)
	{
		*worst = reflected;
		return;
	}
	move_point(model, fit, center, reflected.sse < worst->sse ? &reflected : worst, 0.5, &other);
	if (other.sse < Min(reflected.sse, worst->sse))
	{
		*worst = other;
		return;
	}
	for (int i = 1; i <= DIMENSIONS; i++)
		move_point(model, fit, simplex[0].at, &simplex[i], 0.5, &simplex[i]);
}

/* Searches from a point and makes it the best found. */
static void
search(EcSmoothing *model, const Fit *fit, Point *point)
{
	Point simplex[DIMENSIONS + 1];

	for (int i = 0; i <= DIMENSIONS; i++)
	{
		simplex[i] = *point;
		if (i > 0)
		{
			double *at = &simplex[i].at[i - 1];

			*at += *at > 0.5 ? -FIRST_STEP : FIRST_STEP;
			evaluate(model, fit, &simplex[i]);
		}
	}
	for (int step = 0; step < STEPS; step++)
	{
		qsort(simplex, DIMENSIONS + 1, sizeof(Point), compare_points);
		if (simplex[DIMENSIONS].sse - simplex[0].sse <= CLOSE_ENOUGH * simplex[0].sse)
			break;
		step_simplex(model, fit, simplex);
	}
	qsort(simplex, DIMENSIONS + 1, sizeof(Point), compare_points);
	if (simplex[0].sse < point->sse)
		*point = simplex[0];
}

static void
find_parameters(EcSmoothing *model, const Fit *fit)
{
	static const double alphas[] = {0.02, 0.1, 0.3, 0.6, 0.9};
	static const double shares[] = {0.02, 0.2, 0.6};
	Point grid[lengthof(alphas) * lengthof(shares) * lengthof(shares)];
	int n = 0;

	for (int i = 0; i < lengthof(alphas); i++)
	{
		for (int j = 0; j < lengthof(shares); j++)
		{
			for (int k = 0; k < (model->season > 1 ? lengthof(shares) : 1); k++)
			{
				Point point = {{alphas[i], shares[j], shares[k]}, 0};

				evaluate(model, fit, &point);
				grid[n++] = point;
			}
		}
	}
	qsort(grid, n, sizeof(Point), compare_points);
	for (int i = 0; i < STARTS; i++)
		search(model, fit, &grid[i]);
	qsort(grid, STARTS, sizeof(Point), compare_points);
	evaluate(model, fit, &grid[0]);
}

void
ec_smoothing_fit(EcSmoothing *model, const double *values, int64 n, int season)
{
	Fit fit = {values, n, season, season > 1 ? season + 1 : 2};

	Assert(season >= 1 && season <= EC_SEASON_MAX);
	memset(model, 0, sizeof(EcSmoothing));
	model->season = season;
	model->nparameters = fit.nunknowns + (season > 1 ? 3 : 2);
	find_parameters(model, &fit);
}

/* ---- what comes next ---- */

double
ec_smoothing_forecast(const EcSmoothing *model, int64 h)
{
	return model->end[0] + h * model->end[1] + model->end[2 + (h - 1) % model->season];
}

/* Hyndman et al. (2008), class 1: 1 + sum of c(j)^2 over j < h, c(j) = alpha + beta j, and gamma each season. */
void
ec_smoothing_variances(const EcSmoothing *model, int64 n, double *factors)
{
	double sum = 1;

	for (int64 h = 1; h <= n; h++)
	{
		double c = model->alpha + model->beta * h;

		factors[h - 1] = sum;
		if (model->season > 1 && h % model->season == 0)
			c += model->gamma;
		sum += c * c;
	}
}
