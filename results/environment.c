#include "results/environment.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "engine/base/process.h"
#include "engine/base/text.h"
#include "results/build_info.h"

#define VALUE_BYTES 256

/* The rest of the first line of a file that begins with `key`, without blanks, separators and quotes around it. */
static bool find_value(const char *path, const char *key, char value[VALUE_BYTES])
{
	static const char around[] = " \t\n=:\"'";
	char line[1024];
	bool found = false;
	FILE *file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof line, file)) {
		size_t length = strlen(key);
		found = strncmp(line, key, length) == 0 && strchr(around, line[length]);
		if (!found)
			continue;
		char *start = line + length + strspn(line + length, around);
		size_t end = strlen(start);
		while (end > 0 && strchr(around, start[end - 1]))
			end--;
		start[end] = '\0';
		(void)snprintf(value, VALUE_BYTES, "%.*s", VALUE_BYTES - 1, start);
	}
	if (file)
		(void)fclose(file);
	return found;
}

static void describe_os(char value[VALUE_BYTES])
{
	if (!find_value("/etc/os-release", "PRETTY_NAME", value))
		(void)snprintf(value, VALUE_BYTES, "unknown");
}

static void describe_kernel(char value[VALUE_BYTES])
{
	struct utsname names;
	(void)snprintf(value, VALUE_BYTES, "unknown");
	if (uname(&names) == 0)
		(void)snprintf(value, VALUE_BYTES, "%.80s %.80s %.80s", names.sysname, names.release, names.machine);
}

static void describe_cpu(char value[VALUE_BYTES])
{
	if (!find_value("/proc/cpuinfo", "model name", value) && !find_value("/proc/cpuinfo", "Processor", value))
		(void)snprintf(value, VALUE_BYTES, "unknown");
}

static void describe_number(char value[VALUE_BYTES], int64_t number)
{
	(void)snprintf(value, VALUE_BYTES, "%" PRId64, number);
}

/* Names and values one behind the other, each with its NUL; the pairs are laid over them once the text has stopped
 * moving. A text holds no NUL, so the ends are line feeds until then: none is in a name, and in a value it becomes a
 * blank. */
static void add_pair(struct tp_text *texts, const char *name, const char *value)
{
	tp_text_add(texts, "%s\n", name);
	size_t start = texts->length;
	tp_text_add(texts, "%s\n", value);
	for (size_t i = start; !texts->failed && i + 1 < texts->length; i++) {
		if (texts->data[i] == '\n')
			texts->data[i] = ' ';
	}
}

static void add_machine(struct tp_text *texts)
{
	char value[VALUE_BYTES];
	describe_os(value);
	add_pair(texts, "os", value);
	describe_kernel(value);
	add_pair(texts, "kernel", value);
	describe_cpu(value);
	add_pair(texts, "cpu_model", value);
	describe_number(value, sysconf(_SC_NPROCESSORS_ONLN));
	add_pair(texts, "cores_online", value);
	describe_number(value, tp_free_cores());
	add_pair(texts, "cores_free", value);
	describe_number(value, (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
	add_pair(texts, "memory_bytes", value);
}

static void add_build(struct tp_text *texts)
{
	add_pair(texts, "compiler", TPBENCH_COMPILER);
	add_pair(texts, "compiler_flags", TPBENCH_COMPILER_FLAGS);
	add_pair(texts, "build_type", TPBENCH_BUILD_TYPE);
	add_pair(texts, "commit", TPBENCH_COMMIT);
	add_pair(texts, "tpbench_version", TPBENCH_VERSION);
	add_pair(texts, "sqlite_version", sqlite3_libversion());
}

static char *take_line(char **at)
{
	char *line = *at;
	char *end = strchr(line, '\n');
	*end = '\0';
	*at = end + 1;
	return line;
}

enum tp_status tp_environment_collect(struct tp_environment *environment, const struct tp_store_pair *extra,
                                      int32_t extra_count)
{
	*environment = (struct tp_environment){0};
	struct tp_text texts = {0};
	add_machine(&texts);
	add_build(&texts);
	for (int32_t i = 0; i < extra_count; i++)
		add_pair(&texts, extra[i].name, extra[i].value);
	int32_t lines = 0;
	for (size_t i = 0; i < texts.length; i++)
		lines += texts.data[i] == '\n';
	struct tp_store_pair *pairs = texts.failed ? NULL : tp_alloc_array((size_t)lines / 2, sizeof *pairs);
	if (!pairs) {
		tp_text_release(&texts);
		return TP_ERR_NOMEM;
	}
	char *at = texts.data;
	for (int32_t i = 0; i < lines / 2; i++) {
		pairs[i].name = take_line(&at);
		pairs[i].value = take_line(&at);
	}
	*environment = (struct tp_environment){.pairs = pairs, .count = lines / 2, .texts = texts.data};
	return TP_OK;
}

void tp_environment_release(struct tp_environment *environment)
{
	tp_free(environment->pairs);
	tp_free(environment->texts);
	*environment = (struct tp_environment){0};
}
