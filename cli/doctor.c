/* tpbench doctor: what this machine offers, and why not. */
#include <glob.h>
#include <inttypes.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "engine/backend/device.h"
#include "engine/base/process.h"
#include "profiler/nvtx.h"

/* The first line of a file of the kernel that begins with `key`, past the key, blanks and a colon; "" when there is
 * none. Without a key: the first line. */
static void read_line(const char *path, const char *key, char *value, size_t size)
{
	char line[512];
	value[0] = '\0';
	FILE *file = fopen(path, "r");
	if (!file)
		return;
	while (value[0] == '\0' && fgets(line, sizeof line, file)) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		const char *start = line + strlen(key);
		start += strspn(start, " \t:");
		(void)snprintf(value, size, "%.*s", (int)strcspn(start, "\n"), start);
	}
	fclose(file);
}

/* A line of /proc/meminfo in bytes; -1 when it is not there. */
static int64_t memory_bytes(const char *key)
{
	char value[64];
	read_line("/proc/meminfo", key, value, sizeof value);
	return value[0] ? strtoll(value, NULL, 10) * 1024 : -1;
}

static void print_bytes(const char *what, int64_t bytes)
{
	char text[32];
	if (bytes >= 0)
		printf("  %-12s %s\n", what, tp_format_bytes(text, sizeof text, bytes));
}

static size_t count_paths(const char *pattern)
{
	glob_t found;
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	size_t count = found.gl_pathc;
	globfree(&found);
	return count;
}

static bool threads_share_cores(void)
{
	char active[16];
	read_line("/sys/devices/system/cpu/smt/active", "", active, sizeof active);
	return strcmp(active, "1") == 0;
}

static void print_processor(void)
{
	char model[256];
	read_line("/proc/cpuinfo", "model name", model, sizeof model);
	printf("Processor\n");
	printf("  %-12s %s\n", "model", model[0] ? model : "unknown");
	printf("  %-12s %" PRId32 " free to this process, %ld online%s\n", "cores", tp_free_cores(),
	       sysconf(_SC_NPROCESSORS_ONLN), threads_share_cores() ? ", two threads share a core" : "");
	size_t nodes = count_paths("/sys/devices/system/node/node[0-9]*");
	if (nodes)
		printf("  %-12s %zu\n", "NUMA nodes", nodes);
}

static void print_memory(void)
{
	char limit[64];
	printf("\nMemory\n");
	print_bytes("total", memory_bytes("MemTotal:"));
	print_bytes("available", memory_bytes("MemAvailable:"));
	read_line("/sys/fs/cgroup/memory.max", "", limit, sizeof limit);
	if (limit[0] && strcmp(limit, "max") != 0)
		print_bytes("cgroup limit", strtoll(limit, NULL, 10));
}

static void print_devices(void)
{
	printf("\nDevices\n");
	for (size_t i = 0; tp_devices[i]; i++) {
		struct tp_text line = {0};
		bool usable = tp_devices[i]->probe(&line);
		printf("  %-12s %s: %s\n", tp_devices[i]->name, usable ? "usable" : "not usable", tp_text_get(&line));
		tp_text_release(&line);
	}
}

static void print_libraries(void)
{
	printf("\nLibraries\n");
	printf("  %-12s %s\n", "SQLite", sqlite3_libversion());
	printf("  %-12s %s\n", "jansson", jansson_version_str());
	printf("  %-12s %s\n", "zlib", zlibVersion());
	printf("  %-12s %s\n", "NVTX", tp_nvtx_build_text());
}

/* What would spoil measurements here. */
static void print_hints(void)
{
	printf("\nHints\n");
	int hints = 0;
	char text[64];
	if (tp_free_cores() < 2)
		hints += printf(
		        "  one core only: stages take turns, times mean little; compare with `tpbench simulate`\n");
	read_line("/sys/fs/cgroup/cpu.max", "", text, sizeof text);
	if (text[0] && strncmp(text, "max", 3) != 0)
		hints += printf(
		        "  processor time is limited by a cgroup (cpu.max %s, in us): stages may be stopped at times\n",
		        text);
	read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", text, sizeof text);
	if (text[0] && strcmp(text, "performance") != 0)
		hints += printf("  frequency governor is '%s': 'performance' measures more steadily\n", text);
	if (threads_share_cores())
		hints += printf(
		        "  two hardware threads share a core: give --stages at most the number of cores, and --pin\n");
	if (hints == 0)
		printf("  none\n");
}

enum tp_status tp_command_doctor(const struct tp_arguments *arguments)
{
	(void)arguments;
	tp_help_version(stdout);
	putchar('\n');
	print_processor();
	print_memory();
	print_devices();
	print_libraries();
	print_hints();
	return TP_OK;
}
