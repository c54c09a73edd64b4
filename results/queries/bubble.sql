-- How large is the bubble of each schedule, by both conventions?
-- The latest comparison. Medians over repeats of the mean over epochs. schedule; repeat_count; idle_total_ratio: idle time
-- of all stages / (stages * window), with its lowest and highest repeat; idle_ideal_ratio: idle time / time computing.
WITH chosen AS (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1),
repeats AS (SELECT schedule, run_id, avg(idle_total_ratio) AS total, avg(idle_ideal_ratio) AS ideal
	FROM chosen JOIN run USING (comparison) JOIN timed_run USING (run_id) JOIN epoch_figures USING (run_id)
	GROUP BY schedule, run_id),
placed AS (SELECT schedule, total, ideal, count(*) OVER (PARTITION BY schedule) AS many,
		row_number() OVER (PARTITION BY schedule ORDER BY total) AS total_place,
		row_number() OVER (PARTITION BY schedule ORDER BY ideal) AS ideal_place
	FROM repeats)
SELECT schedule, many AS repeat_count,
	round(avg(CASE WHEN total_place IN ((many + 1) / 2, (many + 2) / 2) THEN total END), 4) AS idle_total_ratio,
	round(min(total), 4) AS idle_total_min_ratio, round(max(total), 4) AS idle_total_max_ratio,
	round(avg(CASE WHEN ideal_place IN ((many + 1) / 2, (many + 2) / 2) THEN ideal END), 4) AS idle_ideal_ratio
FROM placed
GROUP BY schedule
ORDER BY idle_total_ratio;
