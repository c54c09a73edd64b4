/* Runs of one experiment: the same settings but for the seed, what is recorded of it, and where its data lie. Repeats
 * and seeds are samples of a group; groups that differ in one setting can be compared. Data from files are told by how
 * many samples they hold. */
#ifndef TP_REPORTS_GROUPS_H
#define TP_REPORTS_GROUPS_H

#include <stdbool.h>

#include "engine/base/text.h"
#include "results/store.h"

struct tp_group_run {
	int64_t run_id;
	uint64_t seed;
	int32_t repeat; /* 1-based */
	int32_t epochs; /* stored */
};

struct tp_group {
	char schedule[64], model[64], dataset[64], device[64], order[16], clock[16];
	int32_t stages, micro_batches; /* in effect: 1 micro-batch where the forward unit is the mini-batch */
	int32_t batch_samples;
	char *link, *cluster, *costs; /* as given, "" for none */
	char *settings;               /* "name=value" lines of every option that decides a result, but those */
	struct tp_group_run *runs;    /* by run_id; done, with at least one epoch, no check failed, on no stand-in */
	int32_t run_count;
	int32_t left_out;  /* runs of this experiment that are not: failed, interrupted, running, invalid, without an
	                      epoch, on a stand-in */
	int32_t stand_ins; /* of those, on a stand-in for a device: their times say nothing, see results/stand_in.h */
};

struct tp_groups {
	struct tp_group *groups; /* in the order first run */
	int32_t count;
};

/* All runs of the database, or those of one comparison when it is not NULL. Groups without a usable run are there, with
 * none. Release with tp_groups_release(), safe after a failure. */
enum tp_status tp_groups_read(struct tp_store *store, const char *comparison, struct tp_groups *groups);
void tp_groups_release(struct tp_groups *groups);

/* Runs on stand-ins, of all groups; and the sentence that says that so many are left out, without a full stop. */
int32_t tp_groups_stand_ins(const struct tp_groups *groups);
void tp_groups_say_stand_ins(int32_t count, struct tp_text *out);

/* The value of a setting, into `value`; false when the group has none of that name. */
bool tp_group_setting(const struct tp_group *group, const char *name, char *value, size_t size);

/* The names of the settings in which two groups differ, parted by commas: "schedule", "stages,cluster"; "" for none. */
void tp_groups_differ(const struct tp_group *a, const struct tp_group *b, struct tp_text *names);

/* Do they differ in nothing but settings of `names` (parted by commas), whether in all of them or not? */
bool tp_groups_alike_but(const struct tp_group *a, const struct tp_group *b, const char *names);

#endif
