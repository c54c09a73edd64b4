-- The schema as this version of the program makes it. A new database is made from this file; an older one is brought to
-- it by migrations/, and a test holds both ways against each other. Comments inside a definition stay in the database,
-- and docs/schema.md is made from them: the first lines say what a table or view is, those behind a column what it holds.
--
-- Rows are written once and never edited; how a run ended and whether it can be trusted are rows of their own. Units are in
-- the column names: _ns, _bytes, _flops, _samples, _unix_s; _share and _ratio have none; _count and _number count.
-- Stages count from 0, epochs and mini-batches from 1, micro-batches from 0. -1 stands for "all of it": stage -1 is the
-- process, micro_batch -1 the whole mini-batch. Times of one run share its clock; 0 is the start of the run.
--
-- Tables with a row for each operation, message or kernel have as few constraints as keep them honest: with the rest,
-- writing them would take twice as long. Checks that hold a column to a list are written with OR for the same reason.

CREATE TABLE schema_meta (
	-- One row for each version of the schema that this file has had.
	schema_version INTEGER PRIMARY KEY,
	applied_unix_s INTEGER NOT NULL,
	tpbench_version TEXT NOT NULL
) STRICT;

CREATE TABLE run (
	-- One row per run: what was asked for, and which process writes it.
	run_id INTEGER PRIMARY KEY,
	name TEXT NOT NULL, -- --name, may be empty
	note TEXT NOT NULL, -- --note, may be empty
	comparison TEXT NOT NULL, -- the same text for all runs of one comparison, empty for none
	repeat_number INTEGER NOT NULL CHECK (repeat_number >= 1),
	schedule TEXT NOT NULL,
	model TEXT NOT NULL,
	dataset TEXT NOT NULL,
	device TEXT NOT NULL,
	operation_order TEXT NOT NULL, -- static or dynamic
	clock TEXT NOT NULL, -- real or virtual
	stage_count INTEGER NOT NULL CHECK (stage_count >= 1),
	micro_batch_count INTEGER NOT NULL CHECK (micro_batch_count >= 1),
	batch_samples INTEGER NOT NULL CHECK (batch_samples >= 1),
	mini_batches_per_epoch_count INTEGER NOT NULL,
	dropped_per_epoch_samples INTEGER NOT NULL, -- of the incomplete last mini-batch, or beyond --mini-batches
	rss_before_bytes INTEGER NOT NULL, -- resident memory of the process before the plan
	config_hash TEXT NOT NULL, -- of config_text: equal configurations are equal experiments
	config_text TEXT NOT NULL,
	started_unix_s INTEGER NOT NULL,
	writer_pid INTEGER NOT NULL, -- who writes this run, so that one without an end can be told from one that goes on
	writer_start_ticks INTEGER NOT NULL,
	writer_boot_hash TEXT NOT NULL,
	writer_pid_namespace INTEGER NOT NULL
) STRICT;

CREATE TABLE run_end (
	-- How a run ended. A run without such a row whose process is gone is given `interrupted` by the next writer that
	-- opens the file.
	run_id INTEGER PRIMARY KEY REFERENCES run,
	ending TEXT NOT NULL CHECK (ending IN ('done', 'failed', 'interrupted')),
	reason TEXT NOT NULL, -- empty when done
	ended_unix_s INTEGER NOT NULL
) STRICT;

