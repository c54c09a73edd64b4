-- Which runs can be trusted?
-- Every run, those that cannot first. run_id; schedule; state: done, failed, interrupted, or running when it has no
-- end; reason; valid: 1 when all checks passed, 0 when one failed, NULL when none was made; failed_checks with what was found.
SELECT run_id, schedule, state, reason, valid,
	coalesce((SELECT group_concat(check_name || ': ' || detail, '; ') FROM run_check
		WHERE run_check.run_id = run.run_id AND NOT passed), '') AS failed_checks
FROM run JOIN run_state USING (run_id)
ORDER BY state = 'done' AND valid IS 1, run_id;
