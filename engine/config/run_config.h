/* One experiment: everything that decides what a run does, validated and then never changed. */
#ifndef TP_ENGINE_CONFIG_RUN_CONFIG_H
#define TP_ENGINE_CONFIG_RUN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/status.h"
#include "engine/base/text.h"

enum tp_order { TP_ORDER_STATIC, TP_ORDER_DYNAMIC };
enum tp_backward_version { TP_BACKWARD_DEFAULT, TP_BACKWARD_COMMITTED, TP_BACKWARD_LATEST, TP_BACKWARD_STASHED };
enum tp_backward_mode { TP_BACKWARD_STORED, TP_BACKWARD_RECOMPUTE };
enum tp_sequence { TP_SEQUENCE_MERGED, TP_SEQUENCE_INDEPENDENT };
enum tp_profile { TP_PROFILE_OFF, TP_PROFILE_OPS, TP_PROFILE_KERNELS };
enum tp_clock { TP_CLOCK_REAL, TP_CLOCK_VIRTUAL };
/* With which numbers products are computed. */
enum tp_math {
	TP_MATH_FP32, /* float32 throughout */
	TP_MATH_TF32, /* float32 in memory, products of 10-bit mantissas */
	TP_MATH_BF16, /* values and their gradients in bfloat16; sums, weights and their gradients in float32 */
	TP_MATHS
};

/* "fp32", "tf32", "bf16", NULL-ended, in the order of the enum; they are the option's values. */
extern const char *const tp_math_names[];

#define TP_CONFIG_NAME_BYTES 64
#define TP_CONFIG_PATH_BYTES 4096

struct tp_run_config {
	/* what is trained, on what */
	char model[TP_CONFIG_NAME_BYTES];
	int32_t hidden;
	char dataset[TP_CONFIG_NAME_BYTES];
	char data_dir[TP_CONFIG_PATH_BYTES];     /* "" for synthetic */
	int32_t synthetic_train, synthetic_test; /* samples, 0: the default */
	bool shuffle, augment;
	/* the pipeline */
	char schedule[TP_CONFIG_NAME_BYTES];
	int32_t stages;        /* W */
	int32_t micro_batches; /* N */
	int32_t batch;         /* M, samples of a mini-batch */
	int32_t mini_batches;  /* of an epoch at most; 0: as many as the data hold */
	int32_t epochs;
	char partition[256]; /* "auto" or "2,2" */
	enum tp_order order;
	enum tp_backward_version backward_version;
	enum tp_backward_mode backward;
	enum tp_sequence sequence;
	int32_t max_staleness;  /* mini-batches; 0: no bound */
	int32_t in_flight;      /* depth that the in-flight limits count from; 0: the stages */
	double staleness_decay; /* of i-timeprest */
	/* the optimizer (sgd) */
	double lr, momentum, weight_decay;
	/* where it runs */
	enum tp_clock clock;
	char costs[TP_CONFIG_PATH_BYTES]; /* alone, loaded, flops, uniform:F,B, run:ID or a file; "" for the default */
	char link[TP_CONFIG_NAME_BYTES];  /* "1gbit,50us"; "" for none */
	char cluster[TP_CONFIG_PATH_BYTES]; /* a shipped name or a file; "" for none */
	char device[TP_CONFIG_NAME_BYTES];
	char conv[16]; /* auto, direct, winograd */
	enum tp_math math;
	bool deterministic;            /* only algorithms that give the same bits every time */
	int64_t workspace_limit_bytes; /* that one algorithm of a library may ask for */
	char transport[16];            /* between stages; auto: what the device does by itself */
	int32_t gpus; /* that the stages are spread over; 0: as many as there are, at most the stages */
	bool pin;
	int64_t timeout_ns;              /* a stage that waits longer than this ends the run */
	bool evaluate;                   /* on the test samples after every epoch */
	double target_top1, target_loss; /* what counts as learnt, of the test samples; 0: none */
	/* start and end */
	uint64_t seed;
	char load_weights[TP_CONFIG_PATH_BYTES]; /* "" for none */
	bool partial;                            /* load what fits */
	char save_weights[TP_CONFIG_PATH_BYTES];
	enum tp_profile profile;      /* what is recorded */
	int64_t profile_buffer_bytes; /* records held in memory; an epoch that has more is stored while it runs */
};

/* The defaults of the option table (engine/config/options.h) for every field, with stages = 2. */
void tp_run_config_defaults(struct tp_run_config *config);

/* Field by field and against each other (N > batch, ...); what needs the model or the data is checked by the plan. */
enum tp_status tp_run_config_check(const struct tp_run_config *config);

/* One "name=value" line per field that decides results, sorted by name: the same text for the same experiment. What
 * only bounds, labels or stores a run (timeout, save-weights) is left out. */
void tp_run_config_text(const struct tp_run_config *config, struct tp_text *text);
/* 64-bit hash of that text. */
uint64_t tp_run_config_hash(const struct tp_run_config *config);

#endif
