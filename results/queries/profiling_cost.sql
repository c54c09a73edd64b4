-- What does recording cost?
-- Every run of --profile-cost, latest first. run_id; schedule; model; profile_level; pair_count: of a profiled epoch and one
-- beside it that was not; medians of both; cost_percent: what the profiled ones took longer, median over pairs, with the lowest
-- and the highest.
SELECT run_id, schedule, model, profile_level, pair_count, profiled_median_ns, unprofiled_median_ns,
	round(100 * (cost_ratio - 1), 3) AS cost_percent, round(100 * (cost_min_ratio - 1), 3) AS cost_min_percent,
	round(100 * (cost_max_ratio - 1), 3) AS cost_max_percent
FROM profile_cost JOIN run USING (run_id) JOIN timed_run USING (run_id)
ORDER BY run_id DESC;
