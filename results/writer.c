#include "results/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/prng.h"

/* The first line of a small file of the kernel's into `line`, "" when there is none. */
static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	if (!file || !fgets(line, (int)size, file))
		line[0] = '\0';
	if (file)
		(void)fclose(file);
}

/* State and start time of a process; false when they cannot be read. */
static bool read_stat(int64_t pid, char *state, int64_t *start_ticks)
{
	char path[64], line[1024];
	(void)snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
	read_line(path, line, sizeof line);
	/* The second field is the program's name in brackets and may hold anything: count from behind it. */
	char *at = strrchr(line, ')');
	if (!at || at[1] != ' ')
		return false;
	*state = at[2];
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	*start_ticks = strtoll(at + 1, NULL, 10);
	return true;
}

void tp_writer_self(struct tp_writer *writer)
{
	*writer = (struct tp_writer){.pid = getpid()};
	char state, boot[64];
	if (!read_stat(writer->pid, &state, &writer->start_ticks))
		writer->start_ticks = 0;
	read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
	if (boot[0] != '\0')
		(void)snprintf(writer->boot_hash, sizeof writer->boot_hash, "%016" PRIx64, tp_hash_text(boot));
	struct stat namespace;
	if (stat("/proc/self/ns/pid", &namespace) == 0)
		writer->pid_namespace = (int64_t) namespace.st_ino;
}

bool tp_writer_gone(const struct tp_writer *writer)
{
	struct tp_writer self;
	tp_writer_self(&self);
	if (writer->boot_hash[0] == '\0' || self.boot_hash[0] == '\0')
		return false;
	if (strcmp(writer->boot_hash, self.boot_hash) != 0)
		return true;
	if (writer->pid_namespace != self.pid_namespace || writer->pid <= 0)
		return false;
	if (kill((pid_t)writer->pid, 0) != 0 && errno == ESRCH)
		return true;
	char state;
	int64_t start_ticks;
	if (!read_stat(writer->pid, &state, &start_ticks))
		return false;
	return start_ticks != writer->start_ticks || state == 'Z' || state == 'X';
}
