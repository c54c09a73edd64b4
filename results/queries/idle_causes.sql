-- Which cause of idling dominates?
-- The latest comparison, over all runs, epochs and stages of a schedule. schedule; cause; idle_ns: idle for
-- that cause; idle_percent: of the schedule's idle time; the first row of each schedule is the cause that dominates. Causes
-- that did not occur are left out.
WITH chosen AS (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1),
spent AS (SELECT schedule, sum(fill_ns) AS fill_ns, sum(drain_ns) AS drain_ns, sum(sender_ns) AS sender_ns,
		sum(message_ns) AS message_ns, sum(staleness_ns) AS staleness_ns, sum(host_ns) AS host_ns,
		sum(window_ns - compute_ns) AS all_ns
	FROM chosen JOIN run USING (comparison) JOIN timed_run USING (run_id) JOIN stage_figures USING (run_id)
	GROUP BY schedule),
causes AS (
	SELECT schedule, all_ns, 'fill' AS cause, fill_ns AS idle_ns FROM spent
	UNION ALL SELECT schedule, all_ns, 'drain', drain_ns FROM spent
	UNION ALL SELECT schedule, all_ns, 'sender', sender_ns FROM spent
	UNION ALL SELECT schedule, all_ns, 'message', message_ns FROM spent
	UNION ALL SELECT schedule, all_ns, 'staleness', staleness_ns FROM spent
	UNION ALL SELECT schedule, all_ns, 'host', host_ns FROM spent)
SELECT schedule, cause, idle_ns, round(100.0 * idle_ns / all_ns, 2) AS idle_percent
FROM causes
WHERE idle_ns > 0
ORDER BY schedule, idle_ns DESC;
