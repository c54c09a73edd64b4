/* tpbench diff: one database against another, as a gate. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "engine/base/colour.h"
#include "reports/diff.h"

/* "5%" or "0.05", as a share. A bare 5 would be either. */
static enum tp_status parse_threshold(const char *word, double *share)
{
	static const char what[] = "--threshold";
	char number[sizeof((struct tp_options *)0)->threshold];
	size_t length = strlen(word);
	if (length == 0 || word[length - 1] != '%') {
		enum tp_status status = tp_parse_f64(what, word, 0, 1, share);
		return status == TP_OK ? TP_OK : tp_fail_in(status, "per cent as 5%% or a share as 0.05");
	}
	(void)snprintf(number, sizeof number, "%.*s", (int)length - 1, word);
	TP_TRY(tp_parse_f64(what, number, 0, 1000, share));
	*share /= 100;
	return TP_OK;
}

static enum tp_status print(const struct tp_diff *diff, bool json)
{
	struct tp_text out = {0};
	enum tp_status status =
	        json ? tp_diff_write_json(diff, &out) : tp_diff_write(diff, tp_colour_wanted(STDOUT_FILENO), &out);
	if (status == TP_OK)
		fputs(tp_text_get(&out), stdout);
	tp_text_release(&out);
	return status;
}

static enum tp_status compare(struct tp_store *a, struct tp_store *b, const struct tp_diff_request *request, bool json)
{
	struct tp_diff diff;
	TP_TRY(tp_diff_read(a, b, request, &diff));
	int worse = diff.verdicts[TP_DIFF_WORSE];
	enum tp_status status = print(&diff, json);
	tp_diff_release(&diff);
	if (status == TP_OK && worse > 0)
		status = tp_fail(TP_ERR_WORSE, "diff: %d figure%s of %s worse by more than %g %%", worse,
		                 worse == 1 ? "" : "s", request->path[1], 100 * request->threshold);
	return status;
}

enum tp_status tp_command_diff(const struct tp_arguments *arguments)
{
	const struct tp_options *options = &arguments->options;
	struct tp_diff_request request = {.metrics = options->metrics};
	struct tp_store *a, *b;
	if (arguments->more_count != 1)
		return tp_fail(TP_ERR_INPUT, "diff: expected two databases, found %d",
		               arguments->more_count + (arguments->word != NULL));
	request.path[0] = arguments->word;
	request.path[1] = arguments->more[0];
	TP_TRY(parse_threshold(options->threshold, &request.threshold));
	TP_TRY(tp_store_open_readonly(request.path[0], &a));
	enum tp_status status = tp_store_open_readonly(request.path[1], &b);
	if (status == TP_OK) {
		status = compare(a, b, &request, options->json);
		tp_store_close(b);
	}
	tp_store_close(a);
	return status;
}
