-- Schema version 2: split backwards, backwards that read several versions, costs and predictions of the virtual clock,
-- emulated workers and links. The operation table is made anew, since SQLite cannot change a CHECK; views that read it are
-- dropped first and made again.
DROP VIEW compare;
DROP VIEW epoch_summary;
DROP VIEW version_difference;
DROP VIEW bubble;
DROP VIEW stage_time;

CREATE TABLE operation_2 (
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('F', 'B', 'U', 'BX', 'BW')),
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
	held_until_ns INTEGER NOT NULL,
	PRIMARY KEY (run_id, epoch, stage, record_number),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch,
	FOREIGN KEY (run_id, stage) REFERENCES stage
) STRICT, WITHOUT ROWID;
INSERT INTO operation_2 SELECT *, 0 FROM operation;
DROP TABLE operation;
ALTER TABLE operation_2 RENAME TO operation;

-- What each micro-batch of a backward read, where they may read different versions: version_forward with weight lambda,
-- version_newest with the rest. lambda falls exponentially with the distance and may be too small for a number: 0.
CREATE TABLE backward_read (
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL,
	mini_batch INTEGER NOT NULL CHECK (mini_batch >= 1),
	micro_batch INTEGER NOT NULL CHECK (micro_batch >= 0),
	version_forward INTEGER NOT NULL,
	version_newest INTEGER NOT NULL,
	lambda_ratio REAL NOT NULL CHECK (lambda_ratio BETWEEN 0 AND 1),
	PRIMARY KEY (run_id, epoch, stage, record_number),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch,
	FOREIGN KEY (run_id, stage) REFERENCES stage
) STRICT, WITHOUT ROWID;

-- What the virtual clock went by: the cost of each operation on this machine, before any worker's speed.
CREATE TABLE operation_cost (
	run_id INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('F', 'B', 'U', 'BX', 'BW')),
	micro_batch INTEGER NOT NULL CHECK (micro_batch >= -1),
	cost_ns INTEGER NOT NULL CHECK (cost_ns >= 0),
	PRIMARY KEY (run_id, stage, kind, micro_batch),
	FOREIGN KEY (run_id, stage) REFERENCES stage
) STRICT, WITHOUT ROWID;

-- What the virtual clock makes of the costs that an epoch itself had, under the real clock.
CREATE TABLE prediction (
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	predicted_ns INTEGER NOT NULL CHECK (predicted_ns > 0),
	PRIMARY KEY (run_id, epoch),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

-- Emulated links, one row for each direction; a bandwidth of 0 has no limit. None: messages change hands in memory.
CREATE TABLE run_link (
	run_id INTEGER NOT NULL REFERENCES run,
	from_stage INTEGER NOT NULL,
	to_stage INTEGER NOT NULL CHECK (abs(from_stage - to_stage) = 1),
	bandwidth_bytes_per_s REAL NOT NULL CHECK (bandwidth_bytes_per_s >= 0),
	latency_ns INTEGER NOT NULL CHECK (latency_ns >= 0),
	PRIMARY KEY (run_id, from_stage, to_stage)
) STRICT, WITHOUT ROWID;

-- Workers of an emulated cluster; a memory limit of 0 is none.
CREATE TABLE run_worker (
	run_id INTEGER NOT NULL REFERENCES run,
	stage INTEGER NOT NULL CHECK (stage >= 0),
	worker TEXT NOT NULL,
	speed_ratio REAL NOT NULL CHECK (speed_ratio > 0),
	memory_limit_bytes INTEGER NOT NULL CHECK (memory_limit_bytes >= 0),
	PRIMARY KEY (run_id, stage)
) STRICT, WITHOUT ROWID;

-- Operations of one stage never overlap, since a stage is one thread: the length of their union is the sum of their lengths.
-- A split backward counts once, and both parts in its time.
CREATE VIEW stage_time AS
SELECT run_id, epoch, stage,
	sum(end_ns - start_ns) AS compute_ns,
	sum(CASE kind WHEN 'F' THEN end_ns - start_ns ELSE 0 END) AS forward_ns,
	sum(CASE WHEN kind IN ('B', 'BX', 'BW') THEN end_ns - start_ns ELSE 0 END) AS backward_ns,
	sum(CASE kind WHEN 'U' THEN end_ns - start_ns ELSE 0 END) AS update_ns,
	sum(kind = 'F') AS forward_count,
	sum(kind IN ('B', 'BX')) AS backward_count,
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
-- schedules with one backward per mini-batch and W - s mini-batches in flight, without a bound on staleness; the paper
-- states its own for N >= 2.
CREATE VIEW version_difference AS
SELECT run_id, epoch, mini_batch, mini_batch - version_committed AS version_difference_count,
	CASE WHEN predicted AND micro_batch_count >= 2
		THEN (stage_count + micro_batch_count - 2) / micro_batch_count END AS paper_prediction_count,
	CASE WHEN predicted THEN (stage_count + micro_batch_count) / (micro_batch_count + 1) END AS exact_prediction_count
FROM (SELECT run_id, epoch, mini_batch, min(version_committed) AS version_committed, stage_count, micro_batch_count,
		schedule IN ('timeprest', 'timeprest-stash', 'timeprest-1f1b', 'i-timeprest', 'v-timeprest', 'pipedream',
			'pipedream-vsync') AND NOT EXISTS (SELECT 1 FROM run_parameter AS axis
				WHERE axis.run_id = run.run_id AND name IN ('in-flight', 'max-staleness') AND value <> '0')
			AS predicted
	FROM operation JOIN run USING (run_id)
	WHERE kind IN ('B', 'BX') AND stage = stage_count - 1
	GROUP BY run_id, epoch, mini_batch);

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
