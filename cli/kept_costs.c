#include "cli/kept_costs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/recording.h"
#include "engine/schedule/cost_file.h"

/* And what a stand-in for a GPU takes is worth keeping nowhere. */
static bool is_measured(const struct tp_run_config *config)
{
	bool measured =
	        config->costs[0] == '\0' || strcmp(config->costs, "alone") == 0 || strcmp(config->costs, "loaded") == 0;
	return measured && config->clock == TP_CLOCK_VIRTUAL && !tp_recording_on_stand_in(config);
}

/* Named by what may decide the costs. That is all but the links and workers, which are not measured with, and how long
 * the run is. The seed is in it: so runs of several seeds have costs measured several times, and the spread over them
 * is that of measuring, too. */
static enum tp_status find_place(const char *folder, const struct tp_run_config *config, char *path, size_t size)
{
	struct tp_run_config measured = *config;
	measured.link[0] = measured.cluster[0] = '\0';
	measured.epochs = 1;
	measured.evaluate = true;
	int length = snprintf(path, size, "%s/%s-%s-w%" PRId32 "-n%" PRId32 "-m%" PRId32 "-%016" PRIx64 ".csv", folder,
	                      config->model, config->schedule, config->stages, config->micro_batches, config->batch,
	                      tp_run_config_hash(&measured));
	if (length < 0 || (size_t)length >= size)
		return tp_fail(TP_ERR_INPUT, "--keep-costs: expected a shorter path, found %s", folder);
	return TP_OK;
}

enum tp_status tp_kept_costs_read(const char *folder, const struct tp_run_config *config, struct tp_cost_shape shape,
                                  struct tp_cost_table *table)
{
	char path[TP_CONFIG_PATH_BYTES + 256];
	if (!is_measured(config))
		return TP_OK;
	TP_TRY(find_place(folder, config, path, sizeof path));
	return access(path, F_OK) == 0 ? tp_cost_file_read(path, shape, table) : TP_OK;
}

enum tp_status tp_kept_costs_write(const char *folder, const struct tp_run_config *config,
                                   const struct tp_cost_table *table)
{
	char path[TP_CONFIG_PATH_BYTES + 256];
	if (!is_measured(config))
		return TP_OK;
	TP_TRY(find_place(folder, config, path, sizeof path));
	if (mkdir(folder, 0777) != 0 && errno != EEXIST)
		return tp_fail(TP_ERR_IO, "--keep-costs: %s: %s", folder, strerror(errno));
	return tp_cost_file_write(path, table);
}
