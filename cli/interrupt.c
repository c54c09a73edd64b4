#include "cli/interrupt.h"

#include <signal.h>
#include <string.h>

static struct tp_run_control *watched; /* set while the handler is installed */

static void on_signal(int number)
{
	(void)number;
	atomic_store(&watched->stop, true); /* lock-free, hence allowed here */
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
	watched = control;
	set_handler(on_signal, (int)SA_RESETHAND | SA_RESTART);
}

void tp_interrupt_restore(void)
{
	set_handler(SIG_DFL, 0);
	watched = NULL;
}
