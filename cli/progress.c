#include "cli/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

#define REDRAW_NS (TP_NS_PER_S / 5)

struct tp_progress_line {
	pthread_t thread;
	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t changed;
	bool ending;
	int64_t total_minis;
	int64_t earlier_minis;          /* of runs that are over */
	int64_t earlier_ns;             /* time those took */
	struct tp_run_control *control; /* NULL between runs */
	int64_t begin_ns;
	int32_t batch;
	char title[96];
	int drawn_columns;
};

/* Blanks over what the last text left, instead of an escape sequence: any terminal understands them. */
static void draw(struct tp_progress_line *line, const char *text)
{
	int columns = (int)strlen(text);
	fprintf(stderr, "\r%*s\r%s", line->drawn_columns, "", text);
	fflush(stderr);
	line->drawn_columns = columns;
}

static void draw_run(struct tp_progress_line *line)
{
	int64_t minis = atomic_load(&line->control->minis_done);
	int64_t run_ns = tp_now_ns() - line->begin_ns;
	int64_t all_minis = line->earlier_minis + minis;
	char text[200];
	int length = snprintf(text, sizeof text, "%s  %3.0f %%", line->title,
	                      100 * (double)all_minis / (double)line->total_minis);
	if (minis > 0 && run_ns > 0 && length > 0) {
		char rate[40] = "";
		double per_mini_ns = (double)(line->earlier_ns + run_ns) / (double)all_minis;
		char left[24];
		tp_format_ns(left, sizeof left, (int64_t)(per_mini_ns * (double)(line->total_minis - all_minis)));
		if (line->batch > 0)
			(void)snprintf(rate, sizeof rate, "  %.1f samples/s",
			               (double)minis * line->batch / ((double)run_ns / (double)TP_NS_PER_S));
		(void)snprintf(text + length, sizeof text - (size_t)length, "%s  %s left", rate, left);
	}
	draw(line, text);
}

static void *draw_until_end(void *argument)
{
	struct tp_progress_line *line = argument;
	pthread_mutex_lock(&line->lock);
	while (!line->ending) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		int64_t ns = until.tv_nsec + REDRAW_NS;
		until.tv_sec += ns / TP_NS_PER_S;
		until.tv_nsec = ns % TP_NS_PER_S;
		pthread_cond_timedwait(&line->changed, &line->lock, &until);
		if (line->control)
			draw_run(line);
	}
	pthread_mutex_unlock(&line->lock);
	return NULL;
}

enum tp_status tp_progress_line_new(int64_t total_minis, struct tp_progress_line **out)
{
	*out = NULL;
	if (!isatty(STDERR_FILENO) || total_minis <= 0)
		return TP_OK;
	struct tp_progress_line *line = tp_alloc(sizeof *line);
	if (!line)
		return TP_ERR_NOMEM;
	line->total_minis = total_minis;
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&line->lock, NULL);
	pthread_cond_init(&line->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	int error = pthread_create(&line->thread, NULL, draw_until_end, line);
	if (error) {
		pthread_cond_destroy(&line->changed);
		pthread_mutex_destroy(&line->lock);
		tp_free(line);
		return tp_fail(TP_ERR_IO, "progress line: no thread: %s", strerror(error));
	}
	*out = line;
	return TP_OK;
}

void tp_progress_line_free(struct tp_progress_line *line)
{
	if (!line)
		return;
	pthread_mutex_lock(&line->lock);
	line->ending = true;
	pthread_cond_signal(&line->changed);
	pthread_mutex_unlock(&line->lock);
	pthread_join(line->thread, NULL);
	draw(line, "");
	pthread_cond_destroy(&line->changed);
	pthread_mutex_destroy(&line->lock);
	tp_free(line);
}

void tp_progress_line_begin(struct tp_progress_line *line, const char *title, int32_t batch,
                            struct tp_run_control *control)
{
	if (!line)
		return;
	pthread_mutex_lock(&line->lock);
	(void)snprintf(line->title, sizeof line->title, "%s", title);
	line->batch = batch;
	line->control = control;
	line->begin_ns = tp_now_ns();
	pthread_mutex_unlock(&line->lock);
}

void tp_progress_line_end(struct tp_progress_line *line, int64_t minis)
{
	if (!line)
		return;
	pthread_mutex_lock(&line->lock);
	line->earlier_minis += minis;
	line->earlier_ns += tp_now_ns() - line->begin_ns;
	line->control = NULL;
	pthread_mutex_unlock(&line->lock);
}
