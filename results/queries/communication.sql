-- How many bytes go over each boundary, and do the paper's volumes hold?
-- The latest run of each schedule of the latest comparison, mean over its epochs. schedule; boundary b: between the stages
-- b and b + 1; measured_bytes of a mini-batch, beside the naive volume 2 N D and TiMePReSt's (N + 1) D, D being the bytes of
-- one micro-batch's activation there.
WITH chosen AS (SELECT max(run_id) AS run_id, schedule
	FROM run
	WHERE comparison = (SELECT comparison FROM run WHERE comparison <> '' ORDER BY run_id DESC LIMIT 1)
		AND run_id IN (SELECT run_id FROM boundary_figures)
	GROUP BY schedule)
SELECT schedule, boundary, avg(per_mini_batch_bytes) AS measured_bytes, avg(naive_per_mini_batch_bytes) AS naive_bytes,
	avg(timeprest_per_mini_batch_bytes) AS timeprest_bytes
FROM chosen JOIN communication USING (run_id)
GROUP BY schedule, boundary
ORDER BY schedule, boundary;
