-- How many weight versions does each stage keep alive, and for how long?
-- The latest epoch of the latest run. stage; alive_version_count; held_ns: how long the stage held that many; window_percent:
-- of the epoch; first_ns: when it first did.
WITH chosen AS (SELECT run_id, max(epoch) AS epoch, window_start_ns, window_end_ns
	FROM epoch JOIN (SELECT max(run_id) AS run_id FROM epoch_figures) USING (run_id)),
changes AS (
	SELECT stage, coalesce(made_ns, window_start_ns) AS time_ns, 1 AS change
	FROM chosen JOIN weight_version USING (run_id, epoch)
	UNION ALL
	SELECT stage, freed_ns, -1
	FROM chosen JOIN weight_version USING (run_id, epoch) WHERE freed_ns IS NOT NULL),
moments AS (SELECT stage, time_ns, sum(change) AS change FROM changes GROUP BY stage, time_ns),
alive AS (SELECT stage, time_ns, sum(change) OVER (PARTITION BY stage ORDER BY time_ns) AS alive_version_count,
		lead(time_ns) OVER (PARTITION BY stage ORDER BY time_ns) AS next_ns
	FROM moments)
SELECT stage, alive_version_count, sum(coalesce(next_ns, window_end_ns) - time_ns) AS held_ns,
	round(100.0 * sum(coalesce(next_ns, window_end_ns) - time_ns) / (window_end_ns - window_start_ns), 2) AS window_percent,
	min(time_ns) AS first_ns
FROM alive JOIN chosen
GROUP BY stage, alive_version_count
HAVING held_ns > 0
ORDER BY stage, alive_version_count;
