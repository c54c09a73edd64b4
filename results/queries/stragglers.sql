-- Is a stage slower than the others?
-- The latest run of each schedule of the latest comparison, over its epochs. schedule; stage; compute_ns; mean_ratio:
-- to the mean of the stages; fastest_ratio: to the fastest; 1.1 and more at the slowest stage is worth another --partition.
WITH chosen AS (SELECT max(run_id) AS run_id, schedule
	FROM run JOIN timed_run USING (run_id)
	WHERE comparison = (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1)
		AND run_id IN (SELECT run_id FROM stage_figures)
	GROUP BY schedule),
stages AS (SELECT schedule, stage, sum(compute_ns) AS compute_ns
	FROM chosen JOIN stage_figures USING (run_id)
	GROUP BY schedule, stage)
SELECT schedule, stage, compute_ns,
	round(compute_ns / nullif(avg(compute_ns) OVER (PARTITION BY schedule), 0), 4) AS mean_ratio,
	round(1.0 * compute_ns / nullif(min(compute_ns) OVER (PARTITION BY schedule), 0), 4) AS fastest_ratio
FROM stages
ORDER BY schedule, compute_ns DESC;
