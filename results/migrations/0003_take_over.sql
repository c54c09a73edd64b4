-- Schema version 3, last part: the rows of version 2. Records get their numbers by stage instead of by epoch. What is
-- computed from records (figures, idle causes, versions, mini-batches) is added by the program, as for a new epoch.
INSERT INTO schema_meta SELECT schema_version, applied_unix_s, tpbench_version FROM old_schema_meta;
INSERT INTO run SELECT run_id, name, note, comparison, repeat_number, schedule, model, dataset, device, operation_order,
	clock, stage_count, micro_batch_count, batch_samples, mini_batches_per_epoch_count, dropped_per_epoch_samples,
	rss_before_bytes, config_hash, config_text, started_unix_s, writer_pid, writer_start_ticks, writer_boot_hash,
	writer_pid_namespace FROM old_run;
INSERT INTO run_end SELECT run_id, ending, reason, ended_unix_s FROM old_run_end;
INSERT INTO run_parameter SELECT run_id, name, value FROM old_run_parameter;
INSERT INTO environment SELECT run_id, name, value FROM old_environment;
INSERT INTO stage SELECT run_id, stage, first_block, block_count, layers, parameter_count, forward_per_sample_flops,
	in_flight_mini_batch_count, algorithms FROM old_stage;
INSERT INTO run_link SELECT run_id, from_stage, to_stage, bandwidth_bytes_per_s, latency_ns FROM old_run_link;
INSERT INTO run_worker SELECT run_id, stage, worker, speed_ratio, memory_limit_bytes FROM old_run_worker;
INSERT INTO operation_cost SELECT run_id, stage, kind, micro_batch, cost_ns FROM old_operation_cost;
INSERT INTO epoch SELECT run_id, epoch,
	CASE WHEN EXISTS (SELECT 1 FROM old_operation AS o WHERE o.run_id = e.run_id AND o.epoch = e.epoch) THEN 'ops'
		ELSE 'off' END,
	mini_batch_count, trained_samples, window_start_ns, window_end_ns, train_loss, train_top1_share, test_samples, test_loss,
	test_top1_share, test_top5_share, evaluation_ns, dropped_record_count, rss_bytes, window_allocation_count
FROM old_epoch AS e;
INSERT INTO prediction SELECT run_id, epoch, predicted_ns, NULL, NULL, NULL FROM old_prediction;
INSERT INTO operation SELECT run_id, epoch, stage,
	row_number() OVER (PARTITION BY run_id, epoch, stage ORDER BY record_number) - 1,
	kind, mini_batch, micro_batch, operation_samples, start_ns, end_ns, version_read, version_live, version_committed,
	version_forward, alive_version_count, in_place, held_until_ns FROM old_operation;
INSERT INTO message SELECT run_id, epoch, to_stage,
	row_number() OVER (PARTITION BY run_id, epoch, to_stage ORDER BY record_number) - 1,
	from_stage, kind, mini_batch, micro_batch, message_bytes, ready_ns, sent_ns, arrived_ns, wanted_ns, handed_over
FROM old_message;
INSERT INTO backward_read SELECT run_id, epoch, stage,
	row_number() OVER (PARTITION BY run_id, epoch, stage ORDER BY record_number) - 1,
	mini_batch, micro_batch, version_forward, version_newest, lambda_ratio FROM old_backward_read;
INSERT INTO memory SELECT run_id, epoch, stage, kind, now_bytes, peak_bytes, at_peak_bytes, reserved_bytes FROM old_memory;
INSERT INTO memory SELECT run_id, epoch, -1, 'program', rss_before_bytes, rss_before_bytes, rss_before_bytes, rss_before_bytes
	FROM old_epoch JOIN old_run USING (run_id);
INSERT INTO memory SELECT run_id, epoch, -1, 'unaccounted', rss_bytes - held_bytes, rss_bytes - held_bytes,
		rss_bytes - held_bytes, 0
	FROM epoch JOIN (SELECT run_id, epoch, sum(now_bytes) AS held_bytes FROM memory GROUP BY run_id, epoch)
		USING (run_id, epoch);
DROP TABLE old_prediction;
DROP TABLE old_operation_cost;
DROP TABLE old_backward_read;
DROP TABLE old_memory;
DROP TABLE old_message;
DROP TABLE old_operation;
DROP TABLE old_epoch;
DROP TABLE old_run_worker;
DROP TABLE old_run_link;
DROP TABLE old_stage;
DROP TABLE old_environment;
DROP TABLE old_run_parameter;
DROP TABLE old_run_end;
DROP TABLE old_run;
DROP TABLE old_schema_meta;
