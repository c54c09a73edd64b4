-- Does what is counted add up to what the process holds?
-- The latest epoch of each run of the latest comparison. run_id; schedule; rss_bytes: resident memory of the process; stages,
-- process (data, profiler, library), program (there before the run): what is counted of it; unaccounted: the rest, also in
-- percent.
WITH chosen AS (SELECT run_id, schedule, max(epoch) AS epoch FROM run JOIN epoch USING (run_id)
	WHERE comparison = (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1)
	GROUP BY run_id)
SELECT run_id, schedule, rss_bytes, stages_bytes, process_bytes, program_bytes, unaccounted_bytes,
	round(100.0 * unaccounted_bytes / nullif(rss_bytes, 0), 2) AS unaccounted_percent
FROM chosen JOIN memory_balance USING (run_id, epoch)
ORDER BY run_id;
