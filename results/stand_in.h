/* Runs on a stand-in for a device have no times. It takes the place of a GPU where there is none, so that a schedule's
 * order, memory and arithmetic can be seen; what its clock says is of no device. */
#ifndef TP_RESULTS_STAND_IN_H
#define TP_RESULTS_STAND_IN_H

#include <stdbool.h>

/* How the name of such a device ends. The view `timed_run` goes by the same, for SQL. */
#define TP_STAND_IN_ENDING "(no GPU)"

/* What a report says of it, behind its name. */
#define TP_STAND_IN_SAYS "stands in for a GPU and its clock says nothing"

/* `device`: as the run was stored with. */
bool tp_is_stand_in(const char *device);

#endif
