/*
 * smoothing.h
 *	  Additive exponential smoothing: level, trend and perhaps a season.
 *
 * Holt, "Forecasting seasonals and trends by exponentially weighted moving averages"
 * (1957); Winters, "Forecasting sales by exponentially weighted moving averages"
 * (1960); as state space models Hyndman, Koehler, Ord and Snyder, "Forecasting with
 * Exponential Smoothing" (2008): ETS(A,A,N) and ETS(A,A,A).
 */
#ifndef EC_SMOOTHING_H
#define EC_SMOOTHING_H

#include "postgres.h"

#define EC_SEASON_MAX 24
#define EC_SMOOTHING_STATES (2 + EC_SEASON_MAX)

typedef struct EcSmoothing
{
	int season;	  /* values of a season, 1: there is none */
	double alpha; /* how much an error moves the level, */
	double beta;  /* the trend */
	double gamma; /* and the season; 0 <= alpha <= 1, 0 <= beta <= alpha, 0 <= gamma <= 1 - alpha */
	double start[EC_SMOOTHING_STATES]; /* level, trend, season's values before the first value */
	double end[EC_SMOOTHING_STATES];   /* after the last; season from the value that comes next */
	double sse;						   /* sum of the squared errors of one step */
	int nparameters;				   /* that were estimated */
} EcSmoothing;

/* Finds the parameters and start with the least sse for n >= 3 values, n >= 2 seasons if there is one. */
extern void ec_smoothing_fit(EcSmoothing *model, const double *values, int64 n, int season);

/* The forecast h >= 1 steps ahead. */
extern double ec_smoothing_forecast(const EcSmoothing *model, int64 h);

/* What the errors' variance is to be multiplied by for the forecasts 1 .. n steps ahead. */
extern void ec_smoothing_variances(const EcSmoothing *model, int64 n, double *factors);

#endif /* EC_SMOOTHING_H */
