/* The timeline of an epoch as a picture: a lane per stage, what it computed and why it waited. Read once from the
 * database, then written as a static SVG or as part of an HTML page. A window of an epoch is read by its place in the
 * order of time, so that the size of the run does not matter. */
#ifndef TP_REPORTS_TIMELINE_H
#define TP_REPORTS_TIMELINE_H

#include "engine/base/text.h"
#include "results/store.h"

/* Operations drawn at most when the request does not say. */
#define TP_TIMELINE_OPERATIONS 10000

/* All zero: the whole epoch, thinned by the rule below. */
struct tp_timeline_request {
	/* Times from the epoch's start, in the run's unit; to_ns 0: until its end. */
	int64_t from_ns, to_ns;
	/* When the window has more operations than this, it ends where they are reached, and the picture says so. 0:
	 * TP_TIMELINE_OPERATIONS. */
	int64_t most_operations;
	bool versions; /* label operations with the weights they read, and updates with those they made */
};

struct tp_timeline;

/* Read `epoch` of a run, 0 for the last with operations. One that has none, or none in the window, is TP_OK: then the
 * writers write a sentence that says why. TP_ERR_INPUT when there is no such run or the window is not one; TP_ERR_IO,
 * TP_ERR_NOMEM. `*timeline` is the caller's, NULL on failure; it needs the store no more. */
enum tp_status tp_timeline_read(struct tp_store *store, int64_t run_id, int32_t epoch,
                                const struct tp_timeline_request *request, struct tp_timeline **timeline);
void tp_timeline_free(struct tp_timeline *timeline); /* NULL is allowed */

/* Append the picture to `out`; TP_ERR_NOMEM. The SVG is a document of its own, with a legend; it has a tooltip for each
 * operation unless there are too many of them for single shapes, which it says. The HTML is a fragment, a <figure>: the
 * same picture, which a script in it replaces by one that can be zoomed and asked; it loads nothing. Both follow the
 * reader's light or dark colours. */
enum tp_status tp_timeline_write_svg(const struct tp_timeline *timeline, struct tp_text *out);
enum tp_status tp_timeline_write_html(const struct tp_timeline *timeline, struct tp_text *out);

#endif
