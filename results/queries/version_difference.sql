-- How large is the version difference v, beside all its predictions?
-- The latest run of each schedule of the latest comparison, over its epochs. schedule; max and mean v as measured; paper:
-- Eq. 3; exact: on ideal slots; both NULL where they do not hold; timed: what the virtual clock finds with the epoch's own
-- costs, max and mean; estimate: of the mean, (W b + (W-1) c) / P. All are counts of mini-batches.
WITH chosen AS (SELECT max(run_id) AS run_id, schedule
	FROM run
	WHERE comparison = (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1)
		AND run_id IN (SELECT run_id FROM epoch_figures)
	GROUP BY schedule)
SELECT schedule, max(version_difference_count) AS measured_max_count,
	round(avg(version_difference_count), 3) AS measured_mean_count, max(paper_prediction_count) AS paper_count,
	max(exact_prediction_count) AS exact_count, max(timed_prediction_max_count) AS timed_max_count,
	round(avg(timed_prediction_mean_count), 3) AS timed_mean_count, round(avg(estimate_mean_count), 3) AS estimate_mean_count
FROM chosen JOIN version_difference USING (run_id)
GROUP BY schedule
ORDER BY schedule;
