-- Schema version 1. Rows are written once and never edited; how a run ended is a row of its own.
-- Units are in the column names: _ns, _bytes, _flops, _samples, _unix_s; shares and ratios say so; counts end in _count.
-- Stages count from 0, epochs and mini-batches from 1, micro-batches from 0. -1 stands for "all of it": stage -1 is the
-- process, micro_batch -1 the whole mini-batch. Times of one run share its clock; 0 is the start of the run.

-- One row for each migration that made this file what it is.
CREATE TABLE schema_meta (
	schema_version INTEGER PRIMARY KEY,
	applied_unix_s INTEGER NOT NULL,
	tpbench_version TEXT NOT NULL
) STRICT;

CREATE TABLE run (
	run_id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	note TEXT NOT NULL,
	comparison TEXT NOT NULL,
	repeat_number INTEGER NOT NULL CHECK (repeat_number >= 1),
	schedule TEXT NOT NULL,
	model TEXT NOT NULL,
	dataset TEXT NOT NULL,
	device TEXT NOT NULL,
	operation_order TEXT NOT NULL,
	clock TEXT NOT NULL,
	stage_count INTEGER NOT NULL CHECK (stage_count >= 1),
	micro_batch_count INTEGER NOT NULL CHECK (micro_batch_count >= 1),
	batch_samples INTEGER NOT NULL CHECK (batch_samples >= 1),
	mini_batches_per_epoch_count INTEGER NOT NULL,
	dropped_per_epoch_samples INTEGER NOT NULL,
	rss_before_bytes INTEGER NOT NULL,
	config_hash TEXT NOT NULL,
	config_text TEXT NOT NULL,
	started_unix_s INTEGER NOT NULL,
	-- Who writes this run, so that a run without an end can be told from one that goes on.
	writer_pid INTEGER NOT NULL,
	writer_start_ticks INTEGER NOT NULL,
	writer_boot_hash TEXT NOT NULL,
	writer_pid_namespace INTEGER NOT NULL
) STRICT;

CREATE TABLE run_end (
	run_id INTEGER PRIMARY KEY REFERENCES run,
	ending TEXT NOT NULL CHECK (ending IN ('done', 'failed', 'interrupted')),
	reason TEXT NOT NULL,
	ended_unix_s INTEGER NOT NULL
) STRICT;

