#include "engine/run/emulation.h"

#include "engine/base/memory.h"
#include "engine/config/link.h"

/* A little less than INT64_MAX, which rounding may not pass. */
#define TIME_MAX_NS 9.2e18

static enum tp_status check_workers(const struct tp_emulation *emulation, const struct tp_run_config *config)
{
	const struct tp_cluster *cluster = &emulation->cluster;
	if (cluster->worker_count != config->stages) /* a schedule of a single stage takes the first of them */
		return tp_fail(TP_ERR_INPUT, "--cluster %s: expected as many workers as --stages (%d), found %d",
		               config->cluster, config->stages, cluster->worker_count);
	for (int32_t s = 0; s < emulation->stages && config->clock == TP_CLOCK_REAL; s++) {
		if (cluster->workers[s].speed > 1)
			return tp_fail(
			        TP_ERR_INPUT,
			        "--cluster %s: worker %d: expected a speed of at most 1 under the real clock, found "
			        "%g; divide all speeds by the largest",
			        config->cluster, s, cluster->workers[s].speed);
	}
	return TP_OK;
}

/* Links of all boundaries: the cluster's, or the one of --link, which replaces them. */
static enum tp_status take_links(struct tp_emulation *emulation, const struct tp_run_config *config)
{
	size_t boundaries = (size_t)(emulation->stages - 1);
	struct tp_link given = {0};
	if (config->link[0])
		TP_TRY(tp_link_parse("--link", config->link, &given));
	emulation->downstream = tp_alloc_array(boundaries, sizeof *emulation->downstream);
	emulation->upstream = tp_alloc_array(boundaries, sizeof *emulation->upstream);
	if (!emulation->downstream || !emulation->upstream)
		return TP_ERR_NOMEM;
	for (size_t b = 0; b < boundaries; b++) {
		emulation->downstream[b] = config->link[0] ? given : emulation->cluster.downstream[b];
		emulation->upstream[b] = config->link[0] ? given : emulation->cluster.upstream[b];
	}
	return TP_OK;
}

enum tp_status tp_emulation_init(struct tp_emulation *emulation, const struct tp_run_config *config, int32_t stages)
{
	*emulation = (struct tp_emulation){.stages = stages};
	if (config->cluster[0]) {
		TP_TRY(tp_cluster_read(config->cluster, &emulation->cluster));
		TP_TRY(check_workers(emulation, config));
	}
	return config->cluster[0] || config->link[0] ? take_links(emulation, config) : TP_OK;
}

void tp_emulation_release(struct tp_emulation *emulation)
{
	tp_cluster_release(&emulation->cluster);
	tp_free(emulation->downstream);
	tp_free(emulation->upstream);
	tp_free(emulation->boundaries);
	tp_free(emulation->transfer_ns);
	*emulation = (struct tp_emulation){0};
}

enum tp_status tp_emulation_size_messages(struct tp_emulation *emulation, const struct tp_cost_shape *shape,
                                          tp_message_size *size, void *context)
{
	if (!emulation->downstream)
		return TP_OK;
	size_t boundaries = (size_t)(emulation->stages - 1);
	int64_t per_boundary = (int64_t)shape->forwards_per_mini + shape->backwards_per_mini;
	emulation->boundaries = tp_alloc_array(boundaries, sizeof *emulation->boundaries);
	emulation->transfer_ns = tp_alloc_array(boundaries * (size_t)per_boundary, sizeof *emulation->transfer_ns);
	if (!emulation->boundaries || !emulation->transfer_ns)
		return TP_ERR_NOMEM;
	for (int32_t b = 0; b + 1 < emulation->stages; b++) {
		int64_t *down = emulation->transfer_ns + b * per_boundary, *up = down + shape->forwards_per_mini;
		const struct tp_link *downstream = &emulation->downstream[b], *upstream = &emulation->upstream[b];
		for (int32_t j = 0; j < shape->forwards_per_mini; j++)
			down[j] = tp_link_transfer_ns(downstream, size(context, b, false, j));
		for (int32_t j = 0; j < shape->backwards_per_mini; j++)
			up[j] = tp_link_transfer_ns(upstream, size(context, b, true, j));
		emulation->boundaries[b] = (struct tp_boundary_cost){
		        .downstream = {down, downstream->latency_ns},
		        .upstream = {up, upstream->latency_ns},
		};
	}
	return TP_OK;
}

double tp_emulation_speed(const struct tp_emulation *emulation, int32_t stage)
{
	return emulation->cluster.worker_count > 0 ? emulation->cluster.workers[stage].speed : 1.0;
}

void tp_emulation_scale(const struct tp_emulation *emulation, struct tp_cost_table *costs)
{
	for (int32_t s = 0; s < emulation->stages && emulation->cluster.worker_count > 0; s++)
		tp_cost_table_scale(costs, s, emulation->cluster.workers[s].speed);
}

/* Nanoseconds of a mini-batch's messages in one direction. */
static double messages_ns(const struct tp_link_cost *cost, int32_t count)
{
	double sum = (double)cost->latency * count;
	for (int32_t j = 0; j < count; j++)
		sum += (double)cost->transfer[j];
	return sum;
}

enum tp_status tp_emulation_check_time(const struct tp_emulation *emulation, const struct tp_cost_table *costs,
                                       double minis)
{
	const struct tp_cost_shape *shape = &costs->shape;
	double mini_ns = 0;
	for (int64_t i = 0; i < tp_cost_value_count(shape); i++)
		mini_ns += (double)costs->values[i];
	for (int32_t s = 0; s < shape->stages; s++)
		mini_ns += (double)costs->stage[s].update;
	for (int32_t b = 0; emulation->boundaries && b + 1 < shape->stages; b++) {
		mini_ns += messages_ns(&emulation->boundaries[b].downstream, shape->forwards_per_mini);
		mini_ns += messages_ns(&emulation->boundaries[b].upstream, shape->backwards_per_mini);
	}
	if (mini_ns * minis < TIME_MAX_NS)
		return TP_OK;
	return tp_fail(TP_ERR_INPUT,
	               "--costs, --link: expected operations and messages that take at most 292 years in all, found "
	               "%.3g s for each of %.0f mini-batches",
	               mini_ns * 1e-9, minis);
}
