-- How much communication is hidden behind computing?
-- The latest comparison, over all runs, epochs and stages of a schedule. schedule; transfer_ns: a message to or from the
-- stage was under way; overlap_ns: and the stage computed; exposed_ns: and it did not; alpha_ratio: overlap / transfer, the
-- paper's Eq. 21, NULL where messages change hands in memory; exposed_window_percent: what hiding all of it could save at most.
WITH chosen AS (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1)
SELECT schedule, sum(transfer_ns) AS transfer_ns, sum(overlap_ns) AS overlap_ns, sum(exposed_ns) AS exposed_ns,
	round(CAST(sum(overlap_ns) AS REAL) / nullif(sum(transfer_ns), 0), 4) AS alpha_ratio,
	round(100.0 * sum(exposed_ns) / nullif(sum(window_ns), 0), 2) AS exposed_window_percent
FROM chosen JOIN run USING (comparison) JOIN timed_run USING (run_id) JOIN stage_figures USING (run_id)
GROUP BY schedule
ORDER BY alpha_ratio DESC;
