#include "engine/run/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/model/safetensors.h"

/* A tensor of the model and where it lives. */
struct place {
	struct tp_stage *stage;
	const struct tp_layer *layer;
	int32_t layer_in_stage;
	int32_t param;
	int32_t live_buffer;
	struct tp_param described;
};

/* Call `visit` for every tensor in the model's order, until it fails. */
typedef enum tp_status visit_place(void *context, const struct place *place);

static enum tp_status for_each_tensor(struct tp_crew *crew, visit_place *visit, void *context)
{
	for (int32_t s = 0; s < crew->pipeline.stages; s++) {
		struct tp_worker *worker = &crew->workers[s];
		for (int32_t l = 0; l < worker->stage.layer_count; l++) {
			struct place place = {
			        .stage = &worker->stage,
			        .layer = worker->stage.layers[l].kernel->layer,
			        .layer_in_stage = l,
			        .live_buffer = tp_ledger_buffer(&worker->station.ledger, worker->station.ledger.live),
			};
			struct tp_param params[TP_LAYER_MAX_PARAMS];
			int32_t count = tp_layer_params(place.layer, params);
			for (place.param = 0; place.param < count; place.param++) {
				place.described = params[place.param];
				TP_TRY(visit(context, &place));
			}
		}
	}
	return TP_OK;
}

static int64_t largest_tensor(const struct tp_model *model)
{
	int64_t largest = 0;
	for (int32_t l = 0; l < model->layer_count; l++) {
		struct tp_param params[TP_LAYER_MAX_PARAMS];
		int32_t count = tp_layer_params(&model->layers[l], params);
		for (int32_t p = 0; p < count; p++)
			largest = params[p].elements > largest ? params[p].elements : largest;
	}
	return largest;
}

/* --- beginning ---------------------------------------------------------------------------------------------------- */

struct beginning {
	uint64_t seed;
	float *values;
	const struct tp_safetensors *file; /* NULL: none */
	const char *path;
	bool partial;
	int64_t used; /* tensors of the file that found their place */
	struct tp_text *left;
};

static void describe_dims(char *out, size_t size, int32_t rank, const int64_t *dims)
{
	size_t used = 0;
	out[0] = '\0';
	for (int32_t i = 0; i < rank && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? "x" : "", (long long)dims[i]);
}

static bool fits(const struct tp_param *param, const struct tp_safetensor *found)
{
	return found->f32 && found->entry.rank == param->rank &&
	       memcmp(found->entry.dims, param->dims, (size_t)param->rank * sizeof *param->dims) == 0;
}

static enum tp_status refuse(const struct beginning *from, const struct tp_param *param,
                             const struct tp_safetensor *found)
{
	char expected[96], was[96];
	describe_dims(expected, sizeof expected, param->rank, param->dims);
	if (!found)
		return tp_fail(TP_ERR_INPUT, "%s: expected tensor '%s' (F32, %s), found none of that name", from->path,
		               param->name, expected);
	describe_dims(was, sizeof was, found->entry.rank, found->entry.dims);
	return tp_fail(TP_ERR_INPUT, "%s: tensor '%s': expected F32 of shape %s, found %s of shape %s", from->path,
	               param->name, expected, found->f32 ? "F32" : "I64", was);
}

static enum tp_status begin_tensor(void *context, const struct place *place)
{
	struct beginning *from = context;
	const struct tp_param *param = &place->described;
	const float *values = from->values;
	const struct tp_safetensor *found = from->file ? tp_safetensors_find(from->file, param->name) : NULL;
	if (found && fits(param, found)) {
		values = found->f32;
		from->used++;
	} else {
		if (from->file && !from->partial)
			return refuse(from, param, found);
		if (from->file)
			tp_text_add(from->left, "%s: %s, kept its initial values\n", param->name,
			            found ? "another shape or type in the file" : "not in the file");
		tp_param_initial(place->layer, param, from->seed, from->values);
	}
	tp_stage_import(place->stage, place->layer_in_stage, place->param, values, place->live_buffer);
	return TP_OK;
}

/* Tensors of the file that the model has no place for; the counters of batch normalisation are read here. */
static enum tp_status check_rest(const struct beginning *from, const struct tp_model *model, struct tp_tracked *tracked)
{
	static const char counter[] = ".num_batches_tracked";
	int64_t counters = 0;
	for (size_t i = 0; i < tp_safetensors_count(from->file); i++) {
		const struct tp_safetensor *tensor = tp_safetensors_at(from->file, i);
		size_t length = strlen(tensor->entry.name), tail = sizeof counter - 1;
		if (tensor->i64 && tensor->elements == 1 && length > tail &&
		    strcmp(tensor->entry.name + length - tail, counter) == 0) {
			tracked->loaded = tensor->i64[0];
			counters++;
		}
	}
	int64_t rest = (int64_t)tp_safetensors_count(from->file) - counters - from->used;
	if (rest > 0 && !from->partial)
		return tp_fail(TP_ERR_INPUT,
		               "%s: expected the tensors of model '%s' only, found %lld more (--partial ignores them)",
		               from->path, model->name, (long long)rest);
	if (rest > 0)
		tp_text_add(from->left, "%lld tensors of the file have no place in the model\n", (long long)rest);
	return TP_OK;
}

