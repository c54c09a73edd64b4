/* The parts of metrics. */
#ifndef TP_PROFILER_METRICS_INTERNAL_H
#define TP_PROFILER_METRICS_INTERNAL_H

#include "profiler/metrics.h"

/* Messages and bytes of every boundary; transfer, overlap and exposed time of every stage, and alpha. TP_ERR_NOMEM. */
enum tp_status tp_metrics_communication(const struct tp_metrics_input *input, struct tp_metrics *metrics);

#endif
