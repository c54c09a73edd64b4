-- A comparison of two schedules with two repeats, its figures worked out by hand. Run 4, the latest, has all records of one
-- epoch (two stages, one mini-batch of two micro-batches); the others have figures alone.
INSERT INTO run SELECT column1, '', '', 'cmp', column2, column3, 'mlp', 'synthetic', 'cpu', 'dynamic', 'real', 2, 2, 8, 1, 0,
	1000, 'hash-' || column3, '', 1700000000 + column1, 1000, 1, 'boot', 1
FROM (VALUES (1, 1, 'gpipe'), (2, 1, 'timeprest'), (3, 2, 'gpipe'), (4, 2, 'timeprest'));
INSERT INTO run_end SELECT run_id, 'done', '', 1700000100 + run_id FROM run;
INSERT INTO run_check SELECT run_id, 'idle_closes', 1, '' FROM run;
INSERT INTO run_check SELECT run_id, 'records_complete', run_id <> 1, CASE run_id WHEN 1 THEN '3 lost' ELSE '' END FROM run;
INSERT INTO run_parameter SELECT run_id, 'target-loss', '2' FROM run;
INSERT INTO environment SELECT run_id, 'os', 'some system' FROM run;
INSERT INTO stage SELECT run_id, column1, column1, 1, 'l' || column1, 10, 100, 2 - column1, ''
FROM run, (VALUES (0), (1));

INSERT INTO epoch SELECT column1, 1, 'kernels', 1, 8, 0, column2, 2.5, 0.25, 16, column3, 0.5, 0.75, 11, 0, 1500, 0
FROM (VALUES (1, 120, 1.5), (2, 90, 2.5), (3, 140, 1.5), (4, 85, 1.75));
INSERT INTO prediction VALUES (4, 1, 80, 2, 1.5, 1.25);
INSERT INTO epoch_figures VALUES
	(1, 1, 8, 3, 140.0 / 240, 1.4, 0, 0.25, 1, 1, 1, 0, 0, 0),
	(2, 1, 8, 3, 0.5, 1, 0, 0.5, 1, 1, 1, 0, 0, 0),
	(3, 1, 8, 3, 0.6, 1.5, 0, 0.5, 1, 1, 1, 0, 0, 0),
	(4, 1, 8, 3, 82.0 / 170, 82.0 / 88, 0, 10.0 / 24, 1, 1, 1, 0, 0, 0);
-- window, compute, six idle causes, F, B, U and how many, transfer, overlap, exposed, messages and bytes received
INSERT INTO stage_figures VALUES
	(1, 1, 0, 120, 60, 0, 0, 50, 10, 0, 0, 20, 35, 5, 2, 1, 1, 12, 3, 9, 1, 100, 1, 0, 0, 0, 0, 0, 0, 160, 20, 1),
	(1, 1, 1, 120, 40, 20, 50, 5, 0, 0, 5, 20, 15, 5, 2, 1, 1, 12, 3, 9, 2, 200, 1, 0, 0, 0, 0, 0, 0, 350, 48, 3),
	(2, 1, 0, 90, 54, 0, 0, 30, 6, 0, 0, 20, 29, 5, 2, 1, 1, 12, 6, 6, 1, 100, 1, 0, 0, 0, 0, 0, 0, 160, 20, 1),
	(2, 1, 1, 90, 36, 20, 34, 0, 0, 0, 0, 20, 13, 3, 2, 1, 1, 12, 6, 6, 2, 200, 2, 0, 0, 0, 0, 0, 0, 350, 48, 3),
	(3, 1, 0, 140, 70, 0, 0, 60, 10, 0, 0, 30, 35, 5, 2, 1, 1, 12, 6, 6, 1, 100, 1, 0, 0, 0, 0, 0, 0, 160, 20, 1),
	(3, 1, 1, 140, 42, 20, 70, 8, 0, 0, 0, 22, 15, 5, 2, 1, 1, 12, 6, 6, 2, 200, 1, 0, 0, 0, 0, 0, 0, 350, 48, 3),
	(4, 1, 0, 85, 55, 0, 0, 25, 5, 0, 0, 20, 30, 5, 2, 1, 1, 12, 4, 8, 1, 100, 1, 0, 0, 0, 0, 0, 0, 160, 10, 1),
	(4, 1, 1, 85, 33, 15, 37, 0, 0, 0, 0, 20, 10, 3, 2, 1, 1, 12, 6, 6, 2, 200, 2, 0, 0, 0, 0, 0, 0, 350, 45, 3);
INSERT INTO boundary_figures SELECT run_id, 1, 0, 2, 200, 1, 100 FROM run;
INSERT INTO memory SELECT run_id, 1, column1, column2, column3, column4, column4, column4
FROM run, (VALUES (0, 'weights_live', 100, 100), (0, 'activations', 0, 60), (1, 'weights_live', 300, 300),
	(1, 'weights_retained', 50, 50), (-1, 'data', 8, 8), (-1, 'program', 1000, 1000), (-1, 'unaccounted', 42, 42));
