/* Which blocks go to which stage. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/model/model.h"

/* least[s][b]: the least possible largest stage when blocks b .. end go to s stages, one block each at least. */
struct table {
	int64_t cost[TP_MODEL_MAX_BLOCKS];
	int64_t least[TP_MODEL_MAX_BLOCKS + 1][TP_MODEL_MAX_BLOCKS + 1];
};

static int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void fill_table(struct table *table, int32_t blocks, int32_t stages)
{
	for (int32_t s = 0; s <= stages; s++)
		for (int32_t b = 0; b <= blocks; b++)
			table->least[s][b] = s == 0 && b == blocks ? 0 : INT64_MAX;
	for (int32_t s = 1; s <= stages; s++) {
		for (int32_t b = 0; b < blocks; b++) {
			int64_t first_stage = 0;
			for (int32_t end = b + 1; end <= blocks; end++) {
				first_stage += table->cost[end - 1];
				int64_t largest = max64(first_stage, table->least[s - 1][end]);
				if (largest < table->least[s][b])
					table->least[s][b] = largest;
			}
		}
	}
}

/* Among the best splits the one whose first boundary is earliest, then its second, and so on. */
static void earliest_split(const struct table *table, int32_t blocks, int32_t stages, int32_t *counts)
{
	int64_t best = table->least[stages][0];
	int32_t at = 0;
	for (int32_t s = 0; s < stages; s++) {
		int64_t here = 0;
		counts[s] = 0;
		do {
			here += table->cost[at++];
			counts[s]++;
		} while (at < blocks && table->least[stages - s - 1][at] > best);
		TP_CHECK(here <= best);
	}
}

static enum tp_status split_evenly(const struct tp_model *model, int32_t stages, int32_t *counts)
{
	struct table *table = tp_alloc(sizeof *table);
	if (!table)
		return TP_ERR_NOMEM;
	for (int32_t b = 0; b < model->block_count; b++)
		table->cost[b] = tp_block_forward_flops(model, b);
	fill_table(table, model->block_count, stages);
	earliest_split(table, model->block_count, stages, counts);
	tp_free(table);
	return TP_OK;
}

static enum tp_status split_as_listed(const struct tp_model *model, const char *text, int32_t stages, int32_t *counts)
{
	const char *at = text;
	int64_t sum = 0;
	int32_t entries = 0;
	for (;;) {
		char *end;
		errno = 0;
		long count = strtol(at, &end, 10);
		if (*at < '0' || *at > '9' || (*end != ',' && *end != '\0') || errno == ERANGE || count < 1 ||
		    count > TP_MODEL_MAX_BLOCKS)
			return tp_fail(TP_ERR_INPUT,
			               "--partition: expected 'auto' or numbers of blocks from 1 on, parted by commas, "
			               "found '%s'",
			               text);
		if (entries < stages)
			counts[entries] = (int32_t)count;
		entries++;
		sum += count;
		if (*end == '\0')
			break;
		at = end + 1;
	}
	if (entries != stages)
		return tp_fail(TP_ERR_INPUT, "--partition: expected %d numbers, one per stage, found %d in '%s'",
		               stages, entries, text);
	if (sum != model->block_count)
		return tp_fail(TP_ERR_INPUT,
		               "--partition: expected numbers that add up to the %d blocks of %s, found %lld in '%s'",
		               model->block_count, model->name, (long long)sum, text);
	return TP_OK;
}

enum tp_status tp_partition(const struct tp_model *model, const char *text, int32_t stages, int32_t *counts)
{
	if (stages < 1)
		return tp_fail(TP_ERR_INPUT, "--stages: expected at least 1, found %d", stages);
	if (stages > model->block_count)
		return tp_fail(TP_ERR_INPUT, "--stages: expected at most %d, the number of blocks of %s, found %d",
		               model->block_count, model->name, stages);
	if (strcmp(text, "auto") == 0)
		return split_evenly(model, stages, counts);
	return split_as_listed(model, text, stages, counts);
}
