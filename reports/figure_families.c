/* The table of figures: which groups stand in each, what is drawn of them, and the command that would give it. The
 * commands are small enough to end within seconds; with --model, --dataset and --data-dir they are the paper's. */
#include "reports/figure_internal.h"

/* Three seeds: accuracy needs a spread. */
#define SMALL \
	" --model mlp --hidden 64 --clock virtual --costs uniform:1ms,2ms --synthetic-train 1920 --synthetic-test 480"
#define SEEDS SMALL " --epochs 10 --seed 1..3"
#define CLUSTER_A " --cluster paper-a --stages 2"
#define CLUSTER_B " --cluster paper-b --stages 3"
#define CLUSTER_C " --cluster paper-c --stages 4"

#define PAIR "sweep timeprest,pipedream"
#define CURVES_COMMAND PAIR SEEDS CLUSTER_A
#define ABLATION_COMMAND "sweep timeprest,timeprest-stash,timeprest-1f1b" SEEDS CLUSTER_C
#define MICROS_COMMAND "sweep timeprest" SEEDS CLUSTER_C " --micro-batches 2,3 --batch 48,96"
#define MEMORY_COMMAND "sweep timeprest,timeprest-stash,pipedream,1f1b" SMALL CLUSTER_C
#define IDLE_COMMAND "sweep timeprest,pipedream,1f1b,gpipe" SMALL CLUSTER_C

#define ABLATION_SCHEDULES "timeprest,timeprest-stash,timeprest-1f1b"
/* Those that the paper's Eq. 3 and the exact prediction hold for, as the view version_difference has them. */
#define PREDICTED_SCHEDULES "timeprest,timeprest-stash,timeprest-1f1b,i-timeprest,v-timeprest,pipedream,pipedream-vsync"

#define TOP1 "100 * test_top1_share"
#define TOP5 "100 * test_top5_share"
#define LOSS "test_loss"
#define SECONDS "Training time (s)"
#define EPOCH "Epoch"

#define RUNS "runs: seeds and repeats"
#define EPOCHS "epochs of all runs"
#define NOT_COMPARED "no comparison of schedules whose epochs were evaluated"

#define CURVE(name, what, sql, label, time, axis, metric_name)                                                         \
	{                                                                                                              \
		.id = "curves-" name, .paper = "Fig. 4 to 10", .title = what, .x_label = axis, .y_label = label,       \
		.kind = TP_FIGURE_LINES, .varying = "schedule", .key = TP_KEY_ALL, .least_groups = 1,                  \
		.fill = tp_figure_fill_curves, .value = sql, .by_time = time, .readings = TP_READ_QUALITY,             \
		.first_figure = 4, .last_figure = 10, .metric = metric_name, .sampled = RUNS, .missing = NOT_COMPARED, \
		.command = CURVES_COMMAND                                                                              \
	}

#define MICROS(name, what, axis, time)                                                                                 \
	{                                                                                                              \
		.id = "micro-batches-" name, .paper = "Fig. 11, 12", .title = what, .x_label = axis,                   \
		.y_label = "Top-1 accuracy (%)", .kind = TP_FIGURE_LINES, .schedules = "timeprest",                    \
		.varying = "micro-batches,batch", .key = TP_KEY_ALL, .least_groups = 2, .fill = tp_figure_fill_curves, \
		.value = TOP1, .by_time = time, .sampled = RUNS,                                                       \
		.missing = "no evaluated runs of timeprest that differ in N or in the mini-batch",                     \
		.command = MICROS_COMMAND                                                                              \
	}

#define ABLATION(name, what, axis, time)                                                                            \
	{                                                                                                           \
		.id = "ablation-" name, .paper = "Fig. 13, 14", .title = what, .x_label = axis,                     \
		.y_label = "Top-1 accuracy (%)", .kind = TP_FIGURE_LINES, .schedules = ABLATION_SCHEDULES,          \
		.varying = "schedule", .key = TP_KEY_ALL, .least_groups = 2, .fill = tp_figure_fill_curves,         \
		.value = TOP1, .by_time = time, .readings = TP_READ_QUALITY, .first_figure = 13, .last_figure = 14, \
		.metric = "top1_percent", .sampled = RUNS,                                                          \
		.missing = "no evaluated comparison of timeprest with timeprest-stash or timeprest-1f1b",           \
		.command = ABLATION_COMMAND                                                                         \
	}

