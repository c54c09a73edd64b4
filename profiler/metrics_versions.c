/* The ledger of weight versions: what became of each mini-batch, and of each version of each stage. */
#include "engine/base/memory.h"
#include "profiler/metrics_internal.h"

static bool is_backward(const struct tp_op_record *op)
{
	return op->kind == TP_OP_B || op->kind == TP_OP_BX || op->kind == TP_OP_BW;
}

/* --- mini-batches --------------------------------------------------------------------------------------------- */

static void take_operation(const struct tp_op_record *op, struct tp_mini_figures *mini)
{
	if (mini->mini == 0)
		*mini = (struct tp_mini_figures){
		        .mini = op->mini, .start_ns = op->start_ns, .end_ns = op->end_ns, .committed = -1};
	mini->start_ns = op->start_ns < mini->start_ns ? op->start_ns : mini->start_ns;
	mini->end_ns = op->end_ns > mini->end_ns ? op->end_ns : mini->end_ns;
}

/* v(i), and the chain that i belongs to: it extends the one of the mini-batch whose update is the newest it read, and
 * begins one when that is none of this epoch. */
static void follow(struct tp_metrics *metrics, int64_t first, struct tp_mini_figures *mini)
{
	int64_t difference = mini->mini - mini->committed;
	metrics->version_difference_mean += (double)difference;
	if (difference > metrics->version_difference_max)
		metrics->version_difference_max = difference;
	bool root = mini->read < first || mini->read >= mini->mini;
	mini->chain = root ? mini->mini : metrics->minis[mini->read - first].chain;
	metrics->version_chains += root;
}

enum tp_status tp_metrics_minis(const struct tp_metrics_input *input, int64_t first, struct tp_metrics *metrics)
{
	const struct tp_records *records = &input->records;
	int64_t last = first, counted = 0;
	for (int64_t i = 0; i < records->op_count; i++)
		last = records->ops[i].mini > last ? records->ops[i].mini : last;
	metrics->mini_count = last - first + 1;
	metrics->minis = tp_alloc_array((size_t)metrics->mini_count, sizeof *metrics->minis);
	if (!metrics->minis)
		return TP_ERR_NOMEM;
	for (int64_t i = 0; i < records->op_count; i++) {
		const struct tp_op_record *op = &records->ops[i];
		struct tp_mini_figures *mini = &metrics->minis[op->mini - first];
		take_operation(op, mini);
		if (!is_backward(op) || op->stage != input->stages - 1 || mini->committed >= 0)
			continue;
		mini->committed = op->version_committed;
		mini->read = op->version_read;
		follow(metrics, first, mini);
		counted++;
	}
	if (counted > 0)
		metrics->version_difference_mean /= (double)counted;
	return TP_OK;
}

/* --- versions --------------------------------------------------------------------------------------------------- */

/* An epoch can read what was there before its first update, and under delayed reads the version before that. */
enum { OLDER = 2 };

struct versions {
	struct tp_version_figures *all; /* of one stage, from version first - OLDER on */
	int64_t oldest, count;
};

/* NULL for one that no epoch can name. */
static struct tp_version_figures *version_of(const struct versions *versions, int64_t version)
{
	int64_t index = version - versions->oldest;
	return index >= 0 && index < versions->count ? &versions->all[index] : NULL;
}

static void note_read(const struct versions *versions, int64_t version, bool forward)
{
	struct tp_version_figures *read = version_of(versions, version);
	if (read)
		(*(forward ? &read->forward_reads : &read->backward_reads))++;
}

static void note_update(const struct versions *versions, const struct tp_op_record *op)
{
	struct tp_version_figures *made = version_of(versions, op->mini);
	if (!made)
		return;
	made->made = true;
	made->made_ns = op->end_ns;
	made->base = op->version_read;
	made->in_place = op->in_place;
}

static void note_operations(const struct tp_records *records, int32_t stage, const struct versions *versions,
                            bool backwards)
{
	for (int64_t i = 0; i < records->op_count; i++) {
		const struct tp_op_record *op = &records->ops[i];
		if (op->stage != stage)
			continue;
		if (op->kind == TP_OP_U)
			note_update(versions, op);
		else if (op->kind == TP_OP_F || backwards)
			note_read(versions, op->version_read, op->kind == TP_OP_F);
	}
}

/* Where micro-batches of a backward read apart, each read counts, and a blend reads two. */
static void note_reads(const struct tp_records *records, int32_t stage, const struct versions *versions)
{
	for (int64_t i = 0; i < records->read_count; i++) {
		const struct tp_read_record *read = &records->reads[i];
		if (read->stage != stage)
			continue;
		note_read(versions, read->version_forward, false);
		if (read->version_newest != read->version_forward)
			note_read(versions, read->version_newest, false);
	}
}

static void note_freed(const struct tp_records *records, int32_t stage, const struct versions *versions)
{
	for (int64_t i = 0; i < records->freed_count; i++) {
		struct tp_version_figures *freed = version_of(versions, records->freed[i].version);
		if (records->freed[i].stage == stage && freed)
			freed->freed_ns = records->freed[i].freed_ns;
	}
}

/* Keep those that existed: the one the epoch began with, those made, and whatever was read or freed. */
static int64_t keep_existing(const struct versions *versions, int64_t first)
{
	int64_t kept = 0;
	for (int64_t i = 0; i < versions->count; i++) {
		const struct tp_version_figures *version = &versions->all[i];
		if (version->made || version->version == first - 1 || version->freed_ns >= 0 ||
		    version->forward_reads + version->backward_reads > 0)
			versions->all[kept++] = *version;
	}
	return kept;
}

enum tp_status tp_metrics_versions(const struct tp_metrics_input *input, int64_t first, struct tp_metrics *metrics)
{
	int64_t per_stage = metrics->mini_count + OLDER;
	metrics->versions = tp_alloc_array((size_t)(per_stage * input->stages), sizeof *metrics->versions);
	if (!metrics->versions)
		return TP_ERR_NOMEM;
	for (int32_t s = 0; s < input->stages; s++) {
		struct versions versions = {&metrics->versions[metrics->version_count], first - OLDER, per_stage};
		for (int64_t i = 0; i < per_stage; i++)
			versions.all[i] = (struct tp_version_figures){
			        .version = versions.oldest + i, .made_ns = -1, .freed_ns = -1, .stage = (int16_t)s};
		note_operations(&input->records, s, &versions, input->records.read_count == 0);
		note_reads(&input->records, s, &versions);
		note_freed(&input->records, s, &versions);
		metrics->version_count += keep_existing(&versions, first);
	}
	return TP_OK;
}
