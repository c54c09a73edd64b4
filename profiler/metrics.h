/* From the records of one epoch to the numbers that reports show: pure functions, all integers until the last division.
 *
 * Window: first operation's start to last operation's end over all stages. Compute of a stage: length of the union of
 * its F, B and U intervals. Bubble: window - compute; `idle/total` = bubble / window, `idle/ideal` = bubble / compute.
 * Every idle nanosecond has one cause, and compute + causes = window, exactly.
 *
 * A gap is charged to the operation that follows it: `sender` until the message it consumed was ready, `message` until
 * that had arrived, `staleness` until the staleness bound let it go, `host` for the rest. A stage that the in-flight
 * limit holds back waits for the gradient that makes room, so that wait is its sender's. Under a flush a gap between
 * mini-batches is `drain` until the mini-batch before has ended at every stage, then `fill`. */
#ifndef TP_PROFILER_METRICS_H
#define TP_PROFILER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "profiler/records.h"

/* Why a stage was idle. A gap is charged to the operation that follows it. */
#define TP_IDLE_CAUSE_LIST(X)                                                                                         \
	X(TP_IDLE_FILL, "fill")           /* before the stage's first operation (of the mini-batch, under a flush) */ \
	X(TP_IDLE_DRAIN, "drain")         /* after its last */                                                        \
	X(TP_IDLE_SENDER, "sender")       /* the sender of its input was not ready yet */                             \
	X(TP_IDLE_MESSAGE, "message")     /* its input was on the way */                                              \
	X(TP_IDLE_STALENESS, "staleness") /* the staleness bound held it back */                                      \
	X(TP_IDLE_HOST, "host")           /* none of these: the engine itself, or the machine */

enum tp_idle_cause {
#define TP_IDLE_ENUM(name, text) name,
	TP_IDLE_CAUSE_LIST(TP_IDLE_ENUM)
#undef TP_IDLE_ENUM
	        TP_IDLE_CAUSES
};
const char *tp_idle_cause_text(enum tp_idle_cause cause);

/* What the records alone do not say. */
struct tp_metrics_input {
	int32_t stages;
	bool flush; /* fill and drain are counted per mini-batch */
	struct tp_records records;
};

/* An idle interval of a stage. */
struct tp_idle_interval {
	int64_t start_ns, end_ns;
	int64_t operation; /* that followed, counted over the stage's epoch; -1: none did */
	int16_t stage;
	int16_t cause; /* enum tp_idle_cause */
};

/* A mini-batch across all stages. */
struct tp_mini_figures {
	int64_t mini;
	int64_t start_ns, end_ns; /* its first operation, its last */
	int64_t committed,
	        read;  /* applied at all stages when its first backward at the last stage began; read by that */
	int64_t chain; /* first mini-batch of the chain of those that build on each other's updates */
};

/* A version of a stage's weights that was alive in the epoch. */
struct tp_version_figures {
	int64_t version;           /* also the mini-batch whose update made it */
	int64_t base;              /* the version it was made from */
	int64_t made_ns, freed_ns; /* -1: the epoch began with it; -1: alive when it ended */
	int64_t forward_reads, backward_reads;
	int16_t stage;
	bool in_place, made; /* made in this epoch; else base and in_place say nothing */
};

struct tp_stage_metrics {
	int64_t compute_ns, bubble_ns;
	int64_t steady_compute_ns;                           /* inside the steady window */
	int64_t forward_count, backward_count, update_count; /* a split backward counts once */
	int64_t forward_ns, backward_ns, update_ns;
	int64_t idle_ns[TP_IDLE_CAUSES];
	int64_t versions_alive_max;
	int64_t received_messages, received_bytes;
	double staleness_mean; /* of forwards and backwards: live version - version read */
	int64_t staleness_max;
	int64_t update_staleness_max; /* live version at U - version read by its B */
	int64_t mismatch_max;         /* |version B reads - version its F read| */
	/* Of messages to and from the stage that took time; 0 where all change hands in memory. */
	int64_t transfer_ns; /* length of the union of [sent, arrived) */
	int64_t overlap_ns;  /* of that, while the stage computed */
	int64_t exposed_ns;  /* and while it did not */
};

/* What went over the boundary between stages s and s + 1. */
struct tp_boundary_metrics {
	int64_t down_messages, down_bytes, up_messages, up_bytes;
};

struct tp_metrics {
	int32_t stages;
	int64_t op_count, message_count; /* of the records that all this comes from */
	int64_t window_ns;
	/* Without the first and last W mini-batches: from the end of mini-batch W to that of the W-th before the last,
	 * and how many mini-batches ended in it. 0: the epoch is too short. */
	int64_t steady_ns, steady_minis;
	double steady_idle_total;
	struct tp_stage_metrics *stage;       /* `stages` of them */
	struct tp_boundary_metrics *boundary; /* stages - 1 */
	bool transfers;                       /* some message took time */
	double alpha;                         /* sum of overlap / sum of transfer; 0 when there is none */
	double staleness_idle_total;          /* idle time charged to the staleness bound / (stages * window) */
	double bubble_idle_total;             /* sum of bubbles / (stages * window) */
	double bubble_idle_ideal;             /* sum of bubbles / sum of compute */
	int64_t version_difference_max;       /* v(i) = i - committed when its backward starts at the last stage */
	double version_difference_mean;
	int64_t version_chains; /* roots of "updated from the version that B read" */
	/* The ledgers behind the figures. */
	struct tp_idle_interval *idle; /* by stage, then by time */
	int64_t idle_count, idle_room;
	struct tp_mini_figures *minis; /* in order */
	int64_t mini_count;
	struct tp_version_figures *versions; /* by stage, then by version */
	int64_t version_count;
};

/* Does compute + causes = window hold at every stage, do the intervals add up to the same, and do they, with the
 * operations, lie without gap or overlap? TP_ERR_INPUT with what was found where not. */
enum tp_status tp_metrics_check(const struct tp_metrics_input *input, const struct tp_metrics *metrics);

/* Compute all of the above. The caller releases; TP_ERR_NOMEM, or TP_ERR_INPUT for records that contradict themselves.
 */
enum tp_status tp_metrics_compute(const struct tp_metrics_input *input, struct tp_metrics *metrics);
void tp_metrics_release(struct tp_metrics *metrics);

#endif
