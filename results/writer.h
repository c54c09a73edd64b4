/* Which process writes a run, told precisely enough to know later whether it is still there. */
#ifndef TP_RESULTS_WRITER_H
#define TP_RESULTS_WRITER_H

#include <stdbool.h>
#include <stdint.h>

/* A process number alone is given again; with its start time, boot and namespace it names one process. Fields that the
 * system does not tell are 0 or "". */
struct tp_writer {
	int64_t pid;
	int64_t start_ticks;   /* since boot, /proc/PID/stat */
	char boot_hash[17];    /* of the boot's random identifier, hexadecimal */
	int64_t pid_namespace; /* inode; processes of another container have their own numbers */
};

void tp_writer_self(struct tp_writer *writer);

/* True only when that process is certainly over; where that cannot be seen from here it counts as alive. */
bool tp_writer_gone(const struct tp_writer *writer);

#endif
