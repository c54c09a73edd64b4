/* The cluster and the links that a run pretends to have: speeds and memory limits of its workers, and how long its
 * messages take. From --cluster and --link; without either, nothing is emulated. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_EMULATION_H
#define TP_ENGINE_RUN_EMULATION_H

#include "engine/config/cluster.h"
#include "engine/config/run_config.h"
#include "engine/schedule/cost_table.h"
#include "engine/schedule/simulator.h"

struct tp_emulation {
	int32_t stages;
	struct tp_cluster cluster;             /* worker_count 0: none */
	struct tp_link *downstream, *upstream; /* stages - 1 each; NULL: messages are handed over at once */
	struct tp_boundary_cost *boundaries;   /* once messages have sizes, see tp_emulation_size_messages() */
	int64_t *transfer_ns;                  /* what `boundaries` points into */
};

/* Resolve the configuration for `stages` workers: TP_ERR_INPUT for a cluster of another size, for a malformed file or
 * link, and, under the real clock, for a worker that is faster than this machine. Release with tp_emulation_release(),
 * safe after a failure. */
enum tp_status tp_emulation_init(struct tp_emulation *emulation, const struct tp_run_config *config, int32_t stages);
void tp_emulation_release(struct tp_emulation *emulation);

/* Bytes of the message with micro-batch `micro` (0 when the mini-batch is one) that goes down from, or up to, stage
 * `stage`. */
typedef int64_t tp_message_size(void *context, int32_t stage, bool upstream, int32_t micro);
/* Fill `boundaries`, when links are emulated. */
enum tp_status tp_emulation_size_messages(struct tp_emulation *emulation, const struct tp_cost_shape *shape,
                                          tp_message_size *size, void *context);

/* Speed of a stage's worker relative to this machine; 1 without a cluster. */
double tp_emulation_speed(const struct tp_emulation *emulation, int32_t stage);

/* Divide measured costs by the workers' speeds. */
void tp_emulation_scale(const struct tp_emulation *emulation, struct tp_cost_table *costs);

/* Once costs are scaled and messages sized: TP_ERR_INPUT when the operations and messages of `minis` mini-batches, one
 * after the other, would take longer than a time can hold (292 years). */
enum tp_status tp_emulation_check_time(const struct tp_emulation *emulation, const struct tp_cost_table *costs,
                                       double minis);

#endif
