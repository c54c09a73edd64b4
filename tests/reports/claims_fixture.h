/* Databases with the figures that claims are judged by, made by SQL, one run at a time. Include behind <cmocka.h>. */
#ifndef TP_TESTS_REPORTS_CLAIMS_FIXTURE_H
#define TP_TESTS_REPORTS_CLAIMS_FIXTURE_H

#include "reports/claims.h"

/* A run of two epochs with 20 mini-batches each. Zeros are what fixture_run() makes of them. */
struct fixture {
	const char *schedule;             /* timeprest */
	const char *model;                /* mlp */
	const char *cluster;              /* none */
	const char *costs;                /* none */
	const char *clock;                /* real */
	const char *order;                /* dynamic */
	int stages, micro_batches, batch; /* 2, 3, 48 */
	int seed;                         /* 1 */
	int repeats;                      /* so many such runs; 1 */
	double epoch_ms;                  /* 10 */
	double peak_bytes[2];             /* of each of the first stages; 1000 */
	double top1[2];                   /* percent, after each epoch; not evaluated */
	double target;                    /* percent; none */
	double alpha;                     /* none: messages changed hands in memory */
	double sent_bytes, backward_ms;   /* per mini-batch; 600, 2 */
	int v, chains, staleness;         /* v 1, as many chains as v, 0 */
	int mini_batches;                 /* 20 */
	bool unrecorded;                  /* without figures and memory */
};

/* A fresh database for each test, as set-up and tear-down. */
int fixture_begin(void **state);
int fixture_end(void **state);
const char *fixture_path(void);

/* Add a run, or several. */
void fixture_run(struct fixture run);

/* Judge the claims anew. Valid until the next call. */
struct tp_claims *fixture_judge(void);
const struct tp_claim *fixture_claim(const char *id);

/* Fails the test unless the claim has this verdict now. */
void expect_verdict(const char *id, enum tp_verdict verdict);
/* Unless some measure's note has this part, too. */
void expect_not_tested(const char *id, const char *note);

#endif
