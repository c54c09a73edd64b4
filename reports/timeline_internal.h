/* What the reader of a timeline hands to its writers. Internal to reports. */
#ifndef TP_REPORTS_TIMELINE_INTERNAL_H
#define TP_REPORTS_TIMELINE_INTERNAL_H

#include "profiler/metrics.h"
#include "profiler/records.h"
#include "reports/timeline.h"

/* Times count from the epoch's start, in nanoseconds or slots. */
struct tp_timeline_op {
	int64_t start, end, mini;
	int64_t version_read, version_live, version_committed;
	int32_t stage, micro; /* micro 0-based, or TP_WHOLE */
	enum tp_op_kind kind;
};

struct tp_timeline_wait {
	int64_t start, end;
	int32_t stage;
	enum tp_idle_cause cause;
};

struct tp_timeline_message {
	int64_t sent, arrived, mini, bytes;
	int32_t from_stage, to_stage, micro;
};

struct tp_timeline {
	int64_t run_id;
	int32_t epoch, stages, micro_batches;
	bool slots;     /* the unit of times; else nanoseconds */
	bool modelled;  /* virtual clock */
	bool versions;  /* to be labelled */
	char *schedule; /* as the database has them, to be escaped */
	char *name;
	char *absent;                         /* why there is nothing to draw; NULL when there is */
	int64_t from, to, epoch_end;          /* the window drawn */
	int64_t wanted_to, wanted_ops;        /* what was asked for, before thinning */
	struct tp_timeline_op *ops;           /* by stage, then by time */
	struct tp_timeline_wait *waits;       /* likewise */
	struct tp_timeline_message *messages; /* those that take time, by receiver */
	int64_t op_count, wait_count, message_count;
};

/* "1A", "1", "1a", "1a'", as in grids; of an update "U1". Returns `out`. */
enum { TP_TIMELINE_LABEL_BYTES = 40 };
char *tp_timeline_label(const struct tp_timeline_op *op, char out[TP_TIMELINE_LABEL_BYTES]);

/* A duration or time with its unit; `out` has 32 bytes. Returns `out`. */
enum { TP_TIMELINE_TIME_BYTES = 32 };
char *tp_timeline_time(const struct tp_timeline *timeline, int64_t time, char out[TP_TIMELINE_TIME_BYTES]);

/* Escaped lines of text for above the picture: what it shows, and by what rule. */
void tp_timeline_title(const struct tp_timeline *timeline, struct tp_text *out);
void tp_timeline_notes(const struct tp_timeline *timeline, bool merged, struct tp_text *out);

/* More operations than this are drawn as a shape for each colour and pattern, without labels and tooltips. */
enum { TP_TIMELINE_SINGLE_SHAPES = 1500 };
static inline bool tp_timeline_merged(const struct tp_timeline *timeline)
{
	return timeline->op_count > TP_TIMELINE_SINGLE_SHAPES;
}

/* The colours of mini-batches, in turn. */
enum { TP_TIMELINE_COLOURS = 8 };
static inline int tp_timeline_colour(int64_t mini)
{
	int64_t place = (mini - 1) % TP_TIMELINE_COLOURS;
	return (int)(place < 0 ? place + TP_TIMELINE_COLOURS : place);
}

/* The <svg> elements. Patterns are referred to by ids that begin with `id`, defined in the one with the legend, which
 * has to be on the same page. A picture of its own has head and legend in it. */
enum tp_timeline_part { TP_TIMELINE_ALONE, TP_TIMELINE_LANES, TP_TIMELINE_LEGEND };
void tp_timeline_svg(const struct tp_timeline *timeline, enum tp_timeline_part part, const char *id,
                     struct tp_text *out);
/* The beginning of those ids, the same for the same picture; `out` has 32 bytes. Returns `out`. */
char *tp_timeline_id(const struct tp_timeline *timeline, char out[32]);

#endif
