-- Schema version 4: what the tracer of a GPU says of itself, memory that a GPU set apart from what it copied, and no
-- times of runs on a stand-in for a GPU.
CREATE TABLE gpu_trace (
	-- How the times of a GPU's epoch were obtained, and what the tracer says of itself. Lost records are part of the
	-- epoch's dropped_record_count, too: there are no figures then.
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	trace_mode TEXT NOT NULL CHECK (trace_mode IN ('cupti', 'events', 'host')), -- what is timed: kernels; operations, by events; the same, by the host
	reason TEXT NOT NULL, -- why it is no better than that, empty when it is the best
	lost_record_count INTEGER NOT NULL,
	untimed_kernel_count INTEGER NOT NULL, -- without times, left out
	unmatched_record_count INTEGER NOT NULL, -- kernels and copies whose operation is not known
	overhead_ns INTEGER NOT NULL, -- what the tracer took, as it says itself
	clock_error_ns INTEGER NOT NULL, -- how far times of GPU and host may be apart; 0: one clock
	allocated_peak_bytes INTEGER NOT NULL, -- of all GPUs by this process, as the tracer saw it
	window_allocation_count INTEGER NOT NULL, -- of GPU memory in the epoch
	PRIMARY KEY (run_id, epoch),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

DROP VIEW CUPTI_ACTIVITY_KIND_MEMCPY;

CREATE VIEW CUPTI_ACTIVITY_KIND_MEMCPY AS
	-- Copies of a GPU. The kinds of memory at both ends follow from copyKind.
SELECT start_ns AS start, end_ns AS "end", gpu_number AS deviceId, context_number AS contextId, NULL AS greenContextId,
	stream_number AS streamId, correlation_number AS correlationId, (writer_pid & 0xffffff) << 24 AS globalPid,
	copy_bytes AS bytes, copy_kind AS copyKind, NULL AS deprecatedSrcId, CASE copy_kind WHEN 1 THEN 1 ELSE 2 END AS srcKind,
	CASE copy_kind WHEN 2 THEN 1 ELSE 2 END AS dstKind, NULL AS srcDeviceId, NULL AS srcContextId, NULL AS dstDeviceId,
	NULL AS dstContextId, NULL AS migrationCause, NULL AS graphNodeId, NULL AS virtualAddress, run_id
FROM device_copy JOIN run USING (run_id) WHERE copy_kind <> 0;

CREATE VIEW CUPTI_ACTIVITY_KIND_MEMSET AS
	-- Memory that a GPU set, copies of kind 0. To which value is not recorded.
SELECT start_ns AS start, end_ns AS "end", gpu_number AS deviceId, context_number AS contextId, NULL AS greenContextId,
	stream_number AS streamId, correlation_number AS correlationId, (writer_pid & 0xffffff) << 24 AS globalPid,
	NULL AS value, copy_bytes AS bytes, NULL AS graphNodeId, 2 AS memKind, run_id
FROM device_copy JOIN run USING (run_id) WHERE copy_kind = 0;

CREATE VIEW timed_run AS
	-- The runs whose times say something: all but those on a stand-in for a device, whose name ends in "(no GPU)". Of
	-- the others the views have no times and no rates.
SELECT run_id FROM run WHERE substr(device, -8) <> '(no GPU)';

DROP VIEW stage_time;

CREATE VIEW stage_time AS
	-- How each stage spent an epoch: compute_ns and the idle causes add up to window_ns.
SELECT run_id, epoch, stage, window_ns, compute_ns, forward_ns, backward_ns, update_ns, fill_ns, drain_ns, sender_ns,
	message_ns, staleness_ns, host_ns, forward_count, backward_count, update_count, alive_version_max_count,
	steady_window_ns, steady_compute_ns
FROM stage_figures JOIN timed_run USING (run_id);

DROP VIEW bubble;

CREATE VIEW bubble AS
	-- Idle time of each stage, by both conventions: idle/total = bubble / window, idle/ideal = bubble / compute.
SELECT run_id, epoch, stage, window_ns, compute_ns, window_ns - compute_ns AS bubble_ns,
	CAST(window_ns - compute_ns AS REAL) / nullif(window_ns, 0) AS idle_total_ratio,
	CAST(window_ns - compute_ns AS REAL) / nullif(compute_ns, 0) AS idle_ideal_ratio
FROM stage_figures JOIN timed_run USING (run_id);

DROP VIEW overlap;

CREATE VIEW overlap AS
	-- How much communication each stage hid behind computing. alpha_ratio is the stage's own; the epoch's (Eq. 21) is in
	-- epoch_summary. NULL where messages change hands in memory.
SELECT run_id, epoch, stage, transfer_ns, overlap_ns, exposed_ns,
	CAST(overlap_ns AS REAL) / nullif(transfer_ns, 0) AS alpha_ratio,
	CAST(exposed_ns AS REAL) / nullif(window_ns, 0) AS exposed_window_ratio
FROM stage_figures JOIN timed_run USING (run_id);

DROP VIEW epoch_summary;

CREATE VIEW epoch_summary AS
	-- An epoch in one row. The ratios are over all stages: sum of bubbles / (stages * window), and / sum of compute; steady_
	-- leaves out the first and last W mini-batches. Times, rates and ratios of times are NULL where a run has none, see
	-- timed_run.
SELECT epoch.run_id AS run_id, epoch.epoch AS epoch, schedule, epoch.profile_level AS profile_level,
	epoch.trained_samples AS trained_samples, timed.window_end_ns - timed.window_start_ns AS window_ns,
	epoch.trained_samples * 1e9 / nullif(timed.window_end_ns - timed.window_start_ns, 0) AS samples_per_s,
	3600e9 / nullif(timed.window_end_ns - timed.window_start_ns, 0) AS epochs_per_h,
	idle_total_ratio, idle_ideal_ratio, alpha_ratio,
	CASE WHEN alpha_ratio IS NOT NULL THEN (SELECT sum(exposed_ns) FROM stage_figures AS s
		WHERE s.run_id = epoch.run_id AND s.epoch = epoch.epoch) END AS exposed_ns,
	steady_mini_batch_count * batch_samples * 1e9 / nullif(steady_window_ns, 0) AS steady_samples_per_s,
	CASE WHEN steady_window_ns > 0 THEN steady_idle_total_ratio END AS steady_idle_total_ratio,
	epoch.train_loss AS train_loss, epoch.train_top1_share AS train_top1_share, epoch.test_loss AS test_loss,
	epoch.test_top1_share AS test_top1_share, epoch.test_top5_share AS test_top5_share
FROM epoch JOIN run USING (run_id) LEFT JOIN timed_run USING (run_id)
LEFT JOIN epoch AS timed ON timed.run_id = timed_run.run_id AND timed.epoch = epoch.epoch
LEFT JOIN epoch_figures AS figures ON figures.run_id = timed_run.run_id AND figures.epoch = epoch.epoch;

DROP VIEW time_to_target;

CREATE VIEW time_to_target AS
	-- The first epoch that reached --target-top1 or --target-loss, and the seconds of training until its end, evaluations
	-- not counted. Both are NULL when none did; reached_s also of a run that is not in timed_run.
SELECT run_id, schedule, target, target_value, min(epoch) AS reached_epoch,
	CASE WHEN run_id IN (SELECT run_id FROM timed_run) THEN min(trained_s) END AS reached_s
FROM (SELECT run_id, schedule, run_parameter.name AS target, CAST(value AS REAL) AS target_value
	FROM run JOIN run_parameter USING (run_id)
	WHERE run_parameter.name IN ('target-top1', 'target-loss') AND CAST(value AS REAL) > 0) AS wanted
LEFT JOIN (SELECT run_id AS trained_run_id, epoch, test_top1_share, test_loss,
		sum(window_end_ns - window_start_ns) OVER (PARTITION BY run_id ORDER BY epoch) * 1e-9 AS trained_s
	FROM epoch)
	ON trained_run_id = run_id AND CASE target WHEN 'target-top1' THEN test_top1_share >= target_value
		ELSE test_loss <= target_value END
GROUP BY run_id, target;

DROP VIEW compare;

CREATE VIEW compare AS
	-- A run in one row, to be set beside others of the same comparison. Ratios are means over epochs, the accuracy is that
	-- of the latest epoch evaluated, memory is the highest of any epoch: summed over stages, and of the largest stage. Times
	-- and rates as in epoch_summary.
SELECT run_id, comparison, repeat_number, schedule, model, dataset, device, stage_count, micro_batch_count,
	batch_samples, state, valid, epoch_count, mean_epoch_ns, samples_per_s, idle_total_ratio, idle_ideal_ratio, alpha_ratio,
	exposed_ns, version_difference_max_count, stages_peak_bytes, largest_stage_peak_bytes, test_top1_share, test_loss
FROM run JOIN run_state USING (run_id)
LEFT JOIN (SELECT run_id, count(*) AS epoch_count, avg(window_ns) AS mean_epoch_ns,
		sum(trained_samples) * 1e9 / nullif(sum(window_ns), 0) AS samples_per_s,
		avg(idle_total_ratio) AS idle_total_ratio, avg(idle_ideal_ratio) AS idle_ideal_ratio,
		avg(alpha_ratio) AS alpha_ratio, avg(exposed_ns) AS exposed_ns
	FROM epoch_summary GROUP BY run_id) USING (run_id)
LEFT JOIN (SELECT run_id, max(version_difference_max_count) AS version_difference_max_count
	FROM epoch_figures GROUP BY run_id) USING (run_id)
LEFT JOIN (SELECT run_id, max(stages_peak_bytes) AS stages_peak_bytes,
		max(largest_stage_peak_bytes) AS largest_stage_peak_bytes
	FROM (SELECT run_id, epoch, sum(peak_bytes) AS stages_peak_bytes, max(peak_bytes) AS largest_stage_peak_bytes
		FROM (SELECT run_id, epoch, stage, sum(at_peak_bytes) AS peak_bytes FROM memory WHERE stage >= 0
			GROUP BY run_id, epoch, stage)
		GROUP BY run_id, epoch)
	GROUP BY run_id) USING (run_id)
LEFT JOIN (SELECT run_id, max(epoch) AS evaluated_epoch, test_top1_share, test_loss
	FROM epoch WHERE test_samples IS NOT NULL GROUP BY run_id) USING (run_id);
