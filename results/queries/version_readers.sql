-- Who read which version of the weights?
-- The latest epoch of the latest run, its first 20 versions. stage; version; made_by_mini_batch: NULL when the epoch began
-- with it; kind of operation; read_count; first and last mini-batch that read it; behind_max_count: how far the version was
-- behind the live one at most when it was read. Where micro-batches of one backward differ, backward_read has each.
WITH chosen AS (SELECT run_id, max(epoch) AS epoch
	FROM epoch JOIN (SELECT max(run_id) AS run_id FROM epoch_figures) USING (run_id)),
versions AS (SELECT run_id, epoch, stage, version, weight_version.mini_batch AS made_by_mini_batch
	FROM chosen JOIN weight_version USING (run_id, epoch)
	WHERE version < 20 + (SELECT min(version) FROM chosen JOIN weight_version USING (run_id, epoch)))
SELECT stage, version, made_by_mini_batch, kind, count(*) AS read_count, min(mini_batch) AS first_mini_batch,
	max(mini_batch) AS last_mini_batch, max(version_live - version) AS behind_max_count
FROM versions CROSS JOIN operation USING (run_id, epoch, stage)
WHERE version_read = version AND kind <> 'U'
GROUP BY stage, version, kind
ORDER BY stage, version, kind;
