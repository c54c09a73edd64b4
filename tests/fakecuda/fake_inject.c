/* Failures on demand: a list of "function:call:status" with commas between; '+' behind the status: and all calls after
 * it. "@name" in place of a function is the run of an operation of that name, whose failure CUDA reports late. */
#include "tests/fakecuda/fake_inside.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INJECTIONS = 32 };

static struct injection {
	char function[64];
	int64_t at, calls;
	int status;
	bool ever_after;
} injections[INJECTIONS];
static int injection_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_list(const char *text)
{
	injection_count = 0;
	while (text && *text) {
		struct injection injection = {.calls = 0};
		long long at;
		int length = 0;
		if (injection_count == INJECTIONS ||
		    sscanf(text, "%63[^:,]:%lld:%d%n", injection.function, &at, &injection.status, &length) != 3) {
			(void)fprintf(stderr, "fakecuda: not function:call:status (or too many): %s\n", text);
			abort();
		}
		text += length;
		injection.at = at;
		injection.ever_after = *text == '+';
		text += injection.ever_after;
		text += *text == ',';
		injections[injection_count++] = injection;
	}
}

static void read_environment(void)
{
	read_list(getenv("FAKECUDA_FAIL"));
}

int fake_injected_as(const char *function, bool *ever_after)
{
	int status = 0;
	(void)pthread_once(&once, read_environment);
	(void)pthread_mutex_lock(&lock);
	for (int i = 0; i < injection_count; i++) {
		struct injection *injection = &injections[i];
		if (strcmp(injection->function, function) != 0)
			continue;
		injection->calls++;
		if (status || injection->calls < injection->at ||
		    (injection->calls > injection->at && !injection->ever_after))
			continue;
		status = injection->status;
		*ever_after = injection->ever_after;
	}
	(void)pthread_mutex_unlock(&lock);
	return status;
}

int fake_injected(const char *function)
{
	bool ever_after;
	return fake_injected_as(function, &ever_after);
}

int fake_injected_run(const char *name)
{
	char with_mark[80];
	(void)snprintf(with_mark, sizeof with_mark, "@%s", name);
	return fake_injected(with_mark);
}

FAKE_EXPORT void fakecuda_inject(const char *text)
{
	(void)pthread_once(&once, read_environment);
	(void)pthread_mutex_lock(&lock);
	read_list(text);
	(void)pthread_mutex_unlock(&lock);
}
