#include "cli/simulated_picture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/simulated_run.h"
#include "reports/timeline.h"

/* A page that holds nothing but the timeline. */
static enum tp_status write_page(const struct tp_timeline *timeline, struct tp_text *out)
{
	tp_text_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	                 "<meta name=\"viewport\" content=\"width=device-width\">\n"
	                 "<meta name=\"color-scheme\" content=\"light dark\">\n<title>tpbench timeline</title>\n");
	enum tp_status status = tp_timeline_write_html(timeline, out);
	tp_text_add(out, "</html>\n");
	return status;
}

static enum tp_status draw(const struct tp_options *options, const struct tp_forecast *forecast, struct tp_store *store,
                           struct tp_text *out)
{
	const struct tp_timeline_request request = {.versions = options->versions};
	struct tp_timeline *timeline;
	int64_t run_id;
	TP_TRY(tp_simulated_run_store(store, &options->config, forecast, &run_id));
	TP_TRY(tp_timeline_read(store, run_id, 1, &request, &timeline));
	enum tp_status status =
	        options->format == TP_SIMULATE_SVG ? tp_timeline_write_svg(timeline, out) : write_page(timeline, out);
	tp_timeline_free(timeline);
	return status == TP_OK && out->failed ? TP_ERR_NOMEM : status;
}

static enum tp_status output_failed(const char *path)
{
	return tp_fail(TP_ERR_IO, "--out %s: cannot be written: %s", path, strerror(errno));
}

static enum tp_status write_file(const char *path, const struct tp_text *text)
{
	char making[TP_CONFIG_PATH_BYTES + 8];
	(void)snprintf(making, sizeof making, "%s.part", path);
	FILE *file = fopen(making, "w");
	if (!file)
		return output_failed(path);
	bool written = fwrite(text->data, 1, text->length, file) == text->length;
	written = fclose(file) == 0 && written;
	if (written && rename(making, path) == 0)
		return TP_OK;
	enum tp_status status = output_failed(path);
	(void)unlink(making);
	return status;
}

static enum tp_status print(const struct tp_text *text)
{
	bool written = fwrite(text->data, 1, text->length, stdout) == text->length && fflush(stdout) == 0;
	return written ? TP_OK : tp_fail(TP_ERR_IO, "standard output: could not be written");
}

enum tp_status tp_simulated_picture(const struct tp_options *options, const struct tp_forecast *forecast)
{
	struct tp_store *store;
	struct tp_text picture = {0};
	TP_TRY(tp_store_open_memory(&store));
	enum tp_status status = draw(options, forecast, store, &picture);
	tp_store_close(store);
	bool to_file = options->out[0] && strcmp(options->out, "-") != 0;
	if (status == TP_OK)
		status = to_file ? write_file(options->out, &picture) : print(&picture);
	tp_text_release(&picture);
	return status;
}
