-- Which operations were slowest, and what had they waited for?
-- The ten longest of the latest run. epoch; stage; kind; mini_batch; micro_batch (-1: all of it); operation_ns: how long
-- it took; median_ns: of its kind at that stage in that epoch; waited_ns: how long the stage was idle before it; causes.
WITH chosen AS (SELECT max(run_id) AS run_id FROM epoch_figures JOIN timed_run USING (run_id)),
slowest AS (SELECT run_id, epoch, stage, record_number, kind, mini_batch, micro_batch, end_ns - start_ns AS operation_ns
	FROM chosen JOIN operation USING (run_id)
	ORDER BY operation_ns DESC, epoch, stage, record_number LIMIT 10),
medians AS (SELECT epoch, stage, kind, avg(operation_ns) AS median_ns
	FROM (SELECT epoch, stage, kind, end_ns - start_ns AS operation_ns,
			row_number() OVER (PARTITION BY epoch, stage, kind ORDER BY end_ns - start_ns) AS place,
			count(*) OVER (PARTITION BY epoch, stage, kind) AS many
		FROM chosen JOIN operation USING (run_id))
	WHERE place IN ((many + 1) / 2, (many + 2) / 2)
	GROUP BY epoch, stage, kind)
SELECT epoch, stage, kind, mini_batch, micro_batch, operation_ns, CAST(median_ns AS INTEGER) AS median_ns,
	(SELECT coalesce(sum(end_ns - start_ns), 0) FROM idle WHERE idle.run_id = slowest.run_id AND idle.epoch = slowest.epoch
		AND idle.stage = slowest.stage AND operation_number = slowest.record_number) AS waited_ns,
	(SELECT coalesce(group_concat(cause, ' '), '') FROM idle WHERE idle.run_id = slowest.run_id
		AND idle.epoch = slowest.epoch AND idle.stage = slowest.stage
		AND operation_number = slowest.record_number) AS causes
FROM slowest LEFT JOIN medians USING (epoch, stage, kind)
ORDER BY operation_ns DESC, epoch, stage, record_number;
