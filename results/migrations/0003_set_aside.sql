-- Schema version 3, first part: everything of version 2 steps aside; then results/schema.sql makes the new tables and
-- views, and 0003_take_over.sql fills them.
DROP VIEW compare;
DROP VIEW epoch_summary;
DROP VIEW version_difference;
DROP VIEW bubble;
DROP VIEW stage_time;
DROP VIEW memory_peak;
DROP VIEW run_state;
ALTER TABLE schema_meta RENAME TO old_schema_meta;
ALTER TABLE run RENAME TO old_run;
ALTER TABLE run_end RENAME TO old_run_end;
ALTER TABLE run_parameter RENAME TO old_run_parameter;
ALTER TABLE environment RENAME TO old_environment;
ALTER TABLE stage RENAME TO old_stage;
ALTER TABLE epoch RENAME TO old_epoch;
ALTER TABLE operation RENAME TO old_operation;
ALTER TABLE message RENAME TO old_message;
ALTER TABLE memory RENAME TO old_memory;
ALTER TABLE backward_read RENAME TO old_backward_read;
ALTER TABLE operation_cost RENAME TO old_operation_cost;
ALTER TABLE prediction RENAME TO old_prediction;
ALTER TABLE run_link RENAME TO old_run_link;
ALTER TABLE run_worker RENAME TO old_run_worker;
