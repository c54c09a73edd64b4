#include "engine/base/process.h"

#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int64_t tp_resident_bytes(void)
{
	long long total, resident = 0;
	FILE *statm = fopen("/proc/self/statm", "re");
	if (!statm)
		return 0;
	if (fscanf(statm, "%lld %lld", &total, &resident) != 2) /* NOLINT(cert-err34-c): the kernel's own format */
		resident = 0;
	(void)fclose(statm);
	return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

int64_t tp_heap_bytes(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
	struct mallinfo2 info = mallinfo2();
	return (int64_t)(info.uordblks + info.hblkhd);
#else
	return 0;
#endif
}

int32_t tp_free_cores(void)
{
	cpu_set_t allowed;
	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		return 1;
	return CPU_COUNT(&allowed);
}
