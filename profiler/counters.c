#include "profiler/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/status.h"

const struct tp_counter_event tp_counter_events[TP_COUNTERS] = {
        {"cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
        {"instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
        {"cache_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
};

/* What the kernel hands out for a group: see PERF_FORMAT_GROUP in perf_event_open(2). */
struct group_values {
	uint64_t count, enabled_ns, running_ns;
	uint64_t values[TP_COUNTERS];
};

/* The setting that most often is the reason for a refusal; false when it cannot be read. Called inside the window,
 * where nothing allocates, so not with a stream. */
static bool read_paranoid(long *paranoid)
{
	char text[16] = "", *end = text;
	int fd = open("/proc/sys/kernel/perf_event_paranoid", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof text - 1) > 0)
		*paranoid = strtol(text, &end, 10);
	(void)close(fd);
	return end != text;
}

/* Why an event cannot be counted. */
static void explain(int error, char *reason, size_t size)
{
	long paranoid = 0;
	if ((error == EACCES || error == EPERM) && read_paranoid(&paranoid))
		(void)snprintf(reason, size, "perf_event_open: %s (perf_event_paranoid is %ld)", strerror(error),
		               paranoid);
	else
		(void)snprintf(reason, size, "perf_event_open: %s", strerror(error));
}

/* The first one that opens leads the group, and is disabled until all are there. */
static int open_event(const struct tp_counter_event *event, int leader)
{
	struct perf_event_attr attr = {
	        .type = event->type,
	        .size = sizeof attr,
	        .config = event->config,
	        .read_format = PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	        .disabled = leader < 0,
	        .exclude_kernel = 1, /* which an unprivileged process may not count by default */
	        .exclude_hv = 1,
	};
	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, leader, PERF_FLAG_FD_CLOEXEC);
}

static int leader_of(const struct tp_counters *counters)
{
	for (int32_t i = 0; i < counters->count; i++)
		if (counters->fd[i] >= 0)
			return counters->fd[i];
	return -1;
}

void tp_counters_start(struct tp_counters *counters, const struct tp_counter_event *events, int32_t count)
{
	TP_CHECK(count <= TP_COUNTERS);
	*counters = (struct tp_counters){.events = events};
	for (int32_t i = 0; i < count; i++) {
		int fd = open_event(&events[i], leader_of(counters));
		if (fd < 0)
			explain(errno, counters->reason[i], sizeof counters->reason[i]);
		counters->fd[counters->count++] = fd;
	}
	int leader = leader_of(counters);
	if (leader >= 0)
		(void)ioctl(leader, PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP);
}

int64_t tp_counter_scale(uint64_t value, uint64_t enabled_ns, uint64_t running_ns)
{
	if (running_ns == 0)
		return -1;
	if (running_ns >= enabled_ns)
		return (int64_t)value;
	return (int64_t)((double)value * ((double)enabled_ns / (double)running_ns));
}

static void take_value(struct tp_counter_record *record, const struct group_values *group, uint64_t value)
{
	record->value = tp_counter_scale(value, group->enabled_ns, group->running_ns);
	record->present = record->value >= 0;
	if (!record->present)
		(void)snprintf(record->reason, sizeof record->reason,
		               "perf_event: never had a counter of the processor");
}

void tp_counters_stop(struct tp_counters *counters, int16_t stage, struct tp_counter_record *records)
{
	struct group_values group = {0};
	int leader = leader_of(counters);
	bool got = false;
	if (leader >= 0) {
		(void)ioctl(leader, PERF_EVENT_IOC_DISABLE, PERF_IOC_FLAG_GROUP);
		got = read(leader, &group, sizeof group) > 0;
	}
	uint64_t next = 0; /* values come in the order of opening */
	for (int32_t i = 0; i < counters->count; i++) {
		records[i] = (struct tp_counter_record){.counter = counters->events[i].name, .stage = stage};
		if (counters->fd[i] < 0)
			memcpy(records[i].reason, counters->reason[i], sizeof records[i].reason);
		else if (got && next < group.count)
			take_value(&records[i], &group, group.values[next++]);
		else
			(void)snprintf(records[i].reason, sizeof records[i].reason, "perf_event: cannot be read");
	}
	for (int32_t i = counters->count - 1; i >= 0; i--)
		if (counters->fd[i] >= 0)
			(void)close(counters->fd[i]);
	counters->count = 0;
}
