-- The records under the tables and columns that Nsight Systems has in its SQLite export (schema 3.16), so that queries
-- written for it run on our files. Made right after schema.sql. Columns beyond Nsight's: run_id, to choose a run by, and in
-- NVTX_EVENTS rowid, which a table has by itself and a view has not.
--
-- globalTid is hw(8) vm(8) pid(24) tid(24): the process that wrote the run, and as thread the run and its stage, since
-- stages of runs of one process are not the same threads: run (13 bits), stage + 1 (11 bits); stage -1 is the whole run.
-- Times are those of the run's own clock, so runs lie over each other: choose one by its globalTid or run_id.
-- rowid is run (14 bits), epoch (14), stage (10), record_number (22), kind of range (3).
-- The terms of NVTX_EVENTS have the same types (hence its CASTs) and none groups: so SQLite takes them apart and reads one run
-- by its key.
-- StringIds: below 100 the ranges, from 100 on the threads (100 + stage + 1), from 2048 on the kernels.

CREATE VIEW NVTX_EVENTS AS
	-- The ranges that a tool sees in the NVTX domain `tpbench`. Push/pop (59): each operation. Start/end (60): SEND on
	-- the sender's thread from when a message was there until it left, RECV on the receiver's while it was on its way, WAIT
	-- each piece of idle time, and each epoch's window. uint64Value is the mini-batch, of an epoch its number. Domain create
	-- (75) once for each process.
SELECT start, "end", eventType, CASE eventType WHEN 60 THEN rowid END AS rangeId, category,
	CASE category WHEN 1 THEN 0xff4e79a7 WHEN 2 THEN 0xfff28e2b WHEN 3 THEN 0xff59a14f WHEN 4 THEN 0xffb07aa1
		WHEN 5 THEN 0xff76b7b2 WHEN 6 THEN 0xffbab0ac WHEN 7 THEN 0xffedc948 END AS color,
	CASE eventType WHEN 75 THEN 'tpbench' END AS text, globalTid, CASE eventType WHEN 60 THEN globalTid END AS endGlobalTid,
	textId, 1 AS domainId, uint64Value, NULL AS int64Value, NULL AS doubleValue, NULL AS uint32Value, NULL AS int32Value,
	NULL AS floatValue, NULL AS jsonTextId, NULL AS jsonText, NULL AS binaryData, rowid, run_id
FROM (
	SELECT start_ns AS start, end_ns AS "end", 59 AS eventType,
		CASE kind WHEN 'F' THEN 1 WHEN 'U' THEN 3 ELSE 2 END AS category,
		CASE kind WHEN 'F' THEN 1 WHEN 'B' THEN 2 WHEN 'U' THEN 3 WHEN 'BX' THEN 8 ELSE 9 END AS textId,
		mini_batch AS uint64Value, ((writer_pid & 0xffffff) << 24) + ((run_id & 0x1fff) << 11) + stage + 1 AS globalTid,
		(((run_id << 14 | epoch) << 10 | stage) << 22 | record_number) << 3 | 0 AS rowid, run_id
	FROM operation JOIN run USING (run_id)
	UNION ALL
	SELECT ready_ns, sent_ns, 60, 4, 4, mini_batch,
		((writer_pid & 0xffffff) << 24) + ((run_id & 0x1fff) << 11) + from_stage + 1,
		(((run_id << 14 | epoch) << 10 | to_stage) << 22 | record_number) << 3 | 1, run_id
	FROM message JOIN run USING (run_id)
	UNION ALL
	SELECT sent_ns, arrived_ns, 60, 5, 5, mini_batch,
		((writer_pid & 0xffffff) << 24) + ((run_id & 0x1fff) << 11) + to_stage + 1,
		(((run_id << 14 | epoch) << 10 | to_stage) << 22 | record_number) << 3 | 2, run_id
	FROM message JOIN run USING (run_id)
	UNION ALL
	SELECT idle.start_ns, idle.end_ns, 60, 6, 6, mini_batch,
		((writer_pid & 0xffffff) << 24) + ((idle.run_id & 0x1fff) << 11) + idle.stage + 1,
		(((idle.run_id << 14 | idle.epoch) << 10 | idle.stage) << 22 | idle.record_number) << 3 | 3, idle.run_id
	FROM idle JOIN run USING (run_id) LEFT JOIN operation ON operation.run_id = idle.run_id
		AND operation.epoch = idle.epoch AND operation.stage = idle.stage
		AND operation.record_number = operation_number
	UNION ALL
	SELECT window_start_ns, window_end_ns, 60, 7, 7, epoch, ((writer_pid & 0xffffff) << 24) + ((run_id & 0x1fff) << 11),
		(run_id << 14 | epoch) << 35 | 4, run_id
	FROM epoch JOIN run USING (run_id)
	UNION ALL
	SELECT CAST(0 AS INTEGER), CAST(NULL AS INTEGER), 75, NULL, NULL, CAST(NULL AS INTEGER), pid << 24, run_id << 49 | 7, run_id
	FROM run JOIN (SELECT min(run_id) AS run_id, writer_pid & 0xffffff AS pid FROM run GROUP BY 2) USING (run_id));