enum tp_status tp_checkpoint_begin(struct tp_crew *crew, const struct tp_model *model, struct tp_tracked *tracked,
                                   struct tp_text *left)
{
	const struct tp_run_config *config = crew->config;
	struct tp_safetensors *file = NULL;
	if (crew->workers[0].stage.ops->element_bytes == 0)
		return TP_OK; /* no values on this device */
	if (config->load_weights[0])
		TP_TRY(tp_safetensors_open(config->load_weights, &file));
	struct beginning from = {
	        .seed = config->seed,
	        .values = tp_alloc_array((size_t)largest_tensor(model), sizeof(float)),
	        .file = file,
	        .path = config->load_weights,
	        .partial = config->partial,
	        .left = left,
	};
	enum tp_status status = from.values ? for_each_tensor(crew, begin_tensor, &from) : TP_ERR_NOMEM;
	if (status == TP_OK && file)
		status = check_rest(&from, model, tracked);
	tp_free(from.values);
	tp_safetensors_close(file);
	return status;
}

/* --- saving ------------------------------------------------------------------------------------------------------- */

struct saving {
	struct tp_safetensors_entry *entries;
	char (*names)[TP_NAME_BYTES + 24];
	size_t count;
	struct tp_safetensors_writer *writer;
	double *values;
	float *narrow;
	int64_t tracked;
};

/* The running variance is a batch normalisation's last tensor; its counter follows. */
static bool counter_follows(const struct place *place)
{
	return place->described.role == TP_PARAM_RUNNING_VAR;
}

static enum tp_status describe_tensor(void *context, const struct place *place)
{
	struct saving *saving = context;
	struct tp_safetensors_entry *entry = &saving->entries[saving->count];
	const struct tp_param *param = &place->described;
	memcpy(saving->names[saving->count], param->name, sizeof param->name);
	*entry = (struct tp_safetensors_entry){.name = saving->names[saving->count], .rank = param->rank};
	memcpy(entry->dims, param->dims, (size_t)param->rank * sizeof *param->dims);
	saving->count++;
	if (counter_follows(place)) {
		char *name = saving->names[saving->count];
		(void)snprintf(name, sizeof saving->names[0], "%s.num_batches_tracked", place->layer->name);
		saving->entries[saving->count++] =
		        (struct tp_safetensors_entry){.name = name, .type = TP_SAFETENSORS_I64};
	}
	return TP_OK;
}

static enum tp_status write_tensor(void *context, const struct place *place)
{
	struct saving *saving = context;
	int64_t elements = place->described.elements;
	tp_stage_export(place->stage, place->layer_in_stage, place->param, place->live_buffer, saving->values);
	for (int64_t i = 0; i < elements; i++)
		saving->narrow[i] = (float)saving->values[i];
	TP_TRY(tp_safetensors_append(saving->writer, saving->narrow, elements * (int64_t)sizeof(float)));
	if (counter_follows(place))
		return tp_safetensors_append(saving->writer, &saving->tracked, sizeof saving->tracked);
	return TP_OK;
}

static enum tp_status write_file(struct tp_crew *crew, struct saving *saving, const char *path)
{
	TP_TRY(for_each_tensor(crew, describe_tensor, saving));
	TP_TRY(tp_safetensors_create(path, saving->entries, saving->count, &saving->writer));
	enum tp_status status = for_each_tensor(crew, write_tensor, saving);
	if (status == TP_OK)
		return tp_safetensors_commit(saving->writer);
	tp_safetensors_discard(saving->writer);
	return status;
}

enum tp_status tp_checkpoint_save(struct tp_crew *crew, const struct tp_model *model, const struct tp_tracked *tracked,
                                  const char *path)
{
	if (crew->workers[0].stage.ops->element_bytes == 0)
		return tp_fail(TP_ERR_INPUT, "--save-weights: the device '%s' has no values to save",
		               crew->config->device);
	size_t most = (size_t)model->layer_count * (TP_LAYER_MAX_PARAMS + 1);
	size_t largest = (size_t)largest_tensor(model);
	struct saving saving = {
	        .entries = tp_alloc_array(most, sizeof *saving.entries),
	        .names = tp_alloc_array(most, sizeof *saving.names),
	        .values = tp_alloc_array(largest, sizeof *saving.values),
	        .narrow = tp_alloc_array(largest, sizeof *saving.narrow),
	        .tracked = tracked->loaded + tracked->here,
	};
	enum tp_status status = TP_ERR_NOMEM;
	if (saving.entries && saving.names && saving.values && saving.narrow)
		status = write_file(crew, &saving, path);
	tp_free(saving.entries);
	tp_free(saving.names);
	tp_free(saving.values);
	tp_free(saving.narrow);
	return status;
}

/* --- one tensor ----------------------------------------------------------------------------------------------------
 */

struct export
{
	const char *name;
	double *values;
	int64_t elements;
	bool found;
};

static enum tp_status export_tensor(void *context, const struct place *place)
{
	struct export *export = context;
	if (strcmp(place->described.name, export->name) != 0)
		return TP_OK;
	if (place->described.elements != export->elements)
		return tp_fail(TP_ERR_INPUT, "tensor '%s' has %lld elements, asked for %lld", export->name,
		               (long long)place->described.elements, (long long)export->elements);
	tp_stage_export(place->stage, place->layer_in_stage, place->param, place->live_buffer, export->values);
	export->found = true;
	return TP_OK;
}

enum tp_status tp_checkpoint_export(struct tp_crew *crew, const char *name, double *values, int64_t elements)
{
	struct export export = {.name = name, .values = values, .elements = elements};
	TP_TRY(for_each_tensor(crew, export_tensor, &export));
	return export.found ? TP_OK : tp_fail(TP_ERR_INPUT, "the model has no tensor '%s'", name);
}
