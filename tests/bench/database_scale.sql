-- One run of the benchmark of scale: ?1 its number, ?2 mini-batches of an epoch. Five epochs, four stages, four
-- micro-batches; for each mini-batch and stage four forwards, a backward and an update, of 900 ns with 100 ns
-- before each.
INSERT INTO run VALUES (?1, 'scale', '', 'scale', (?1 + 1) / 2, iif(?1 % 2, 'gpipe', 'timeprest'), 'vgg16',
	'synthetic', 'cpu', 'dynamic', 'real', 4, 4, 64, ?2, 0, 100000000, '0123456789abcdef', '', 1700000000 + ?1,
	4000 + ?1, 1, 'boot', 1);
INSERT INTO run_end VALUES (?1, 'done', '', 1700003600 + ?1);
INSERT INTO run_check SELECT ?1, value, 1, ''
FROM json_each('["idle_closes", "records_complete", "no_allocation"]');
INSERT INTO run_parameter SELECT ?1, 'option-' || value, 'a value'
FROM generate_part WHERE value < 60;
INSERT INTO run_parameter VALUES (?1, 'target-loss', '2');
INSERT INTO environment SELECT ?1, 'fact-' || value, 'a text of some length about the machine'
FROM generate_part WHERE value < 30;
INSERT INTO stage SELECT ?1, value, value * 3, 3, 'features', 1000000, 1000000, 4 - value, ''
FROM generate_part WHERE value < 4;
INSERT INTO epoch SELECT ?1, value + 1, 'ops', ?2, ?2 * 64, 0, ?2 * 6000, 2.5 - value * 0.2, 0.3, 1000, 2.3 - value *
	0.2, 0.3, 0.6, 1000, 0, 900000000, 0
FROM generate_part WHERE value < 5;
INSERT INTO prediction SELECT ?1, value + 1, ?2 * 6000, 3, 1.5, 1.4
FROM generate_part WHERE value < 5;
INSERT INTO epoch_figures SELECT ?1, epoch, ?2 * 24, ?2 * 15, 0.1 + ?1 * 0.001, 0.111, 0, 0.5, 3, 1.5, 1, ?2 * 5000,
	?2 - 8, 0.1
FROM epoch WHERE run_id = ?1;
INSERT INTO stage_figures SELECT ?1, epoch, value, ?2 * 6000, ?2 * 5400, 0, 0, ?2 * 300, ?2 * 200, 0, ?2 * 100, ?2 *
	3600, ?2 * 900, ?2 * 900, ?2 * 4, ?2, ?2, ?2 * 600, ?2 * 300, ?2 * 300, ?2 * 4, ?2 * 4096, 4 - value, 0.5, 2,
	1, 1, ?2 * 5000, ?2 * 4500, 500000000, 1000, 3
FROM epoch, generate_part WHERE run_id = ?1 AND value < 4;
INSERT INTO boundary_figures SELECT ?1, epoch, value, ?2 * 4, ?2 * 4096, ?2, ?2 * 4096
FROM epoch, generate_part WHERE run_id = ?1 AND value < 3;
INSERT INTO memory SELECT ?1, epoch, s.value, k.value, 1000, 2000, 2000, 3000
FROM epoch, generate_part AS s, json_each('["weights_live", "weights_retained", "gradients", "optimizer_state",
	"activations", ' || '"messages", "workspace"]') AS k WHERE run_id = ?1 AND s.value < 4;
INSERT INTO memory SELECT ?1, epoch, -1, value, 1000, 2000, 2000, 3000
FROM epoch, json_each('["data", "profiler", "library", "program", "unaccounted"]') WHERE run_id = ?1;

INSERT INTO operation SELECT ?1, epoch, s.value, n.value, CASE n.value % 6 WHEN 4 THEN 'B' WHEN 5 THEN 'U' ELSE 'F'
	END, epoch * ?2 - ?2 + n.value / 6 + 1, CASE WHEN n.value % 6 < 4 THEN n.value % 6 ELSE -1 END, CASE WHEN
	n.value % 6 < 4 THEN 16 ELSE 64 END, n.value * 1000 + 100, n.value * 1000 + 1000, max(0, n.value / 6 -
	s.value), n.value / 6, max(0, n.value / 6 - 3), max(0, n.value / 6 - s.value), 4 - s.value, 0, 0
FROM epoch CROSS JOIN generate_part AS s CROSS JOIN generate_part AS n WHERE run_id = ?1 AND s.value < 4 AND n.value <
	?2 * 6 ORDER BY epoch, s.value, n.value;
INSERT INTO idle SELECT ?1, epoch, s.value, n.value, CASE n.value % 3 WHEN 0 THEN 'sender' WHEN 1 THEN 'message' ELSE
	'host' END, n.value * 2000, n.value * 2000 + 100, n.value * 2
FROM epoch CROSS JOIN generate_part AS s CROSS JOIN generate_part AS n WHERE run_id = ?1 AND s.value < 4 AND n.value <
	?2 * 3;
INSERT INTO message SELECT ?1, epoch, s.value, n.value, s.value - 1, 'activation', epoch * ?2 - ?2 + n.value / 4 + 1,
	n.value % 4, 65536, n.value * 1500, n.value * 1500 + 10, n.value * 1500 + 60, n.value * 1500 + 50, 0
FROM epoch CROSS JOIN generate_part AS s CROSS JOIN generate_part AS n WHERE run_id = ?1 AND s.value BETWEEN 1 AND 3
	AND n.value < ?2 * 4;
INSERT INTO message SELECT ?1, epoch, s.value, ?2 * 4 + n.value, s.value + 1, 'gradient', epoch * ?2 - ?2 + n.value +
	1, -1, 262144, n.value * 6000, n.value * 6000 + 10, n.value * 6000 + 60, n.value * 6000 + 50, 0
FROM epoch CROSS JOIN generate_part AS s CROSS JOIN generate_part AS n WHERE run_id = ?1 AND s.value < 3 AND n.value <
	?2;
INSERT INTO weight_version SELECT ?1, epoch, s.value, n.value, nullif(n.value, 0), nullif(n.value, 0) - 1, 0, CASE
	WHEN n.value > 0 THEN n.value * 6000 END, n.value * 6000 + 9000, 4, 1
FROM epoch CROSS JOIN generate_part AS s CROSS JOIN generate_part AS n WHERE run_id = ?1 AND s.value < 4 AND n.value
	<= ?2;
INSERT INTO mini_batch SELECT ?1, epoch, epoch * ?2 - ?2 + n.value + 1, n.value * 6000, n.value * 6000 + 12000,
	n.value, n.value, 1 + n.value % 2, 1
FROM epoch CROSS JOIN generate_part AS n WHERE run_id = ?1 AND n.value < ?2;
INSERT INTO memory_change SELECT ?1, epoch, s.value, n.value, n.value * 2000, 'activations', 1000000, 2000000, n.value
	* 2
FROM epoch CROSS JOIN generate_part AS s CROSS JOIN generate_part AS n WHERE run_id = ?1 AND s.value < 4 AND n.value <
	?2 * 3;