CREATE TABLE run_parameter (
	run_id INTEGER NOT NULL REFERENCES run,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE environment (
	run_id INTEGER NOT NULL REFERENCES run,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE stage (
	run_id INTEGER NOT NULL REFERENCES run,
	stage INTEGER NOT NULL CHECK (stage >= 0),
	first_block INTEGER NOT NULL,
	block_count INTEGER NOT NULL,
	layers TEXT NOT NULL,
	parameter_count INTEGER NOT NULL,
	forward_per_sample_flops INTEGER NOT NULL,
	in_flight_mini_batch_count INTEGER NOT NULL,
	algorithms TEXT NOT NULL,
	PRIMARY KEY (run_id, stage)
) STRICT, WITHOUT ROWID;

-- Losses and shares are NULL where they are not numbers, as after a divergence; all of the test columns are NULL in an
-- epoch that was not evaluated.
CREATE TABLE epoch (
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL CHECK (epoch >= 1),
	mini_batch_count INTEGER NOT NULL,
	trained_samples INTEGER NOT NULL,
	window_start_ns INTEGER NOT NULL,
	window_end_ns INTEGER NOT NULL CHECK (window_end_ns >= window_start_ns),
	train_loss REAL,
	train_top1_share REAL,
	test_samples INTEGER,
	test_loss REAL,
	test_top1_share REAL,
	test_top5_share REAL,
	evaluation_ns INTEGER,
	dropped_record_count INTEGER NOT NULL,
	rss_bytes INTEGER NOT NULL,
	window_allocation_count INTEGER NOT NULL,
	PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

-- record_number is the record's place in its epoch; it rises with time within a stage.
CREATE TABLE operation (
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('F', 'B', 'U')),
	mini_batch INTEGER NOT NULL CHECK (mini_batch >= 1),
	micro_batch INTEGER NOT NULL CHECK (micro_batch >= -1),
	operation_samples INTEGER NOT NULL,
	start_ns INTEGER NOT NULL,
	end_ns INTEGER NOT NULL CHECK (end_ns >= start_ns),
	version_read INTEGER NOT NULL,
	version_live INTEGER NOT NULL,
	version_committed INTEGER NOT NULL,
	version_forward INTEGER NOT NULL,
	alive_version_count INTEGER NOT NULL,
	in_place INTEGER NOT NULL CHECK (in_place IN (0, 1)),
	PRIMARY KEY (run_id, epoch, stage, record_number),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch,
	FOREIGN KEY (run_id, stage) REFERENCES stage
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	to_stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL,
	from_stage INTEGER NOT NULL CHECK (from_stage <> to_stage),
	kind TEXT NOT NULL CHECK (kind IN ('activation', 'gradient')),
	mini_batch INTEGER NOT NULL CHECK (mini_batch >= 1),
	micro_batch INTEGER NOT NULL CHECK (micro_batch >= -1),
	message_bytes INTEGER NOT NULL,
	ready_ns INTEGER NOT NULL,
	sent_ns INTEGER NOT NULL,
	arrived_ns INTEGER NOT NULL,
	wanted_ns INTEGER NOT NULL,
	handed_over INTEGER NOT NULL CHECK (handed_over IN (0, 1)),
	PRIMARY KEY (run_id, epoch, to_stage, record_number),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch,
	FOREIGN KEY (run_id, to_stage) REFERENCES stage,
	FOREIGN KEY (run_id, from_stage) REFERENCES stage
) STRICT, WITHOUT ROWID;

-- Bytes in use by kind; reserved_bytes also counts what lies in pools. at_peak_bytes are the parts at the moment of the
-- stage's highest sum, peak_bytes each kind's own peak.
CREATE TABLE memory (
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL CHECK (stage >= -1),
	kind TEXT NOT NULL,
	now_bytes INTEGER NOT NULL,
	peak_bytes INTEGER NOT NULL,
	at_peak_bytes INTEGER NOT NULL,
	reserved_bytes INTEGER NOT NULL,
	PRIMARY KEY (run_id, epoch, stage, kind),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

-- done, failed and interrupted are what the run's end says. Without one it is 'running': SQL cannot see processes, but
-- whoever opens the file to write gives an end to the runs whose process is gone.
CREATE VIEW run_state AS
SELECT run_id, coalesce(ending, 'running') AS state, coalesce(reason, '') AS reason, started_unix_s, ended_unix_s
FROM run LEFT JOIN run_end USING (run_id);

-- Operations of one stage never overlap, since a stage is one thread: the length of their union is the sum of their lengths.
CREATE VIEW stage_time AS
SELECT run_id, epoch, stage,
	sum(end_ns - start_ns) AS compute_ns,
	sum(CASE kind WHEN 'F' THEN end_ns - start_ns ELSE 0 END) AS forward_ns,
	sum(CASE kind WHEN 'B' THEN end_ns - start_ns ELSE 0 END) AS backward_ns,
	sum(CASE kind WHEN 'U' THEN end_ns - start_ns ELSE 0 END) AS update_ns,
	sum(kind = 'F') AS forward_count,
	sum(kind = 'B') AS backward_count,
	sum(kind = 'U') AS update_count,
	max(alive_version_count) AS alive_version_max_count
FROM operation
GROUP BY run_id, epoch, stage;

-- Nothing is said of epochs that lost records: their sums would be wrong.
CREATE VIEW bubble AS
SELECT run_id, epoch, stage, window_ns, compute_ns, window_ns - compute_ns AS bubble_ns,
	CAST(window_ns - compute_ns AS REAL) / nullif(window_ns, 0) AS idle_total_ratio,
	CAST(window_ns - compute_ns AS REAL) / nullif(compute_ns, 0) AS idle_ideal_ratio
FROM stage_time
JOIN (SELECT run_id, epoch, window_end_ns - window_start_ns AS window_ns FROM epoch WHERE dropped_record_count = 0)
	USING (run_id, epoch);

-- v(i) = i - mini-batches committed when the (first) backward of i starts at the last stage. The predictions hold for
-- schedules with one backward per mini-batch and W - s mini-batches in flight; the paper states its own for N >= 2.
CREATE VIEW version_difference AS
SELECT run_id, epoch, mini_batch, mini_batch - version_committed AS version_difference_count,
	CASE WHEN predicted AND micro_batch_count >= 2
		THEN (stage_count + micro_batch_count - 2) / micro_batch_count END AS paper_prediction_count,
	CASE WHEN predicted THEN (stage_count + micro_batch_count) / (micro_batch_count + 1) END AS exact_prediction_count
FROM (SELECT run_id, epoch, mini_batch, min(version_committed) AS version_committed, stage_count, micro_batch_count,
		schedule IN ('timeprest', 'timeprest-stash', 'timeprest-1f1b', 'i-timeprest', 'v-timeprest', 'pipedream',
			'pipedream-vsync') AS predicted
	FROM operation JOIN run USING (run_id)
	WHERE kind = 'B' AND stage = stage_count - 1
	GROUP BY run_id, epoch, mini_batch);

-- The highest sum of each stage (-1: the process) in an epoch, and its parts at that moment.
CREATE VIEW memory_peak AS
SELECT run_id, epoch, stage,
	sum(at_peak_bytes) AS peak_bytes,
	sum(CASE kind WHEN 'weights_live' THEN at_peak_bytes ELSE 0 END) AS weights_live_bytes,
	sum(CASE kind WHEN 'weights_retained' THEN at_peak_bytes ELSE 0 END) AS weights_retained_bytes,
	sum(CASE kind WHEN 'gradients' THEN at_peak_bytes ELSE 0 END) AS gradients_bytes,
	sum(CASE kind WHEN 'optimizer_state' THEN at_peak_bytes ELSE 0 END) AS optimizer_state_bytes,
	sum(CASE kind WHEN 'activations' THEN at_peak_bytes ELSE 0 END) AS activations_bytes,
	sum(CASE kind WHEN 'messages' THEN at_peak_bytes ELSE 0 END) AS messages_bytes,
	sum(CASE kind WHEN 'workspace' THEN at_peak_bytes ELSE 0 END) AS workspace_bytes,
	sum(CASE kind WHEN 'data' THEN at_peak_bytes ELSE 0 END) AS data_bytes,
	sum(CASE kind WHEN 'profiler' THEN at_peak_bytes ELSE 0 END) AS profiler_bytes,
	sum(CASE kind WHEN 'library' THEN at_peak_bytes ELSE 0 END) AS library_bytes,
	sum(reserved_bytes) AS reserved_bytes
FROM memory
GROUP BY run_id, epoch, stage;

-- An epoch in one row. The ratios are over all stages: sum of bubbles / (stages * window), and / sum of compute.
CREATE VIEW epoch_summary AS
SELECT run_id, epoch, schedule, trained_samples, window_end_ns - window_start_ns AS window_ns,
	trained_samples * 1e9 / nullif(window_end_ns - window_start_ns, 0) AS samples_per_s,
	3600e9 / nullif(window_end_ns - window_start_ns, 0) AS epochs_per_h,
	idle_total_ratio, idle_ideal_ratio, train_loss, train_top1_share, test_loss, test_top1_share, test_top5_share
FROM epoch JOIN run USING (run_id)
LEFT JOIN (SELECT run_id, epoch,
		CAST(sum(bubble_ns) AS REAL) / nullif(sum(window_ns), 0) AS idle_total_ratio,
		CAST(sum(bubble_ns) AS REAL) / nullif(sum(compute_ns), 0) AS idle_ideal_ratio
	FROM bubble GROUP BY run_id, epoch) USING (run_id, epoch);

-- A run in one row, to be set beside others of the same comparison. Ratios are means over epochs, the accuracy is that of
-- the latest epoch evaluated, memory is the highest of any epoch: summed over stages, and of the largest stage.
CREATE VIEW compare AS
SELECT run_id, comparison, repeat_number, schedule, model, dataset, device, stage_count, micro_batch_count,
	batch_samples, state, epoch_count, mean_epoch_ns, samples_per_s, idle_total_ratio, idle_ideal_ratio,
	version_difference_max_count, stages_peak_bytes, largest_stage_peak_bytes, test_top1_share, test_loss
FROM run JOIN run_state USING (run_id)
LEFT JOIN (SELECT run_id, count(*) AS epoch_count, avg(window_ns) AS mean_epoch_ns,
		sum(trained_samples) * 1e9 / nullif(sum(window_ns), 0) AS samples_per_s,
		avg(idle_total_ratio) AS idle_total_ratio, avg(idle_ideal_ratio) AS idle_ideal_ratio
	FROM epoch_summary GROUP BY run_id) USING (run_id)
LEFT JOIN (SELECT run_id, max(version_difference_count) AS version_difference_max_count
	FROM version_difference GROUP BY run_id) USING (run_id)
LEFT JOIN (SELECT run_id, max(stages_peak_bytes) AS stages_peak_bytes,
		max(largest_stage_peak_bytes) AS largest_stage_peak_bytes
	FROM (SELECT run_id, epoch, sum(peak_bytes) AS stages_peak_bytes, max(peak_bytes) AS largest_stage_peak_bytes
		FROM memory_peak WHERE stage >= 0 GROUP BY run_id, epoch)
	GROUP BY run_id) USING (run_id)
LEFT JOIN (SELECT run_id, max(epoch) AS evaluated_epoch, test_top1_share, test_loss
	FROM epoch WHERE test_samples IS NOT NULL GROUP BY run_id) USING (run_id);
