/* The parts of tp_metrics_compute(), each over all records. Internal to the profiler. */
#ifndef TP_PROFILER_METRICS_INTERNAL_H
#define TP_PROFILER_METRICS_INTERNAL_H

#include "profiler/metrics.h"

enum tp_status tp_metrics_communication(const struct tp_metrics_input *input, struct tp_metrics *metrics);

/* Mini-batches from `first` on, their version differences and chains. */
enum tp_status tp_metrics_minis(const struct tp_metrics_input *input, int64_t first, struct tp_metrics *metrics);

/* The versions of each stage, in an epoch whose first mini-batch is `first`. */
enum tp_status tp_metrics_versions(const struct tp_metrics_input *input, int64_t first, struct tp_metrics *metrics);

#endif
