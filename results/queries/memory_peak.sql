-- How much memory does the fullest stage take, what is it made of, and what was it doing?
-- One row for each schedule of the latest comparison: the highest peak of any stage and epoch of its runs, the latest such.
-- Bytes of each kind at that moment; peak_ns: when; kind, mini_batch and micro_batch of the operation under way, NULL when its
-- records are gone.
WITH chosen AS (SELECT run_id, schedule FROM run
	WHERE comparison = (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1)),
peaks AS (SELECT chosen.schedule, memory_peak.*,
		row_number() OVER (PARTITION BY schedule ORDER BY peak_bytes DESC, run_id DESC, epoch DESC) AS place
	FROM chosen JOIN memory_peak USING (run_id)
	WHERE stage >= 0)
SELECT schedule, peaks.run_id, peaks.epoch, peaks.stage, peak_bytes, weights_live_bytes, weights_retained_bytes,
	gradients_bytes, optimizer_state_bytes, activations_bytes, messages_bytes, workspace_bytes, peak_ns, operation.kind,
	operation.mini_batch, operation.micro_batch
FROM peaks LEFT JOIN operation ON operation.run_id = peaks.run_id AND operation.epoch = peaks.epoch
	AND operation.stage = peaks.stage AND operation.record_number = peak_operation_number
WHERE place = 1
ORDER BY peak_bytes DESC;