CREATE VIEW CUPTI_ACTIVITY_KIND_KERNEL AS
	-- Kernels of a GPU; what ran on the processor is not among them. Names are ids of StringIds.
SELECT start_ns AS start, end_ns AS "end", gpu_number AS deviceId, context_number AS contextId, NULL AS greenContextId,
	stream_number AS streamId, correlation_number AS correlationId, (writer_pid & 0xffffff) << 24 AS globalPid,
	2048 + kernel_name_id AS demangledName, 2048 + kernel_name_id AS shortName, NULL AS mangledName, NULL AS launchType,
	NULL AS cacheConfig, registers_per_thread_count AS registersPerThread, grid_x_count AS gridX, grid_y_count AS gridY,
	grid_z_count AS gridZ, block_x_count AS blockX, block_y_count AS blockY, block_z_count AS blockZ,
	static_shared_bytes AS staticSharedMemory, dynamic_shared_bytes AS dynamicSharedMemory, 0 AS localMemoryPerThread,
	0 AS localMemoryTotal, 0 AS gridId, NULL AS sharedMemoryExecuted, NULL AS graphNodeId, NULL AS sharedMemoryLimitConfig,
	run_id
FROM kernel_launch JOIN kernel USING (run_id, epoch, stage, record_number) JOIN run USING (run_id);

CREATE VIEW CUPTI_ACTIVITY_KIND_MEMCPY AS
	-- Copies of a GPU. The kinds of memory at both ends follow from copyKind.
SELECT start_ns AS start, end_ns AS "end", gpu_number AS deviceId, context_number AS contextId, NULL AS greenContextId,
	stream_number AS streamId, correlation_number AS correlationId, (writer_pid & 0xffffff) << 24 AS globalPid,
	copy_bytes AS bytes, copy_kind AS copyKind, NULL AS deprecatedSrcId, CASE copy_kind WHEN 1 THEN 1 ELSE 2 END AS srcKind,
	CASE copy_kind WHEN 2 THEN 1 ELSE 2 END AS dstKind, NULL AS srcDeviceId, NULL AS srcContextId, NULL AS dstDeviceId,
	NULL AS dstContextId, NULL AS migrationCause, NULL AS graphNodeId, NULL AS virtualAddress, run_id
FROM device_copy JOIN run USING (run_id) WHERE copy_kind <> 0;

CREATE VIEW CUPTI_ACTIVITY_KIND_MEMSET AS
	-- Memory that a GPU set, copies of kind 0. To which value is not recorded.
SELECT start_ns AS start, end_ns AS "end", gpu_number AS deviceId, context_number AS contextId, NULL AS greenContextId,
	stream_number AS streamId, correlation_number AS correlationId, (writer_pid & 0xffffff) << 24 AS globalPid,
	NULL AS value, copy_bytes AS bytes, NULL AS graphNodeId, 2 AS memKind, run_id
FROM device_copy JOIN run USING (run_id) WHERE copy_kind = 0;

CREATE VIEW CUPTI_ACTIVITY_KIND_RUNTIME AS
	-- Calls of the CUDA runtime: there are none, they are not recorded.
SELECT 0 AS start, 0 AS "end", 0 AS eventClass, 0 AS globalTid, 0 AS correlationId, 0 AS nameId, 0 AS returnValue,
	NULL AS callchainId, 0 AS run_id
WHERE 0;

CREATE VIEW StringIds AS
	-- Texts that the other views name by number.
SELECT column1 AS id, column2 AS value
FROM (VALUES (1, 'F'), (2, 'B'), (3, 'U'), (4, 'SEND'), (5, 'RECV'), (6, 'WAIT'), (7, 'epoch'), (8, 'BX'), (9, 'BW'),
	(100, 'run'))
UNION ALL
SELECT DISTINCT 100 + stage + 1, 'stage ' || stage FROM stage
UNION ALL
SELECT 2048 + kernel_name_id, name FROM kernel_name;

CREATE VIEW PROCESSES AS
	-- The processes that wrote runs.
SELECT DISTINCT (writer_pid & 0xffffff) << 24 AS globalPid, writer_pid AS pid, 'tpbench' AS name FROM run;

CREATE VIEW ThreadNames AS
	-- The threads: each stage of each run, and the run itself.
SELECT 100 + stage + 1 AS nameId, 0 AS priority,
	((writer_pid & 0xffffff) << 24) + ((run_id & 0x1fff) << 11) + stage + 1 AS globalTid, run_id
