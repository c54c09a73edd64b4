#include "engine/base/clock.h"

#include <time.h>

int64_t tp_now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * TP_NS_PER_S + now.tv_nsec;
}

int64_t tp_unix_s(void)
{
	return (int64_t)time(NULL);
}
