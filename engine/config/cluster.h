/* Clusters: workers with their speed and memory, and the links between neighbours. A file has lines of words key=value;
 * # begins a comment:
 *
 *	cluster name=lab
 *	worker name=fast speed=1 memory=24GiB
 *	worker name=slow speed=0.6 memory=12GB
 *	link bandwidth=10gbit latency=20us
 *	link from=0 to=1 bandwidth=1gbit latency=50us
 *
 * Workers are stages 0, 1, .. in their order, before the links. Speed is relative to the machine whose operations were
 * measured. A link without from and to is that of every boundary, both ways, and comes first; with them, of one
 * direction. Memory left out is not limited, a latency or a link left out takes no time. The last line ends like all
 * others, which shows that the file is not cut short. */
#ifndef TP_ENGINE_CONFIG_CLUSTER_H
#define TP_ENGINE_CONFIG_CLUSTER_H

#include "engine/config/link.h"

#define TP_CLUSTER_NAME_BYTES 64

struct tp_cluster_worker {
	char name[TP_CLUSTER_NAME_BYTES];
	double speed;
	int64_t memory_bytes; /* 0: no limit */
};

struct tp_cluster {
	char name[TP_CLUSTER_NAME_BYTES];
	int32_t worker_count;
	struct tp_cluster_worker *workers;
	struct tp_link *downstream, *upstream; /* between w and w + 1; worker_count - 1 each */
};

/* Read a shipped cluster by its name, or a file. TP_ERR_INPUT names the file, line and field, what was expected and
 * what was found. Release with tp_cluster_release(), safe after a failure. */
enum tp_status tp_cluster_read(const char *name_or_path, struct tp_cluster *cluster);
enum tp_status tp_cluster_parse(const char *file_name, const char *text, struct tp_cluster *cluster);
void tp_cluster_release(struct tp_cluster *cluster);

/* The clusters that come with the program, ended by a row whose name is NULL. */
struct tp_shipped_cluster {
	const char *name;
	const char *text;
};
extern const struct tp_shipped_cluster tp_shipped_clusters[];

#endif
