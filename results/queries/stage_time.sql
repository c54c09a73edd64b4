-- Where does the time of each stage go?
-- The latest run, all epochs together. stage; window_ns: of its epochs; then shares of that in percent, which add up to
-- 100: forward, backward, update, and idle by cause (fill, drain, sender, message, staleness, host).
WITH chosen AS (SELECT max(run_id) AS run_id FROM stage_figures JOIN timed_run USING (run_id))
SELECT stage, sum(window_ns) AS window_ns,
	round(100.0 * sum(forward_ns) / sum(window_ns), 2) AS forward_percent,
	round(100.0 * sum(backward_ns) / sum(window_ns), 2) AS backward_percent,
	round(100.0 * sum(update_ns) / sum(window_ns), 2) AS update_percent,
	round(100.0 * sum(fill_ns) / sum(window_ns), 2) AS fill_percent,
	round(100.0 * sum(drain_ns) / sum(window_ns), 2) AS drain_percent,
	round(100.0 * sum(sender_ns) / sum(window_ns), 2) AS sender_percent,
	round(100.0 * sum(message_ns) / sum(window_ns), 2) AS message_percent,
	round(100.0 * sum(staleness_ns) / sum(window_ns), 2) AS staleness_percent,
	round(100.0 * sum(host_ns) / sum(window_ns), 2) AS host_percent
FROM chosen JOIN stage_figures USING (run_id)
GROUP BY stage
ORDER BY stage;
