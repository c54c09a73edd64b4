/* How messages travel: over emulated links by a courier, between devices that work on their own by a transport of the
 * device, else by handing a pointer over. */
#include <string.h>

#include "engine/run/crew.h"
#include "engine/run/crew_links.h"

/* --- emulated ------------------------------------------------------------------------------------------------------
 */

static int64_t message_size(void *context, int32_t stage, bool upstream, int32_t micro)
{
	const struct tp_crew *crew = context;
	const struct tp_tensor_desc *sent = tp_stage_output(&crew->workers[stage].stage);
	bool whole = upstream ? crew->span != TP_SPAN_SLICE : crew->slicing.count == 1;
	return (int64_t)sent->sample_bytes * tp_slice_size(crew->slicing, whole ? TP_WHOLE : micro);
}

/* Under the real clock a courier delivers what travels over emulated links. */
static enum tp_status make_emulated(struct tp_crew *crew, struct tp_emulation *emulation)
{
	struct tp_cost_shape shape = tp_cost_shape_of(&crew->pipeline);
	int32_t boundaries = crew->pipeline.stages - 1;
	TP_TRY(tp_emulation_size_messages(emulation, &shape, message_size, crew));
	if (!emulation->boundaries || crew->config->clock == TP_CLOCK_VIRTUAL || boundaries == 0)
		return TP_OK;
	TP_TRY(tp_courier_init(&crew->courier, 2 * boundaries, crew->clock_zero_ns));
	for (int32_t b = 0; b < boundaries; b++) {
		tp_courier_attach(&crew->courier, &crew->workers[b + 1].activations, &emulation->downstream[b]);
		tp_courier_attach(&crew->courier, &crew->workers[b].gradients, &emulation->upstream[b]);
	}
	return tp_courier_start(&crew->courier);
}

/* --- of the device -------------------------------------------------------------------------------------------------
 */

enum tp_status tp_crew_choose_link(struct tp_crew *crew, const struct tp_device_ops *ops)
{
	const struct tp_run_config *config = crew->config;
	const struct tp_emulation *emulation = crew->emulation;
	bool automatic = strcmp(config->transport, "auto") == 0;
	if (!ops->async)
		return automatic
		               ? TP_OK
		               : tp_fail(TP_ERR_INPUT,
		                         "--transport: expected auto with device %s, whose stages share their memory, "
		                         "found %s",
		                         ops->name, config->transport);
	if (config->clock == TP_CLOCK_VIRTUAL)
		return TP_OK; /* one operation at a time: its message is there when it is over */
	if (emulation->downstream || emulation->cluster.worker_count > 0)
		return tp_fail(TP_ERR_INPUT,
		               "--link and --cluster pretend a slower machine, which device %s cannot under the real "
		               "clock: expected --clock virtual",
		               ops->name);
	for (const struct tp_link_ops *const *link = ops->async->links; *link; link++) {
		if (automatic || strcmp((*link)->name, config->transport) == 0) {
			crew->link = *link;
			return TP_OK;
		}
	}
	return tp_fail(TP_ERR_UNSUPPORTED, "--transport %s: device %s has none of that name", config->transport,
	               ops->name);
}

/* In a fixed order: down, then up, from the first boundary to the last. */
static enum tp_status open_ways(struct tp_crew *crew)
{
	for (int32_t b = 0; b + 1 < crew->pipeline.stages; b++) {
		struct tp_worker *above = &crew->workers[b], *below = &crew->workers[b + 1];
		TP_TRY(crew->link->open(above->stage.device, below->stage.device, false, &below->activations.way));
		TP_TRY(crew->link->open(below->stage.device, above->stage.device, true, &above->gradients.way));
	}
	return TP_OK;
}

static void close_ways(struct tp_crew *crew)
{
	for (int32_t s = 0; crew->link && s < crew->pipeline.stages; s++) {
		struct tp_worker *worker = &crew->workers[s];
		if (worker->activations.way)
			crew->link->close(worker->activations.way);
		if (worker->gradients.way)
			crew->link->close(worker->gradients.way);
		worker->activations.way = worker->gradients.way = NULL;
	}
}

void tp_crew_abort_links(struct tp_crew *crew)
{
	for (int32_t s = 0; crew->link && crew->link->abort && s < crew->pipeline.stages; s++) {
		if (crew->workers[s].activations.way)
			crew->link->abort(crew->workers[s].activations.way);
		if (crew->workers[s].gradients.way)
			crew->link->abort(crew->workers[s].gradients.way);
	}
}

/* --- both ----------------------------------------------------------------------------------------------------------
 */

enum tp_status tp_crew_make_links(struct tp_crew *crew, struct tp_emulation *emulation)
{
	TP_TRY(make_emulated(crew, emulation));
	if (!crew->link)
		return TP_OK;
	TP_TRY(open_ways(crew));
	for (int32_t s = 0; s < crew->pipeline.stages; s++)
		TP_TRY(tp_flight_init(&crew->workers[s]));
	return TP_OK;
}

void tp_crew_release_links(struct tp_crew *crew)
{
	tp_courier_release(&crew->courier);
	for (int32_t s = 0; crew->workers && crew->link && s < crew->pipeline.stages; s++)
		tp_flight_release(&crew->workers[s]);
	if (crew->workers)
		close_ways(crew);
}

enum tp_status tp_crew_start_clocks(struct tp_crew *crew)
{
	for (int32_t s = 0; crew->link && s < crew->pipeline.stages; s++) {
		struct tp_stage *stage = &crew->workers[s].stage;
		int64_t error_ns;
		TP_TRY(stage->ops->async->start_clock(stage->device, &error_ns));
		crew->clock_error_ns = error_ns > crew->clock_error_ns ? error_ns : crew->clock_error_ns;
	}
	return TP_OK;
}
