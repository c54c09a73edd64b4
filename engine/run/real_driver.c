#include "engine/run/real_driver.h"

#include <pthread.h>
#include <sched.h>

#include "engine/base/memory.h"

/* The `stage`-th of the allowed processors, round and round. Best effort: a refusal changes speed, not results. */
static void pin_to_core(int32_t stage)
{
	cpu_set_t allowed, one;
	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) == 0)
		return;
	int skip = stage % CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || skip-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		(void)pthread_setaffinity_np(pthread_self(), sizeof one, &one);
		return;
	}
}

/* Threads wait here before the window, so that no stage starts while others are still being made. */
struct start_line {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int32_t waiting;
	enum { START_WAIT, START_GO, START_CANCEL } state;
};

struct stage_thread {
	pthread_t thread;
	struct tp_worker *worker;
	tp_worker_body *body;
	struct start_line *line;
};

static bool wait_for_start(struct start_line *line)
{
	(void)pthread_mutex_lock(&line->mutex);
	line->waiting++;
	(void)pthread_cond_broadcast(&line->changed);
	while (line->state == START_WAIT)
		(void)pthread_cond_wait(&line->changed, &line->mutex);
	bool go = line->state == START_GO;
	(void)pthread_mutex_unlock(&line->mutex);
	return go;
}

static void *stage_main(void *argument)
{
	struct stage_thread *self = argument;
	const struct tp_worker *worker = self->worker;
	if (worker->crew->config->pin)
		pin_to_core(worker->index);
	if (worker->stage.ops->enter_thread)
		worker->stage.ops->enter_thread();
	if (wait_for_start(self->line))
		self->body(self->worker);
	return NULL;
}

static void release_all(struct start_line *line, int32_t threads, bool go)
{
	(void)pthread_mutex_lock(&line->mutex);
	while (line->waiting < threads)
		(void)pthread_cond_wait(&line->changed, &line->mutex);
	line->state = go ? START_GO : START_CANCEL;
	(void)pthread_cond_broadcast(&line->changed);
	(void)pthread_mutex_unlock(&line->mutex);
}

static enum tp_status run_threads(struct tp_crew *crew, tp_worker_body *body, struct stage_thread *threads,
                                  struct start_line *line, uint64_t *allocations)
{
	int32_t stages = crew->pipeline.stages, made = 0;
	while (made < stages) {
		threads[made] = (struct stage_thread){.worker = &crew->workers[made], .body = body, .line = line};
		if (pthread_create(&threads[made].thread, NULL, stage_main, &threads[made]) != 0)
			break;
		made++;
	}
	uint64_t before = tp_alloc_count();
	release_all(line, made, made == stages);
	for (int32_t s = 0; s < made; s++)
		(void)pthread_join(threads[s].thread, NULL);
	*allocations = tp_alloc_count() - before;
	if (made < stages)
		return tp_fail(TP_ERR_NOMEM, "cannot start a thread for stage %d", made);
	if (crew->failure != TP_OK)
		return tp_fail(crew->failure, "%s", crew->failure_detail);
	return TP_OK;
}

enum tp_status tp_real_driver_run(struct tp_crew *crew, tp_worker_body *body, uint64_t *allocations)
{
	struct start_line line = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	struct stage_thread *threads = tp_alloc_array((size_t)crew->pipeline.stages, sizeof *threads);
	if (!threads)
		return TP_ERR_NOMEM;
	enum tp_status status = run_threads(crew, body, threads, &line, allocations);
	tp_free(threads);
	(void)pthread_cond_destroy(&line.changed);
	(void)pthread_mutex_destroy(&line.mutex);
	return status;
}
