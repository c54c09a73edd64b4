/* A run: plan first (everything that can be refused is refused there), then epochs, one call each. */
#ifndef TP_ENGINE_RUN_TRAINER_H
#define TP_ENGINE_RUN_TRAINER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/config/run_config.h"
#include "engine/data/dataset.h"
#include "engine/model/model.h"
#include "engine/schedule/cost_table.h"
#include "engine/schedule/policy.h"
#include "profiler/counters.h"
#include "profiler/gpu_trace.h"
#include "profiler/kernel_names.h"
#include "profiler/records.h"

struct tp_trainer;

/* What others may watch or ask while a run goes on. All fields are atomic. */
struct tp_run_control {
	_Atomic bool stop;          /* set by a signal handler or another thread: end cleanly, TP_ERR_INTERRUPTED */
	_Atomic int64_t minis_done; /* mini-batches whose update is applied at stage 0, over the run */
	_Atomic int64_t run_id; /* the database's number of the run; 0: epochs that are not stored, as in a warm-up */
};

/* One stage as planned; for reports and the database. */
struct tp_stage_info {
	int32_t stage;
	int32_t first_block, block_count;
	int64_t parameters;
	int64_t forward_flops_per_sample;
	int32_t in_flight_limit; /* mini-batches */
	int32_t slots;           /* activation slots, each of one micro-batch or of the mini-batch: */
	int32_t slot_samples;
	int32_t version_buffers;               /* versions of its weights that it can hold */
	int64_t ring_forward, ring_backward;   /* messages that its queues from upstream and downstream hold; 0: none */
	int64_t least_forward, least_backward; /* with what its neighbours would never wait for a place there */
	int64_t output_sample_bytes;           /* what it sends downstream for each sample */
	const struct tp_memory_record *memory; /* reserved_bytes is what the plan set aside; owned by the trainer */
	char blocks[256];                      /* names of its layers, shortened */
	const char *algorithms; /* one line per layer and pass with a choice; owned by the trainer, may be "" */
};

struct tp_run_info {
	const struct tp_run_config *config;
	const struct tp_policy *policy; /* with --backward-version applied */
	const struct tp_model *model;
	int32_t stages;        /* W in effect: 1 for a single-stage policy */
	int32_t micro_batches; /* N in effect: 1 where the forward unit is the mini-batch */
	int64_t minis_per_epoch;
	int64_t dropped_samples;        /* of each epoch: the incomplete last mini-batch, or beyond --mini-batches */
	bool rendezvous;                /* the schedule would run when a sender waits until its message is taken */
	bool streamed;                  /* an epoch has more records than --profile-buffer holds */
	int64_t rss_before_bytes;       /* resident memory of the process before the plan (the data set was open) */
	const struct tp_gpu_info *gpus; /* that the stages use; owned by the trainer */
	int32_t gpu_count;
	const char *not_loaded; /* --partial: one line for each tensor that was not loaded, "" when all were */
};

/* What the virtual clock makes of the costs that an epoch itself had. */
struct tp_epoch_prediction {
	int64_t window_ns; /* 0: not known */
	int64_t version_difference_max;
	double version_difference_mean;
	double version_difference_estimate; /* (W b + (W-1) c) / P */
};

/* What one epoch gives. Arrays are owned by the trainer and valid until the next epoch or tp_trainer_free(). */
struct tp_epoch_result {
	int32_t epoch; /* 1-based */
	int64_t minis;
	int64_t samples;
	int64_t start_ns, end_ns; /* window: first operation's start, last one's end, on the run's clock */
	double train_loss;        /* mean over the epoch's samples, of the forward passes as they ran */
	double train_top1;        /* share, 0..1 */
	bool evaluated;
	int64_t test_samples;
	double test_loss, test_top1, test_top5; /* shares 0..1 */
	int64_t evaluation_ns;
	enum tp_profile profiled;
	struct tp_records records; /* none when they were handed to the sink: */
	bool streamed;             /* the epoch had more records than the buffer holds */
	struct tp_epoch_prediction predicted;
	int64_t dropped_records;               /* records lost to a full ring: figures that need them are void */
	const struct tp_memory_record *memory; /* one per stage, then one for the process (stage -1) */
	int32_t memory_count;
	/* With --profile kernels: of each stage's thread over the epoch, by stage. */
	const struct tp_counter_record *counters;
	int32_t counter_count;
	/* How the times of a GPU's epoch were obtained, NULL: it ran on none; and its kernels and copies, which
	 * `records.kernels` are then those of, NULL: not known. */
	const struct tp_gpu_trace *gpu;
	const struct tp_gpu_records *gpu_records;
	int64_t rss_bytes;              /* resident memory of the process at the end of the epoch */
	uint64_t allocations_in_window; /* of ours; 0 or a bug */
};