FROM stage JOIN run USING (run_id)
UNION ALL
SELECT 100, 0, ((writer_pid & 0xffffff) << 24) + ((run_id & 0x1fff) << 11), run_id FROM run;

CREATE VIEW TARGET_INFO_GPU AS
	-- The GPUs of all runs, each once.
SELECT DISTINCT 0 AS vmId, gpu_number AS id, name, bus_location AS busLocation, 1 AS isDiscrete,
	l2_cache_bytes AS l2CacheSize, total_memory_bytes AS totalMemory, memory_bandwidth_bytes_per_s AS memoryBandwidth,
	clock_rate_hz AS clockRate, multiprocessor_count AS smCount, NULL AS pwGpuId, uuid, NULL AS luid, NULL AS chipName,
	gpu_number AS cuDevice, NULL AS ctxswDevPath, NULL AS ctrlDevPath, NULL AS revision, NULL AS nodeMask,
	NULL AS constantMemory, NULL AS maxIPC, NULL AS maxRegistersPerBlock, NULL AS maxShmemPerBlock,
	NULL AS maxShmemPerBlockOptin, NULL AS maxShmemPerSm, NULL AS maxRegistersPerSm, NULL AS threadsPerWarp,
	NULL AS asyncEngines, NULL AS maxWarpsPerSm, NULL AS maxBlocksPerSm, NULL AS maxThreadsPerBlock, NULL AS maxBlockDimX,
	NULL AS maxBlockDimY, NULL AS maxBlockDimZ, NULL AS maxGridDimX, NULL AS maxGridDimY, NULL AS maxGridDimZ,
	compute_major_number AS computeMajor, compute_minor_number AS computeMinor, compute_major_number AS smMajor,
	compute_minor_number AS smMinor
FROM gpu;

CREATE VIEW TARGET_INFO_SESSION_START_TIME AS
	-- When the first run began; the times of each run count from its own beginning.
SELECT first_s * 1000000000 AS utcEpochNs, strftime('%Y-%m-%dT%H:%M:%S', first_s, 'unixepoch') AS utcTime,
	strftime('%Y-%m-%dT%H:%M:%S', first_s, 'unixepoch', 'localtime') AS localTime
FROM (SELECT min(started_unix_s) AS first_s FROM run) WHERE first_s IS NOT NULL;

CREATE VIEW META_DATA_EXPORT AS
	-- Who wrote the file, and which schema of Nsight's export these views follow.
SELECT 'EXPORT_PRODUCT_NAME' AS name, 'tpbench' AS value
UNION ALL
SELECT 'EXPORT_PRODUCT_VERSION', (SELECT tpbench_version FROM schema_meta ORDER BY schema_version DESC LIMIT 1)
UNION ALL
SELECT 'EXPORT_SCHEMA_VERSION', '3.16.1';

CREATE VIEW ENUM_NSYS_EVENT_TYPE AS
	-- What eventType of NVTX_EVENTS means.
SELECT column1 AS id, column2 AS name, column2 AS label
FROM (VALUES (34, 'NvtxMark'), (59, 'NvtxPushPopRange'), (60, 'NvtxStartEndRange'), (75, 'NvtxDomainCreate'));

CREATE VIEW ENUM_CUDA_MEMCPY_OPER AS
	-- What copyKind means.
SELECT column1 AS id, 'CUDA_MEMCPY_KIND_' || column2 AS name, column3 AS label
FROM (VALUES (0, 'UNKNOWN', 'Unknown'), (1, 'HTOD', 'Host-to-Device'), (2, 'DTOH', 'Device-to-Host'),
	(3, 'HTOA', 'Host-to-Array'), (4, 'ATOH', 'Array-to-Host'), (5, 'ATOA', 'Array-to-Array'),
	(6, 'ATOD', 'Array-to-Device'), (7, 'DTOA', 'Device-to-Array'), (8, 'DTOD', 'Device-to-Device'),
	(9, 'HTOH', 'Host-to-Host'), (10, 'PTOP', 'Peer-to-Peer'), (11, 'UVM_HTOD', 'Unified Host-to-Device'),
	(12, 'UVM_DTOH', 'Unified Device-to-Host'), (13, 'UVM_DTOD', 'Unified Device-to-Device'));

CREATE VIEW ENUM_CUDA_MEM_KIND AS
	-- What srcKind and dstKind mean.
SELECT column1 AS id, 'CUDA_MEMOPR_MEMORY_KIND_' || column2 AS name, column3 AS label
FROM (VALUES (0, 'PAGEABLE', 'Pageable'), (1, 'PINNED', 'Pinned'), (2, 'DEVICE', 'Device'), (3, 'ARRAY', 'Array'),
	(4, 'MANAGED', 'Managed'), (5, 'DEVICE_STATIC', 'Device Static'), (6, 'MANAGED_STATIC', 'Managed Static'),
	(7, 'UNKNOWN', 'Unknown'));