/* Models differ in more than their name. */
#define WORKLOAD "schedule,model,hidden,dataset,data-dir,synthetic-train,synthetic-test,augment,partition"
#define WORKLOADS(name, figure, of, folder, what, unit, sql, line, table, number)                                     \
	{                                                                                                             \
		.id = name, .paper = figure, .title = what " on cluster " of, .x_label = "Model and data set",        \
		.y_label = unit, .kind = TP_FIGURE_BARS, .cluster = folder, .varying = WORKLOAD, .key = TP_KEY_CLOCK, \
		.least_groups = 1, .fill = tp_figure_fill_workloads, .value = sql, .readings = table,                 \
		.first_figure = number, .last_figure = number, .sampled = EPOCHS, .missing = "no run on cluster " of, \
		.command = PAIR SMALL line                                                                            \
	}

#define EPOCH_MINUTES "SELECT (window_end_ns - window_start_ns) / 60e9 FROM epoch WHERE run_id = ?1"
#define EPOCH_SECONDS "SELECT (window_end_ns - window_start_ns) / 1e9 FROM epoch WHERE run_id = ?1"
#define EPOCHS_PER_H "SELECT 3600e9 / nullif(window_end_ns - window_start_ns, 0) FROM epoch WHERE run_id = ?1"

const struct tp_figure_family tp_figure_families[] = {
        CURVE("top1-time", "Top-1 accuracy against time", TOP1, "Top-1 accuracy (%)", true, SECONDS, "top1_percent"),
        CURVE("top1-epoch", "Top-1 accuracy against epoch", TOP1, "Top-1 accuracy (%)", false, EPOCH, "top1_percent"),
        CURVE("top5-time", "Top-5 accuracy against time", TOP5, "Top-5 accuracy (%)", true, SECONDS, "top5_percent"),
        CURVE("top5-epoch", "Top-5 accuracy against epoch", TOP5, "Top-5 accuracy (%)", false, EPOCH, "top5_percent"),
        CURVE("loss-time", "Test loss against time", LOSS, "Test loss", true, SECONDS, "loss"),
        CURVE("loss-epoch", "Test loss against epoch", LOSS, "Test loss", false, EPOCH, "loss"),
        MICROS("top1-time", "Effect of N and M on accuracy against time", SECONDS, true),
        MICROS("top1-epoch", "Effect of N and M on accuracy against epoch", EPOCH, false),
        {.id = "micro-batches-epoch-time",
         .paper = "Fig. 11, 12",
         .title = "Effect of N and M on the epoch time",
         .x_label = "Micro-batches N and mini-batch M (samples)",
         .y_label = "Epoch time (s)",
         .kind = TP_FIGURE_BARS,
         .schedules = "timeprest",
         .varying = "micro-batches,batch",
         .key = TP_KEY_ALL,
         .least_groups = 2,
         .fill = tp_figure_fill_groups,
         .value = EPOCH_SECONDS,
         .sampled = EPOCHS,
         .missing = "no runs of timeprest that differ in N or in the mini-batch",
         .command = MICROS_COMMAND},
        ABLATION("top1-time", "Ablations: accuracy against time", SECONDS, true),
        ABLATION("top1-epoch", "Ablations: accuracy against epoch", EPOCH, false),
        {.id = "ablation-epoch-time",
         .paper = "Fig. 13, 14",
         .title = "Ablations: epoch time",
         .x_label = "Schedule",
         .y_label = "Epoch time (s)",
         .kind = TP_FIGURE_BARS,
         .schedules = ABLATION_SCHEDULES,
         .varying = "schedule",
         .key = TP_KEY_ALL,
         .least_groups = 2,
         .fill = tp_figure_fill_groups,
         .value = EPOCH_SECONDS,
         .sampled = EPOCHS,
         .missing = "no comparison of timeprest with timeprest-stash or timeprest-1f1b",
         .command = ABLATION_COMMAND},
        {.id = "memory-total",
         .paper = "Fig. 15",
         .title = "Peak memory, stage upon stage",
         .x_label = "Schedule",
         .y_label = "Peak memory (bytes)",
         .kind = TP_FIGURE_STACKED,
         .varying = "schedule",
         .key = TP_KEY_ALL,
         .least_groups = 1,
         .fill = tp_figure_fill_total_memory,
         .readings = TP_READ_MEMORY,
         .first_figure = 15,
         .last_figure = 15,
         .sampled = "runs, each in its fullest epoch",
         .missing = "no run whose memory was recorded",
         .command = MEMORY_COMMAND},
        {.id = "memory-stage",
         .paper = "Fig. 15",
         .title = "Memory of each stage at its peak, by kind",
         .x_label = "Schedule and stage",
         .y_label = "Memory at the peak (bytes)",
         .kind = TP_FIGURE_STACKED,
         .varying = "schedule",
         .key = TP_KEY_ALL,
         .least_groups = 1,
         .fill = tp_figure_fill_stage_memory,
         .sampled = "runs, each stage in its fullest epoch",
         .missing = "no run whose memory was recorded",
         .command = MEMORY_COMMAND},
        WORKLOADS("epoch-time-a", "", "A", "paper-a", "Epoch time", "Epoch time (min)", EPOCH_MINUTES, CLUSTER_A,
                  TP_READ_MINUTES, 0),
        WORKLOADS("epochs-per-h-a", "", "A", "paper-a", "Throughput", "Epochs per hour", EPOCHS_PER_H, CLUSTER_A,
                  TP_READ_THROUGHPUT, 0),
        WORKLOADS("epoch-time-b", "Fig. 16a", "B", "paper-b", "Epoch time", "Epoch time (min)", EPOCH_MINUTES,
                  CLUSTER_B, TP_READ_MINUTES, 16),
        WORKLOADS("epochs-per-h-b", "Fig. 16b", "B", "paper-b", "Throughput", "Epochs per hour", EPOCHS_PER_H,
                  CLUSTER_B, TP_READ_THROUGHPUT, 16),
        WORKLOADS("epoch-time-c", "Fig. 17a", "C", "paper-c", "Epoch time", "Epoch time (min)", EPOCH_MINUTES,
                  CLUSTER_C, TP_READ_MINUTES, 17),
        WORKLOADS("epochs-per-h-c", "Fig. 17b", "C", "paper-c", "Throughput", "Epochs per hour", EPOCHS_PER_H,
                  CLUSTER_C, TP_READ_THROUGHPUT, 17),
        {.id = "clusters-epoch-time",
         .paper = "Fig. 16, 17",
         .title = "Epoch time from cluster to cluster",
         .x_label = "Cluster",
         .y_label = "Epoch time (s)",
         .kind = TP_FIGURE_BARS,
         .varying = "schedule,cluster,stages,partition",
         .key = TP_KEY_MODEL | TP_KEY_CLOCK,
         .least_groups = 2,
         .least_categories = 2,
         .fill = tp_figure_fill_clusters,
         .value = EPOCH_SECONDS,
         .sampled = EPOCHS,
         .missing = "no runs that differ in the cluster and are alike in the rest",
         .command = PAIR SMALL CLUSTER_A "\n" PAIR SMALL CLUSTER_B "\n" PAIR SMALL CLUSTER_C},
        {.id = "version-difference",
         .paper = "Eq. 3",
         .title = "Version difference v, predicted and measured",
         .x_label = "Schedule, stages W and micro-batches N",
         .y_label = "Version difference v (mini-batches)",
         .kind = TP_FIGURE_BARS,
         .schedules = PREDICTED_SCHEDULES,
         .key = TP_KEY_CLOCK,
         .least_groups = 1,
         .fill = tp_figure_fill_versions,
         .sampled = EPOCHS,
         .missing = "no recorded run of a schedule that v is predicted for",
         .command = "sweep timeprest" SMALL " --stages 2..4 --micro-batches 2..4"},
        {.id = "communication",
         .paper = "Eq. 17 to 21",
         .title = "Communication volume beside the paper's",
         .x_label = "Schedule",
         .y_label = "Sent per mini-batch, all boundaries (bytes)",
         .kind = TP_FIGURE_BARS,
         .varying = "schedule",
         .key = TP_KEY_ALL,
         .least_groups = 1,
         .fill = tp_figure_fill_volume,
         .sampled = EPOCHS,
         .missing = "no recorded run of more than one stage",
         .command = "sweep timeprest,gpipe,pipedream" SMALL " --stages 3 --link 1gbit,50us"},
        {.id = "links-epoch-time",
         .paper = "",
         .title = "Epoch time against link speed",
         .x_label = "Slowest link (Mbit/s)",
         .y_label = "Epoch time (s)",
         .kind = TP_FIGURE_LINES,
         .log_x = true,
         .varying = "schedule,link",
         .key = TP_KEY_ALL,
         .least_groups = 2,
         .least_categories = 2,
         .fill = tp_figure_fill_links,
         .value = EPOCH_SECONDS,
         .sampled = EPOCHS,
         .missing = "no runs that differ in the speed of their links and are alike in the rest",
         .command = PAIR SMALL " --stages 3 --link 10mbit,50us+100mbit,50us+1gbit,50us+10gbit,50us"},
        {.id = "idle-causes",
         .paper = "",
         .title = "Idle time by cause",
         .x_label = "Schedule",
         .y_label = "Share of stages x window (%)",
         .kind = TP_FIGURE_STACKED,
         .varying = "schedule",
         .key = TP_KEY_ALL,
         .least_groups = 1,
         .fill = tp_figure_fill_idle,
         .sampled = EPOCHS,
         .missing = "no run whose operations were recorded",
         .command = IDLE_COMMAND},
        {.id = 0},
};
