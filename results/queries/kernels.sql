-- Which kernels take the time, and how much do they achieve?
-- The twenty that took longest in the latest run with kernel records. name; layer; pass; implementation; how
-- often: kernel_count; total_ns; kernels_percent: of the time of all kernels; mean_ns; achieved_gflop_per_s and
-- achieved_gb_per_s (10^9 per second): NULL where operations or bytes are not known.
WITH chosen AS (SELECT max(run_id) AS run_id FROM kernel JOIN timed_run USING (run_id)),
used AS (SELECT kernel_name_id, count(*) AS kernel_count, sum(end_ns - start_ns) AS total_ns
	FROM chosen JOIN kernel USING (run_id)
	GROUP BY kernel_name_id)
SELECT name, layer, pass, implementation, kernel_count, total_ns,
	round(100.0 * total_ns / sum(total_ns) OVER (), 2) AS kernels_percent, total_ns / kernel_count AS mean_ns,
	round(1.0 * nullif(kernel_flops, 0) * kernel_count / nullif(total_ns, 0), 2) AS achieved_gflop_per_s,
	round(1.0 * nullif(moved_bytes, 0) * kernel_count / nullif(total_ns, 0), 2) AS achieved_gb_per_s
FROM used JOIN kernel_name USING (kernel_name_id)
ORDER BY total_ns DESC LIMIT 20;
