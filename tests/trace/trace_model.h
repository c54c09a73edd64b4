/* A trace as its reader sees it, whatever its format, and what must hold of every trace of a run. Include behind
 * <cmocka.h>. */
#ifndef TP_TESTS_TRACE_TRACE_MODEL_H
#define TP_TESTS_TRACE_TRACE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_TRACKS = 256, MODEL_ARGUMENTS = 8 };

struct model_track {
	int64_t id, process; /* process 0: it is one */
	char name[600];
	int rank;
	bool counter, bytes, explicit_order;
};

struct model_event {
	enum { MODEL_SLICE, MODEL_INSTANT, MODEL_COUNTER } type;
	int64_t track;
	int64_t start_ns, end_ns, value;
	char name[600], category[16];
	uint64_t flow_from, flow_to;
	int argument_count;
	struct {
		char name[32];
		int64_t value;
	} arguments[MODEL_ARGUMENTS];
};

struct model {
	bool has_flows, has_counters, has_arguments; /* the format can say them */
	struct model_track tracks[MODEL_TRACKS];
	int track_count;
	struct model_event *events; /* in the order of the file */
	int event_count, room;
};

struct model_event *model_add(struct model *model);
struct model_track *model_add_track(struct model *model);
/* NULL: there is none. */
const struct model_track *model_track(const struct model *model, int64_t id);
/* Some formats write an instant as a slice of one nanosecond. Only the end of a message on its way or its being taken
 * may be one; no message of the fixture is on its way for so short a time. */
void model_find_instant(struct model_event *event);
void model_release(struct model *model);

/* All of it against the database; `epoch` 0 means both. */
void model_check(const struct model *model, const char *database, int epoch);

/* The parts: */
void model_check_processes(const struct model *model, const char *database);
void model_check_operations(const struct model *model, const char *database, int epoch);
void model_check_idle(const struct model *model, const char *database, int epoch);
void model_check_kernels(const struct model *model, const char *database, int epoch);
void model_check_messages(const struct model *model, const char *database, int epoch);
void model_check_counters(const struct model *model, const char *database, int epoch);
void model_check_epochs(const struct model *model, const char *database, int epoch);
void model_check_nesting(const struct model *model);
void model_check_order(const struct model *model);

#endif