INSERT INTO profile_cost VALUES (4, 'kernels', 5, 102, 100, 1.02, 1.01, 1.05);

INSERT INTO operation VALUES
	(4, 1, 0, 0, 'F', 1, 0, 4, 0, 10, 0, 0, 0, 0, 1, 0, 0),
	(4, 1, 0, 1, 'F', 1, 1, 4, 10, 20, 0, 0, 0, 0, 1, 0, 0),
	(4, 1, 0, 2, 'B', 1, -1, 8, 50, 80, 0, 0, 0, 0, 1, 0, 0),
	(4, 1, 0, 3, 'U', 1, -1, 8, 80, 85, 0, 0, 0, 0, 1, 1, 0),
	(4, 1, 1, 0, 'F', 1, 0, 4, 15, 25, 0, 0, 0, 0, 1, 0, 0),
	(4, 1, 1, 1, 'F', 1, 1, 4, 25, 35, 0, 0, 0, 0, 1, 0, 0),
	(4, 1, 1, 2, 'B', 1, -1, 8, 35, 45, 0, 0, 0, 0, 1, 0, 0),
	(4, 1, 1, 3, 'U', 1, -1, 8, 45, 48, 0, 0, 0, 0, 2, 0, 0);
INSERT INTO message VALUES
	(4, 1, 0, 0, 1, 'gradient', 1, -1, 100, 45, 46, 50, 20, 0),
	(4, 1, 1, 0, 0, 'activation', 1, 0, 100, 10, 11, 15, 0, 0),
	(4, 1, 1, 1, 0, 'activation', 1, 1, 100, 20, 20, 24, 25, 0);
INSERT INTO idle VALUES
	(4, 1, 0, 0, 'sender', 20, 45, 2),
	(4, 1, 0, 1, 'message', 45, 50, 2),
	(4, 1, 1, 0, 'fill', 0, 15, 0),
	(4, 1, 1, 1, 'drain', 48, 85, -1);
INSERT INTO weight_version VALUES
	(4, 1, 0, 0, NULL, NULL, 0, NULL, 85, 2, 1),
	(4, 1, 0, 1, 1, 0, 1, 85, NULL, 0, 0),
	(4, 1, 1, 0, NULL, NULL, 0, NULL, NULL, 2, 1),
	(4, 1, 1, 1, 1, 0, 0, 48, NULL, 0, 0);
INSERT INTO mini_batch VALUES (4, 1, 1, 0, 85, 0, 0, 1, 1);
INSERT INTO memory_change VALUES
	(4, 1, 0, 0, 0, 'weights_live', 100, 100, -1), (4, 1, 0, 1, 0, 'activations', 30, 130, 0),
	(4, 1, 0, 2, 10, 'activations', 60, 160, 1), (4, 1, 0, 3, 80, 'activations', 0, 100, 2),
	(4, 1, 1, 0, 0, 'weights_live', 300, 300, -1), (4, 1, 1, 1, 45, 'weights_retained', 50, 350, 3);

-- Stage 0 ran on the processor, stage 1 on a GPU.
INSERT INTO kernel_name VALUES (1, 4, 'conv', 'jit', 'F', 'c1', '4x3', 2000, 4000), (2, 4, 'sgd', '', 'U', '', '10', 500, 0);
INSERT INTO kernel VALUES
	(4, 1, 0, 0, 0, 1, 0, 8), (4, 1, 0, 1, 1, 1, 10, 18), (4, 1, 0, 2, 3, 2, 80, 84),
	(4, 1, 1, 0, 0, 1, 15, 24), (4, 1, 1, 1, 1, 1, 25, 32);
INSERT INTO gpu VALUES (4, 0, 'a GPU', '0000:01:00.0', 'GPU-1', 80000, 50, 3000, 1980, 132, 9, 0);
INSERT INTO kernel_launch VALUES
	(4, 1, 1, 0, 0, 1, 7, 11, 2, 1, 1, 256, 1, 1, 32, 0, 1024), (4, 1, 1, 1, 0, 1, 7, 12, 2, 1, 1, 256, 1, 1, 32, 0, 1024);
INSERT INTO device_copy VALUES
	(4, 1, 1, 0, 0, 0, 2, 512, 1, 0, 1, 7, 20), (4, 1, 1, 1, 0, 12, 15, 1024, 1, 0, 1, 7, 21),
	(4, 1, 1, 2, 2, 46, 50, 2048, 2, 0, 1, 7, 22);
INSERT INTO counter VALUES (4, 1, 0, 'cycles', 12345, ''), (4, 1, 1, 'cycles', NULL, 'not permitted');
