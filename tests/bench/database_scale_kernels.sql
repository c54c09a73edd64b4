-- Kernels of the benchmark's last run: ?1 its number, ?2 mini-batches of an epoch. Two for each operation; stage
-- 3 is a GPU.
INSERT INTO kernel_name SELECT value + 1, ?1, 'conv' || value % 4, 'jit', 'F', 'features.' || value, '64x3x32x32',
	2000000, 4000000
FROM generate_part WHERE value < 40;
INSERT INTO kernel SELECT ?1, epoch, s.value, n.value, n.value / 2, n.value % 40 + 1, n.value * 500 + 100, n.value *
	500 + 500
FROM epoch CROSS JOIN generate_part AS s CROSS JOIN generate_part AS n WHERE run_id = ?1 AND s.value < 4 AND n.value <
	?2 * 12;
INSERT INTO gpu VALUES (?1, 0, 'a GPU', '0000:01:00.0', 'GPU-1', 80000000000, 50000000, 3000000000000, 1980000000,
	132, 9, 0);
INSERT INTO kernel_launch SELECT run_id, epoch, stage, record_number, 0, 1, 7, record_number, 256, 1, 1, 256, 1, 1,
	32, 0, 1024
FROM kernel WHERE run_id = ?1 AND stage = 3;
INSERT INTO device_copy SELECT run_id, epoch, stage, record_number, operation_number, start_ns, end_ns, 4096, 1 +
	record_number % 2, 0, 1, 7, record_number
FROM kernel WHERE run_id = ?1 AND stage = 3;
INSERT INTO profile_cost VALUES (?1, 'kernels', 5, 102, 100, 1.02, 1.01, 1.05);
