-- Schema version 4: what the tracer of a GPU says of itself, and memory that a GPU set apart from what it copied.
CREATE TABLE gpu_trace (
	-- How the times of a GPU's epoch were obtained, and what the tracer says of itself. Lost records are part of the
	-- epoch's dropped_record_count, too: there are no figures then.
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	trace_mode TEXT NOT NULL CHECK (trace_mode IN ('cupti', 'events', 'host')), -- what is timed: kernels; operations, by events; the same, by the host
	reason TEXT NOT NULL, -- why it is no better than that, empty when it is the best
	lost_record_count INTEGER NOT NULL,
	untimed_kernel_count INTEGER NOT NULL, -- without times, left out
	unmatched_record_count INTEGER NOT NULL, -- kernels and copies whose operation is not known
	overhead_ns INTEGER NOT NULL, -- what the tracer took, as it says itself
	clock_error_ns INTEGER NOT NULL, -- how far times of GPU and host may be apart; 0: one clock
	allocated_peak_bytes INTEGER NOT NULL, -- of all GPUs by this process, as the tracer saw it
	window_allocation_count INTEGER NOT NULL, -- of GPU memory in the epoch
	PRIMARY KEY (run_id, epoch),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

DROP VIEW CUPTI_ACTIVITY_KIND_MEMCPY;

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
