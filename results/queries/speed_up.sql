-- How much faster is each schedule than the baseline, and how far do repeats differ?
-- The latest comparison; the baseline is gpipe, or without it the schedule that ran first. Repeats are compared pair by
-- pair. schedule; baseline; pair_count; speed_up_ratio: epoch time of the baseline / of the schedule, median over pairs, with
-- the lowest and the highest.
WITH chosen AS (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1),
times AS (SELECT run_id, schedule, repeat_number, avg(window_end_ns - window_start_ns) AS epoch_ns
	FROM chosen JOIN run USING (comparison) JOIN timed_run USING (run_id) JOIN epoch USING (run_id)
	GROUP BY run_id),
base AS (SELECT schedule AS baseline FROM times ORDER BY schedule <> 'gpipe', run_id LIMIT 1),
pairs AS (SELECT times.schedule, baseline, other.epoch_ns / times.epoch_ns AS ratio
	FROM times JOIN base JOIN times AS other
		ON other.schedule = baseline AND other.repeat_number = times.repeat_number),
placed AS (SELECT schedule, baseline, ratio, count(*) OVER (PARTITION BY schedule) AS many,
		row_number() OVER (PARTITION BY schedule ORDER BY ratio) AS place
	FROM pairs)
SELECT schedule, baseline, many AS pair_count,
	round(avg(CASE WHEN place IN ((many + 1) / 2, (many + 2) / 2) THEN ratio END), 4) AS speed_up_ratio,
	round(min(ratio), 4) AS speed_up_min_ratio, round(max(ratio), 4) AS speed_up_max_ratio
FROM placed
GROUP BY schedule
ORDER BY speed_up_ratio DESC;