/* Plan a run. `config`, `policy`, `dataset`, `control` must outlive the trainer. Refuses, with a detail, what cannot
 * work: more stages than blocks, N > batch, a model that does not suit the data, weights that do not fit, ... */
enum tp_status tp_trainer_new(const struct tp_run_config *config, const struct tp_policy *policy,
                              const struct tp_dataset *dataset, struct tp_run_control *control,
                              struct tp_trainer **trainer);
/* The same with the costs of the virtual clock given (as measured here, not yet at the workers' speeds; copied), in
 * place of those that the configuration names. */
enum tp_status tp_trainer_new_with_costs(const struct tp_run_config *config, const struct tp_policy *policy,
                                         const struct tp_dataset *dataset, struct tp_run_control *control,
                                         const struct tp_cost_table *costs, struct tp_trainer **trainer);
void tp_trainer_free(struct tp_trainer *trainer);

const struct tp_run_info *tp_trainer_info(const struct tp_trainer *trainer);
/* 0 <= stage < info->stages */
const struct tp_stage_info *tp_trainer_stage(const struct tp_trainer *trainer, int32_t stage);

/* What an epoch would take: simulate the plan with `costs`, or when they are NULL with those that the configuration
 * names, which may measure them. Copies of the costs, before the workers' speeds, to `used` unless it is NULL. */
struct tp_sim_summary;
enum tp_status tp_trainer_forecast(struct tp_trainer *trainer, const struct tp_cost_table *costs,
                                   struct tp_cost_table *used, struct tp_sim_summary *summary);

/* Costs that the virtual clock goes by, before the workers' speeds; NULL under the real clock. */
const struct tp_cost_table *tp_trainer_costs(const struct tp_trainer *trainer);

/* The cluster and links that the run pretends to have. */
struct tp_emulation;
const struct tp_emulation *tp_trainer_emulation(const struct tp_trainer *trainer);

/* Where the records of epochs go that have more than --profile-buffer holds; without one those beyond it are lost, and
 * counted. Records of epochs that have fewer are in the result. */
void tp_trainer_set_sink(struct tp_trainer *trainer, const struct tp_record_sink *sink);

/* Whether the next epochs are recorded, as --profile says; they are unless this says no. */
void tp_trainer_profile(struct tp_trainer *trainer, bool on);

/* The kernels that --profile kernels records, `*count` of them (0 otherwise): tp_kernel_record's `name` is a place in
 * it. Owned by the trainer; a GPU's kernels are added, at the end, when an epoch has ended that ran them. */
const struct tp_kernel_name *tp_trainer_kernel_names(const struct tp_trainer *trainer, int32_t *count);

/* What the virtual clock makes of an epoch's operations, `count` of them by stage, then by time: for one whose records
 * went to the sink. tp_trainer_epoch() does it for the others. */
enum tp_status tp_trainer_predict(struct tp_trainer *trainer, const struct tp_op_record *ops, int64_t count,
                                  struct tp_epoch_prediction *prediction);

/* Train the next epoch to its drain, then evaluate if the configuration says so. On failure every stage has stopped;
 * `result` still holds what was recorded. */
enum tp_status tp_trainer_epoch(struct tp_trainer *trainer, struct tp_epoch_result *result);

/* Live weights and running statistics: one tensor by its name, plain order, as double. TP_ERR_INPUT for an unknown
 * name. */
enum tp_status tp_trainer_export(struct tp_trainer *trainer, const char *name, double *values, int64_t elements);

/* Write the live weights as safetensors, float32. */
enum tp_status tp_trainer_save(struct tp_trainer *trainer, const char *path);

#endif
