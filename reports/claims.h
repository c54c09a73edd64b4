/* The paper's claims against a database: which of them hold, under which conditions, by which runs. What the paper
 * says, what a third party found and what counts as holding are shipped as data, reports/paper/.
 *
 * A verdict needs a spread where there is one: seeds for accuracy, repeats for time and memory, 3 of each side at
 * least, which an interval of 90 % takes. Time and memory under the virtual clock have none: the same costs give the
 * same figures, so one run suffices, and runs that differ all the same (their costs were measured anew) make an
 * interval of their extremes. Counted versions and bytes have none either. An interval that holds both answers gives no
 * verdict. */
#ifndef TP_REPORTS_CLAIMS_H
#define TP_REPORTS_CLAIMS_H

#include "reports/groups.h"
#include "reports/interval.h"

enum tp_verdict { TP_NOT_TESTED, TP_HOLDS, TP_FAILS, TP_MIXED /* of a claim alone: of several conditions */ };

/* RATIO: subject / other; DIFFERENCE: subject - other; COUNT: the subject beside what is expected of it. */
enum tp_claim_measure_kind { TP_MEASURE_RATIO, TP_MEASURE_DIFFERENCE, TP_MEASURE_COUNT };

/* Two numbers set side by side. */
struct tp_claim_measure {
	char what[48], unit[12]; /* "epoch time", "ms" */
	enum tp_claim_measure_kind kind;
	int32_t subject_side, other_side; /* of the finding; COUNT has one */
	double subject, other;            /* medians, in `unit`; NAN: none; other of a COUNT: above 1 is expected */
	struct tp_interval interval;      /* a = other, b = subject; of COUNT none */
	bool extremes;                    /* it is from the least to the greatest, nothing being left to chance */
	enum tp_verdict verdict;
	char note[160]; /* why there is no verdict, or what was expected; "" */
};

enum { TP_CLAIM_SIDES = 3 };

/* Groups of runs that were set side by side. */
struct tp_claim_side {
	char label[96];   /* what tells it from the other sides: "timeprest", "paper-b" */
	int64_t *run_ids; /* ascending */
	int32_t run_count;
};

/* A claim under one set of conditions. */
struct tp_claim_finding {
	enum tp_verdict verdict; /* fails when a measure does, holds when all do */
	char *conditions;        /* as found in the database: not escaped */
	struct tp_claim_side sides[TP_CLAIM_SIDES];
	int32_t side_count; /* 0: of slot plans, which no run made */
	struct tp_claim_measure *measures;
	int32_t measure_count;
};

/* A value that the paper or its reproduction has; read off a plot when it is a range. */
struct tp_claim_reading {
	char *text;
	char *claims; /* ids parted by spaces */
	bool reproduction;
};

struct tp_claim {
	const char *id, *place, *claim, *needs, *holds_if;
	const char *paper, *reproduction; /* in one line; "" for nothing said */
	const char *command;              /* that would test it */
	enum tp_verdict verdict;
	struct tp_claim_finding *findings;
	int32_t finding_count;
};

struct tp_claims {
	struct tp_claim *claims; /* in the order of their ids */
	int32_t count;
	struct tp_claim_reading *readings;
	int32_t reading_count;
	int32_t stand_in_runs; /* left out, see groups.h */
	char **texts;          /* the shipped tables, which the claims point into; owned */
	int32_t text_count;
};

/* What a slot plan of `timeprest` has: of the simulator, which reports do not know. */
struct tp_claim_plan {
	int32_t stages, micro_batches;
	int64_t version_difference_max, version_chains;
};

/* Judge every claim by the groups, which were read from the same store. Release with tp_claims_release(), safe after a
 * failure. */
enum tp_status tp_claims_read(struct tp_store *store, const struct tp_groups *groups, struct tp_claims *claims);
void tp_claims_release(struct tp_claims *claims);

/* Add what slot plans say of the claims on them. */
enum tp_status tp_claims_add_plans(struct tp_claims *claims, const struct tp_claim_plan *plans, int32_t count);

const char *tp_verdict_text(enum tp_verdict verdict);

/* For a terminal of 120 columns; for a page, a heading of second level and a fold per claim; and for a document. */
void tp_claims_write_text(const struct tp_claims *claims, bool coloured, struct tp_text *out);
void tp_claims_write_markdown(const struct tp_claims *claims, struct tp_text *out);
void tp_claims_write_html(const struct tp_claims *claims, struct tp_text *out);
/* One object, ended by a newline. */
enum tp_status tp_claims_write_json(const struct tp_claims *claims, struct tp_text *out);

#endif