CREATE TABLE run_check (
	-- What was verified of a run's records when it ended; one that failed makes the run invalid. `idle_closes`: computing
	-- and idle causes fill the window to the nanosecond; `records_complete`: no record was lost; `no_allocation`: nothing
	-- was allocated inside a window; `memory_closes`: the parts of every memory peak add up to it.
	run_id INTEGER NOT NULL REFERENCES run,
	check_name TEXT NOT NULL,
	passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
	detail TEXT NOT NULL, -- what was expected and found, empty when it passed
	PRIMARY KEY (run_id, check_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_parameter (
	-- Every option of the run, by name, as a user would write it.
	run_id INTEGER NOT NULL REFERENCES run,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE environment (
	-- What the run ran on: system, processor, compiler, flags, commit, libraries.
	run_id INTEGER NOT NULL REFERENCES run,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE stage (
	-- The stages as planned, with the convolution algorithms chosen.
	run_id INTEGER NOT NULL REFERENCES run,
	stage INTEGER NOT NULL CHECK (stage >= 0),
	first_block INTEGER NOT NULL,
	block_count INTEGER NOT NULL,
	layers TEXT NOT NULL,
	parameter_count INTEGER NOT NULL,
	forward_per_sample_flops INTEGER NOT NULL,
	in_flight_mini_batch_count INTEGER NOT NULL, -- at most
	algorithms TEXT NOT NULL,
	PRIMARY KEY (run_id, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_link (
	-- Emulated links, one row for each direction. None: messages change hands in memory.
	run_id INTEGER NOT NULL REFERENCES run,
	from_stage INTEGER NOT NULL,
	to_stage INTEGER NOT NULL CHECK (abs(from_stage - to_stage) = 1),
	bandwidth_bytes_per_s REAL NOT NULL CHECK (bandwidth_bytes_per_s >= 0), -- 0: no limit
	latency_ns INTEGER NOT NULL CHECK (latency_ns >= 0),
	PRIMARY KEY (run_id, from_stage, to_stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_worker (
	-- Workers of an emulated cluster.
	run_id INTEGER NOT NULL REFERENCES run,
	stage INTEGER NOT NULL CHECK (stage >= 0),
	worker TEXT NOT NULL,
	speed_ratio REAL NOT NULL CHECK (speed_ratio > 0),
	memory_limit_bytes INTEGER NOT NULL CHECK (memory_limit_bytes >= 0), -- 0: none
	PRIMARY KEY (run_id, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE operation_cost (
	-- What the virtual clock went by: the cost of each operation on this machine, before any worker's speed.
	run_id INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	kind TEXT NOT NULL CHECK (kind IN ('F', 'B', 'U', 'BX', 'BW')),
	micro_batch INTEGER NOT NULL CHECK (micro_batch >= -1),
	cost_ns INTEGER NOT NULL CHECK (cost_ns >= 0),
	PRIMARY KEY (run_id, stage, kind, micro_batch),
	FOREIGN KEY (run_id, stage) REFERENCES stage
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch (
	-- One row per epoch, written when it ended: window, training loss, evaluation. Losses and shares are NULL where they
	-- are not numbers, as after a divergence; all of the test columns are NULL in an epoch that was not evaluated. Records
	-- of an epoch without a row are those of one that was cut off.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL CHECK (epoch >= 1),
	profile_level TEXT NOT NULL CHECK (profile_level IN ('off', 'ops', 'kernels')),
	mini_batch_count INTEGER NOT NULL,
	trained_samples INTEGER NOT NULL,
	window_start_ns INTEGER NOT NULL, -- the first operation's start
	window_end_ns INTEGER NOT NULL CHECK (window_end_ns >= window_start_ns), -- the last one's end
	train_loss REAL, -- mean over the epoch's samples, of the forwards as they ran
	train_top1_share REAL,
	test_samples INTEGER,
	test_loss REAL,
	test_top1_share REAL,
	test_top5_share REAL,
	evaluation_ns INTEGER,
	dropped_record_count INTEGER NOT NULL, -- records lost to a full ring; figures that need them are not there
	rss_bytes INTEGER NOT NULL, -- resident memory of the process when the epoch ended
	window_allocation_count INTEGER NOT NULL, -- by the engine, inside the window
	PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE prediction (
	-- What the virtual clock makes of the costs that an epoch itself had, under the real clock.
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	predicted_ns INTEGER NOT NULL CHECK (predicted_ns > 0),
	version_difference_max_count INTEGER, -- v as the same simulation has it; NULL: written before it was kept
	version_difference_mean_count REAL,
	version_difference_estimate_count REAL, -- (W b + (W-1) c) / P, see docs/metrics.md
	PRIMARY KEY (run_id, epoch),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

CREATE TABLE operation (
	-- Every operation of a stage: F forward, B backward, U update; a split backward is BX, for the gradient of its
	-- input, and BW, for that of the weights. Operations of one stage never overlap.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL, -- in the order of time, from 0 in each epoch and stage
	kind TEXT NOT NULL CHECK (kind = 'F' OR kind = 'B' OR kind = 'U' OR kind = 'BX' OR kind = 'BW'),
	mini_batch INTEGER NOT NULL,
	micro_batch INTEGER NOT NULL,
	operation_samples INTEGER NOT NULL,
	start_ns INTEGER NOT NULL,
	end_ns INTEGER NOT NULL CHECK (end_ns >= start_ns),
	version_read INTEGER NOT NULL, -- weights read; of U: the version the update was applied to
	version_live INTEGER NOT NULL, -- the stage's live version when it started
	version_committed INTEGER NOT NULL, -- newest version applied at all stages, as the stage knew it when it started
	version_forward INTEGER NOT NULL, -- of a backward: the oldest version that its forwards read here; else version_read
	alive_version_count INTEGER NOT NULL, -- versions that the stage held when it ended
	in_place INTEGER NOT NULL CHECK (in_place BETWEEN 0 AND 1), -- of U: whether the live buffer was overwritten
	held_until_ns INTEGER NOT NULL, -- until when the staleness bound held it back; 0: it did not
	PRIMARY KEY (run_id, epoch, stage, record_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE backward_read (
	-- What each micro-batch of a backward read, where they may read different versions: version_forward with weight
	-- lambda, version_newest with the rest. lambda falls exponentially with the distance and may be too small for a number:
	-- 0.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL, -- in the order of time, from 0 in each epoch and stage
	mini_batch INTEGER NOT NULL,
	micro_batch INTEGER NOT NULL,
	version_forward INTEGER NOT NULL,
	version_newest INTEGER NOT NULL,
	lambda_ratio REAL NOT NULL CHECK (lambda_ratio BETWEEN 0 AND 1),
	PRIMARY KEY (run_id, epoch, stage, record_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
	-- Every message between neighbouring stages, as its receiver took it.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL,
	to_stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL, -- in the order taken, from 0 in each epoch and stage
	from_stage INTEGER NOT NULL,
	kind TEXT NOT NULL CHECK (kind = 'activation' OR kind = 'gradient'),
	mini_batch INTEGER NOT NULL,
	micro_batch INTEGER NOT NULL,
	message_bytes INTEGER NOT NULL,
	ready_ns INTEGER NOT NULL, -- the sender had it
	sent_ns INTEGER NOT NULL, -- it left
	arrived_ns INTEGER NOT NULL, -- the receiver could use it
	wanted_ns INTEGER NOT NULL, -- the receiver had nothing else to do and waited for it, or, when it was there first, took it
	handed_over INTEGER NOT NULL CHECK (handed_over BETWEEN 0 AND 1), -- 1: a pointer changed hands and nothing was copied
	PRIMARY KEY (run_id, epoch, to_stage, record_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE idle (
	-- Every idle nanosecond of every stage has one cause: `fill` before the first operation (of a mini-batch, under a
	-- flush), `drain` after the last, `sender` until the sender of the input was ready, `message` until it had arrived,
	-- `staleness` while the bound held a backward back, `host` the rest. With the operations they fill the window exactly.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL, -- in the order of time, from 0 in each epoch and stage
	cause TEXT NOT NULL,
	start_ns INTEGER NOT NULL,
	end_ns INTEGER NOT NULL CHECK (end_ns > start_ns),
	operation_number INTEGER NOT NULL, -- record_number of the operation that followed, which it is charged to; -1: none did
	PRIMARY KEY (run_id, epoch, stage, record_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE weight_version (
	-- Every version of a stage's weights that was alive in an epoch: who made it from which, how long it was kept, and who
	-- read it.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	version INTEGER NOT NULL,
	mini_batch INTEGER, -- whose update made it; NULL: the epoch began with it
	base_version INTEGER, -- the version that the update was applied to
	in_place INTEGER NOT NULL, -- 1: its buffer is that of base_version
	made_ns INTEGER, -- end of the update; NULL: the epoch began with it
	freed_ns INTEGER, -- when its last reader was done; NULL: alive when the epoch ended
	forward_read_count INTEGER NOT NULL,
	backward_read_count INTEGER NOT NULL,
	PRIMARY KEY (run_id, epoch, stage, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE mini_batch (
	-- A mini-batch across all stages: its version difference, and the chain of updates it belongs to.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL,
	mini_batch INTEGER NOT NULL,
	start_ns INTEGER NOT NULL, -- its first operation at any stage
	end_ns INTEGER NOT NULL, -- its last
	version_committed INTEGER NOT NULL, -- mini-batches applied at all stages when its first backward at the last stage began
	version_read INTEGER NOT NULL, -- what that backward read
	version_difference_count INTEGER NOT NULL, -- v: mini_batch - version_committed
	chain_mini_batch INTEGER NOT NULL, -- the first mini-batch of the chain of those that build on each other's updates
	PRIMARY KEY (run_id, epoch, mini_batch)
) STRICT, WITHOUT ROWID;

CREATE TABLE memory (
	-- Bytes in use by kind over an epoch. Of the process (stage -1): `data`, `profiler`, `library`, `program` (resident
	-- before the run was planned), and `unaccounted`, what is left of the resident memory, so that now_bytes of all rows of an
	-- epoch add up to its rss_bytes.
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL CHECK (stage >= -1),
	kind TEXT NOT NULL,
	now_bytes INTEGER NOT NULL, -- when the epoch ended
	peak_bytes INTEGER NOT NULL, -- of this kind alone
	at_peak_bytes INTEGER NOT NULL, -- at the moment of the stage's highest sum
	reserved_bytes INTEGER NOT NULL, -- allocated, in use or pooled
	PRIMARY KEY (run_id, epoch, stage, kind),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

CREATE TABLE memory_change (
	-- Every change of what a stage has in use.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL, -- in the order of time, from 0 in each epoch and stage
	time_ns INTEGER NOT NULL,
	kind TEXT NOT NULL,
	kind_bytes INTEGER NOT NULL, -- of this kind in use from now on
	stage_bytes INTEGER NOT NULL, -- of all kinds
	operation_number INTEGER NOT NULL, -- record_number of the operation under way; -1: what was held when the epoch began
	PRIMARY KEY (run_id, epoch, stage, record_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE kernel_name (
	-- The kernels of a run: what a row of `kernel` ran, on which shape, and what that takes.
	kernel_name_id INTEGER PRIMARY KEY,
	run_id INTEGER NOT NULL REFERENCES run,
	name TEXT NOT NULL, -- of the library's primitive, of a GPU's kernel, or of a loop of the engine
	implementation TEXT NOT NULL, -- as the library names it, empty where it does not
	pass TEXT NOT NULL, -- F, BD (gradient of the input), BW (of the weights), B (both), U, or empty
	layer TEXT NOT NULL, -- as in weight files, empty where it is no layer's
	shape TEXT NOT NULL,
	moved_bytes INTEGER NOT NULL, -- sizes of its arguments; 0: not known
	kernel_flops INTEGER NOT NULL, -- counted from the shape, 2 for a multiplication with addition; 0: not counted
	UNIQUE (run_id, name, implementation, pass, layer, shape)
) STRICT;

CREATE TABLE kernel (
	-- Every kernel that ran, with --profile kernels: primitives of a library, own loops, kernels of a GPU.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL, -- in the order of time, from 0 in each epoch and stage
	operation_number INTEGER NOT NULL, -- record_number of the operation it ran for; -1: none
	kernel_name_id INTEGER NOT NULL,
	start_ns INTEGER NOT NULL,
	end_ns INTEGER NOT NULL CHECK (end_ns >= start_ns),
	PRIMARY KEY (run_id, epoch, stage, record_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE kernel_launch (
	-- How a GPU ran a kernel; a row beside that of `kernel`.
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL,
	gpu_number INTEGER NOT NULL,
	context_number INTEGER NOT NULL,
	stream_number INTEGER NOT NULL,
	correlation_number INTEGER NOT NULL,
	grid_x_count INTEGER NOT NULL,
	grid_y_count INTEGER NOT NULL,
	grid_z_count INTEGER NOT NULL,
	block_x_count INTEGER NOT NULL,
	block_y_count INTEGER NOT NULL,
	block_z_count INTEGER NOT NULL,
	registers_per_thread_count INTEGER NOT NULL,
	static_shared_bytes INTEGER NOT NULL,
	dynamic_shared_bytes INTEGER NOT NULL,
	PRIMARY KEY (run_id, epoch, stage, record_number),
	FOREIGN KEY (run_id, epoch, stage, record_number) REFERENCES kernel
) STRICT, WITHOUT ROWID;

CREATE TABLE device_copy (
	-- Copies that a GPU made.
	run_id INTEGER NOT NULL REFERENCES run,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	record_number INTEGER NOT NULL, -- in the order of time, from 0 in each epoch and stage
	operation_number INTEGER NOT NULL, -- record_number of the operation it was made for; -1: none
	start_ns INTEGER NOT NULL,
	end_ns INTEGER NOT NULL CHECK (end_ns >= start_ns),
	copy_bytes INTEGER NOT NULL,
	copy_kind INTEGER NOT NULL, -- as CUPTI numbers them: 1 host to device, 2 device to host, 8 within one, 10 between two
	gpu_number INTEGER NOT NULL,
	context_number INTEGER NOT NULL,
	stream_number INTEGER NOT NULL,
	correlation_number INTEGER NOT NULL,
	PRIMARY KEY (run_id, epoch, stage, record_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE gpu (
	-- GPUs that a run used.
	run_id INTEGER NOT NULL REFERENCES run,
	gpu_number INTEGER NOT NULL,
	name TEXT NOT NULL,
	bus_location TEXT NOT NULL,
	uuid TEXT NOT NULL,
	total_memory_bytes INTEGER NOT NULL,
	l2_cache_bytes INTEGER NOT NULL,
	memory_bandwidth_bytes_per_s INTEGER NOT NULL,
	clock_rate_hz INTEGER NOT NULL,
	multiprocessor_count INTEGER NOT NULL,
	compute_major_number INTEGER NOT NULL,
	compute_minor_number INTEGER NOT NULL,
	PRIMARY KEY (run_id, gpu_number)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE counter (
	-- Counters of the processor over the window, of the thread that ran the stage, with --profile kernels.
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	counter TEXT NOT NULL, -- cycles, instructions, cache_misses
	event_count INTEGER, -- NULL: the machine does not tell, and absent_reason says why
	absent_reason TEXT NOT NULL, -- empty where event_count is there
	PRIMARY KEY (run_id, epoch, stage, counter),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

CREATE TABLE stage_figures (
	-- What the records of an epoch come to, per stage. Computed once, when the epoch ended; there are none for an epoch
	-- without operations or that lost records.
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	stage INTEGER NOT NULL,
	window_ns INTEGER NOT NULL, -- of the epoch
	compute_ns INTEGER NOT NULL, -- window_ns is compute_ns and the six idle causes, exactly
	fill_ns INTEGER NOT NULL,
	drain_ns INTEGER NOT NULL,
	sender_ns INTEGER NOT NULL,
	message_ns INTEGER NOT NULL,
	staleness_ns INTEGER NOT NULL,
	host_ns INTEGER NOT NULL,
	forward_ns INTEGER NOT NULL,
	backward_ns INTEGER NOT NULL, -- both parts of a split one
	update_ns INTEGER NOT NULL,
	forward_count INTEGER NOT NULL,
	backward_count INTEGER NOT NULL, -- a split one counts once
	update_count INTEGER NOT NULL,
	transfer_ns INTEGER NOT NULL, -- a message to or from the stage was under way; 0 where all change hands in memory
	overlap_ns INTEGER NOT NULL, -- and the stage computed
	exposed_ns INTEGER NOT NULL, -- and it did not
	received_message_count INTEGER NOT NULL,
	received_bytes INTEGER NOT NULL,
	alive_version_max_count INTEGER NOT NULL,
	staleness_mean_count REAL NOT NULL, -- live version - version read, of forwards and backwards
	staleness_max_count INTEGER NOT NULL,
	update_staleness_max_count INTEGER NOT NULL, -- live version at U - version that its B read
	mismatch_max_count INTEGER NOT NULL, -- |version B reads - version that its F read|
	steady_window_ns INTEGER NOT NULL, -- without the first and last W mini-batches; 0: the epoch is too short for one
	steady_compute_ns INTEGER NOT NULL,
	peak_bytes INTEGER NOT NULL, -- highest sum of what the stage had in use
	peak_ns INTEGER NOT NULL, -- when
	peak_operation_number INTEGER NOT NULL, -- record_number of the operation under way; -1: it began the epoch so
	PRIMARY KEY (run_id, epoch, stage),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

CREATE TABLE boundary_figures (
	-- What went over the boundary between the stages `boundary` and `boundary` + 1 in an epoch.
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	boundary INTEGER NOT NULL,
	down_message_count INTEGER NOT NULL, -- activations
	down_bytes INTEGER NOT NULL,
	up_message_count INTEGER NOT NULL, -- gradients
	up_bytes INTEGER NOT NULL,
	PRIMARY KEY (run_id, epoch, boundary),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch_figures (
	-- The same over all stages.
	run_id INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	operation_count INTEGER NOT NULL,
	message_count INTEGER NOT NULL,
	idle_total_ratio REAL NOT NULL, -- idle/total: sum of bubbles / (stages * window)
	idle_ideal_ratio REAL NOT NULL, -- idle/ideal: sum of bubbles / sum of compute
	staleness_idle_ratio REAL NOT NULL, -- the part of idle/total that the staleness bound caused
	alpha_ratio REAL, -- sum of overlap / sum of transfer, the paper's Eq. 21; NULL: messages change hands in memory
	version_difference_max_count INTEGER NOT NULL, -- v
	version_difference_mean_count REAL NOT NULL,
	version_chain_count INTEGER NOT NULL,
	steady_window_ns INTEGER NOT NULL, -- without the first and last W mini-batches; 0: the epoch is too short for one
	steady_mini_batch_count INTEGER NOT NULL,
	steady_idle_total_ratio REAL NOT NULL,
	PRIMARY KEY (run_id, epoch),
	FOREIGN KEY (run_id, epoch) REFERENCES epoch
) STRICT, WITHOUT ROWID;

CREATE TABLE profile_cost (
	-- What recording cost a run of --profile-cost, whose epochs were profiled and not in turn: the ratio of their times.
	run_id INTEGER PRIMARY KEY REFERENCES run,
	profile_level TEXT NOT NULL,
	pair_count INTEGER NOT NULL CHECK (pair_count >= 1), -- of a profiled epoch and the one beside it that was not
	profiled_median_ns INTEGER NOT NULL,
	unprofiled_median_ns INTEGER NOT NULL,
	cost_ratio REAL NOT NULL, -- median over pairs of profiled / unprofiled
	cost_min_ratio REAL NOT NULL,
	cost_max_ratio REAL NOT NULL
) STRICT;

CREATE VIEW run_state AS
	-- How a run stands. done, failed and interrupted are what its end says; without one it is 'running': SQL cannot see
	-- processes, but whoever opens the file to write gives an end to the runs whose process is gone. valid is 0 when a
	-- check failed, NULL when none was made.
SELECT run_id, coalesce(ending, 'running') AS state, coalesce(reason, '') AS reason, started_unix_s, ended_unix_s, valid
FROM run LEFT JOIN run_end USING (run_id)
LEFT JOIN (SELECT run_id, min(passed) AS valid FROM run_check GROUP BY run_id) USING (run_id);

CREATE VIEW timed_run AS
	-- The runs whose times say something: all but those on a stand-in for a device, whose name ends in "(no GPU)". Of
	-- the others the views have no times and no rates.
SELECT run_id FROM run WHERE substr(device, -8) <> '(no GPU)';

CREATE VIEW stage_time AS
	-- How each stage spent an epoch: compute_ns and the idle causes add up to window_ns.
SELECT run_id, epoch, stage, window_ns, compute_ns, forward_ns, backward_ns, update_ns, fill_ns, drain_ns, sender_ns,
	message_ns, staleness_ns, host_ns, forward_count, backward_count, update_count, alive_version_max_count,
	steady_window_ns, steady_compute_ns
FROM stage_figures JOIN timed_run USING (run_id);

CREATE VIEW bubble AS
	-- Idle time of each stage, by both conventions: idle/total = bubble / window, idle/ideal = bubble / compute.
SELECT run_id, epoch, stage, window_ns, compute_ns, window_ns - compute_ns AS bubble_ns,
	CAST(window_ns - compute_ns AS REAL) / nullif(window_ns, 0) AS idle_total_ratio,
	CAST(window_ns - compute_ns AS REAL) / nullif(compute_ns, 0) AS idle_ideal_ratio
FROM stage_figures JOIN timed_run USING (run_id);

CREATE VIEW overlap AS
	-- How much communication each stage hid behind computing. alpha_ratio is the stage's own; the epoch's (Eq. 21) is in
	-- epoch_summary. NULL where messages change hands in memory.
SELECT run_id, epoch, stage, transfer_ns, overlap_ns, exposed_ns,
	CAST(overlap_ns AS REAL) / nullif(transfer_ns, 0) AS alpha_ratio,
	CAST(exposed_ns AS REAL) / nullif(window_ns, 0) AS exposed_window_ratio
FROM stage_figures JOIN timed_run USING (run_id);

CREATE VIEW communication AS
	-- Bytes over each boundary per mini-batch, beside the paper's volumes (Eq. 17 to 21) with D the bytes of one
	-- micro-batch's activation there: naive 2 N D, TiMePReSt (N + 1) D.
SELECT run_id, epoch, boundary, down_message_count, down_bytes, up_message_count, up_bytes,
	CAST(down_bytes + up_bytes AS REAL) / nullif(mini_batch_count, 0) AS per_mini_batch_bytes,
	2.0 * down_bytes / nullif(mini_batch_count, 0) AS naive_per_mini_batch_bytes,
	(micro_batch_count + 1.0) * down_bytes / nullif(mini_batch_count * micro_batch_count, 0)
		AS timeprest_per_mini_batch_bytes
FROM boundary_figures JOIN epoch USING (run_id, epoch) JOIN run USING (run_id);

CREATE VIEW version_difference AS
	-- v of each mini-batch beside its predictions. The paper's Eq. 3 (stated for N >= 2) and the exact one for ideal slots
	-- hold for schedules with one backward per mini-batch and W - s mini-batches in flight, without a bound on
	-- staleness; timed_ is what the virtual clock has with the epoch's own costs.
SELECT run_id, epoch, mini_batch, version_difference_count, chain_mini_batch,
	CASE WHEN predicted AND micro_batch_count >= 2
		THEN (stage_count + micro_batch_count - 2) / micro_batch_count END AS paper_prediction_count,
	CASE WHEN predicted THEN (stage_count + micro_batch_count) / (micro_batch_count + 1) END AS exact_prediction_count,
	prediction.version_difference_max_count AS timed_prediction_max_count,
	prediction.version_difference_mean_count AS timed_prediction_mean_count,
	prediction.version_difference_estimate_count AS estimate_mean_count
FROM mini_batch JOIN (SELECT run_id, stage_count, micro_batch_count,
		schedule IN ('timeprest', 'timeprest-stash', 'timeprest-1f1b', 'i-timeprest', 'v-timeprest', 'pipedream',
			'pipedream-vsync') AND NOT EXISTS (SELECT 1 FROM run_parameter AS axis
				WHERE axis.run_id = run.run_id AND name IN ('in-flight', 'max-staleness') AND value <> '0')
			AS predicted
	FROM run) USING (run_id)
LEFT JOIN prediction USING (run_id, epoch);

CREATE VIEW memory_peak AS
	-- The highest sum of each stage (-1: the process) in an epoch, its parts at that moment, and when it was.
SELECT run_id, epoch, stage,
	sum(at_peak_bytes) AS peak_bytes,
	max(figures.peak_ns) AS peak_ns,
	max(figures.peak_operation_number) AS peak_operation_number,
	sum(CASE kind WHEN 'weights_live' THEN at_peak_bytes ELSE 0 END) AS weights_live_bytes,
	sum(CASE kind WHEN 'weights_retained' THEN at_peak_bytes ELSE 0 END) AS weights_retained_bytes,
	sum(CASE kind WHEN 'gradients' THEN at_peak_bytes ELSE 0 END) AS gradients_bytes,
	sum(CASE kind WHEN 'optimizer_state' THEN at_peak_bytes ELSE 0 END) AS optimizer_state_bytes,
	sum(CASE kind WHEN 'activations' THEN at_peak_bytes ELSE 0 END) AS activations_bytes,
	sum(CASE kind WHEN 'messages' THEN at_peak_bytes ELSE 0 END) AS messages_bytes,
	sum(CASE kind WHEN 'workspace' THEN at_peak_bytes ELSE 0 END) AS workspace_bytes,
	sum(CASE kind WHEN 'data' THEN at_peak_bytes ELSE 0 END) AS data_bytes,
	sum(CASE kind WHEN 'profiler' THEN at_peak_bytes ELSE 0 END) AS profiler_bytes,
	sum(CASE kind WHEN 'library' THEN at_peak_bytes ELSE 0 END) AS library_bytes,
	sum(reserved_bytes) AS reserved_bytes
FROM memory LEFT JOIN (SELECT run_id, epoch, stage, peak_ns, peak_operation_number FROM stage_figures) AS figures
	USING (run_id, epoch, stage)
WHERE kind NOT IN ('program', 'unaccounted')
GROUP BY run_id, epoch, stage;

CREATE VIEW memory_balance AS
	-- What the ledger counts against what the process really holds when an epoch ended: the rows of `memory` add up to
	-- rss_bytes, and unaccounted_bytes is what no row explains. Where a run is on GPUs stages_bytes is theirs, and the
	-- others add up.
SELECT run_id, epoch, rss_bytes,
	sum(CASE WHEN stage >= 0 THEN now_bytes ELSE 0 END) AS stages_bytes,
	sum(CASE WHEN stage < 0 AND kind NOT IN ('program', 'unaccounted') THEN now_bytes ELSE 0 END) AS process_bytes,
	sum(CASE kind WHEN 'program' THEN now_bytes ELSE 0 END) AS program_bytes,
	sum(CASE kind WHEN 'unaccounted' THEN now_bytes ELSE 0 END) AS unaccounted_bytes
FROM memory JOIN (SELECT run_id, epoch, rss_bytes FROM epoch) USING (run_id, epoch)
GROUP BY run_id, epoch;

CREATE VIEW epoch_summary AS
	-- An epoch in one row. The ratios are over all stages: sum of bubbles / (stages * window), and / sum of compute; steady_
	-- leaves out the first and last W mini-batches. Times, rates and ratios of times are NULL where a run has none, see
	-- timed_run.
SELECT epoch.run_id AS run_id, epoch.epoch AS epoch, schedule, epoch.profile_level AS profile_level,
	epoch.trained_samples AS trained_samples, timed.window_end_ns - timed.window_start_ns AS window_ns,
	epoch.trained_samples * 1e9 / nullif(timed.window_end_ns - timed.window_start_ns, 0) AS samples_per_s,
	3600e9 / nullif(timed.window_end_ns - timed.window_start_ns, 0) AS epochs_per_h,
	idle_total_ratio, idle_ideal_ratio, alpha_ratio,
	CASE WHEN alpha_ratio IS NOT NULL THEN (SELECT sum(exposed_ns) FROM stage_figures AS s
		WHERE s.run_id = epoch.run_id AND s.epoch = epoch.epoch) END AS exposed_ns,
	steady_mini_batch_count * batch_samples * 1e9 / nullif(steady_window_ns, 0) AS steady_samples_per_s,
	CASE WHEN steady_window_ns > 0 THEN steady_idle_total_ratio END AS steady_idle_total_ratio,
	epoch.train_loss AS train_loss, epoch.train_top1_share AS train_top1_share, epoch.test_loss AS test_loss,
	epoch.test_top1_share AS test_top1_share, epoch.test_top5_share AS test_top5_share
FROM epoch JOIN run USING (run_id) LEFT JOIN timed_run USING (run_id)
LEFT JOIN epoch AS timed ON timed.run_id = timed_run.run_id AND timed.epoch = epoch.epoch
LEFT JOIN epoch_figures AS figures ON figures.run_id = timed_run.run_id AND figures.epoch = epoch.epoch;

CREATE VIEW time_to_target AS
	-- The first epoch that reached --target-top1 or --target-loss, and the seconds of training until its end, evaluations
	-- not counted. Both are NULL when none did; reached_s also of a run that is not in timed_run.
SELECT run_id, schedule, target, target_value, min(epoch) AS reached_epoch,
	CASE WHEN run_id IN (SELECT run_id FROM timed_run) THEN min(trained_s) END AS reached_s
FROM (SELECT run_id, schedule, run_parameter.name AS target, CAST(value AS REAL) AS target_value
	FROM run JOIN run_parameter USING (run_id)
	WHERE run_parameter.name IN ('target-top1', 'target-loss') AND CAST(value AS REAL) > 0) AS wanted
LEFT JOIN (SELECT run_id AS trained_run_id, epoch, test_top1_share, test_loss,
		sum(window_end_ns - window_start_ns) OVER (PARTITION BY run_id ORDER BY epoch) * 1e-9 AS trained_s
	FROM epoch)
	ON trained_run_id = run_id AND CASE target WHEN 'target-top1' THEN test_top1_share >= target_value
		ELSE test_loss <= target_value END
GROUP BY run_id, target;

CREATE VIEW compare AS
	-- A run in one row, to be set beside others of the same comparison. Ratios are means over epochs, the accuracy is that
	-- of the latest epoch evaluated, memory is the highest of any epoch: summed over stages, and of the largest stage. Times
	-- and rates as in epoch_summary.
SELECT run_id, comparison, repeat_number, schedule, model, dataset, device, stage_count, micro_batch_count,
	batch_samples, state, valid, epoch_count, mean_epoch_ns, samples_per_s, idle_total_ratio, idle_ideal_ratio, alpha_ratio,
	exposed_ns, version_difference_max_count, stages_peak_bytes, largest_stage_peak_bytes, test_top1_share, test_loss
FROM run JOIN run_state USING (run_id)
LEFT JOIN (SELECT run_id, count(*) AS epoch_count, avg(window_ns) AS mean_epoch_ns,
		sum(trained_samples) * 1e9 / nullif(sum(window_ns), 0) AS samples_per_s,
		avg(idle_total_ratio) AS idle_total_ratio, avg(idle_ideal_ratio) AS idle_ideal_ratio,
		avg(alpha_ratio) AS alpha_ratio, avg(exposed_ns) AS exposed_ns
	FROM epoch_summary GROUP BY run_id) USING (run_id)
LEFT JOIN (SELECT run_id, max(version_difference_max_count) AS version_difference_max_count
	FROM epoch_figures GROUP BY run_id) USING (run_id)
LEFT JOIN (SELECT run_id, max(stages_peak_bytes) AS stages_peak_bytes,
		max(largest_stage_peak_bytes) AS largest_stage_peak_bytes
	FROM (SELECT run_id, epoch, sum(peak_bytes) AS stages_peak_bytes, max(peak_bytes) AS largest_stage_peak_bytes
		FROM (SELECT run_id, epoch, stage, sum(at_peak_bytes) AS peak_bytes FROM memory WHERE stage >= 0
			GROUP BY run_id, epoch, stage)
		GROUP BY run_id, epoch)
	GROUP BY run_id) USING (run_id)
LEFT JOIN (SELECT run_id, max(epoch) AS evaluated_epoch, test_top1_share, test_loss
	FROM epoch WHERE test_samples IS NOT NULL GROUP BY run_id) USING (run_id);
