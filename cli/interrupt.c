#include "cli/interrupt.h"

#include <signal.h>
#include <string.h>

#define DEPTH_MAX 2 /* a run inside a sweep */

/* Those who asked to be told, the outermost first. */
static struct tp_run_control *watched[DEPTH_MAX];
static _Atomic int depth;

static void on_signal(int number)
{
	(void)number;
	for (int i = atomic_load(&depth) - 1; i >= 0; i--)
		atomic_store(&watched[i]->stop, true); /* lock-free, hence allowed here */
}

static void set_handler(void (*handler)(int), int flags)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = handler;
	action.sa_flags = flags;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

void tp_interrupt_install(struct tp_run_control *control)
{
	int installed = atomic_load(&depth);
	TP_CHECK(installed < DEPTH_MAX);
	watched[installed] = control;
	atomic_store(&depth, installed + 1);
	if (installed == 0)
		set_handler(on_signal, (int)SA_RESETHAND | SA_RESTART);
	else if (atomic_load(&watched[0]->stop))
		atomic_store(&control->stop, true); /* it came between the two */
}

void tp_interrupt_restore(void)
{
	int installed = atomic_load(&depth);
	TP_CHECK(installed > 0);
	if (installed == 1)
		set_handler(SIG_DFL, 0);
	atomic_store(&depth, installed - 1);
}
