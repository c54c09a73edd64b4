-- How long does each schedule train until it reaches the target?
-- The latest comparison. schedule; target: the option that set it; target_value; run_count; reached_count: runs that did,
-- with epochs and seconds of training (evaluations not counted), fastest and slowest of the runs that did.
WITH chosen AS (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1)
SELECT time_to_target.schedule, target, target_value, count(*) AS run_count, count(reached_epoch) AS reached_count,
	min(reached_epoch) AS reached_min_epoch, max(reached_epoch) AS reached_max_epoch, min(reached_s) AS reached_min_s,
	max(reached_s) AS reached_max_s
FROM chosen JOIN run USING (comparison) JOIN time_to_target USING (run_id)
GROUP BY time_to_target.schedule, target, target_value
ORDER BY reached_count DESC, reached_min_s;
