/* Ctrl-C and SIGTERM: ask the run to end cleanly; a second one ends the process at once. */
#ifndef TP_CLI_INTERRUPT_H
#define TP_CLI_INTERRUPT_H

#include "engine/run/trainer.h"

/* From now on SIGINT and SIGTERM set control->stop. `control` must live until tp_interrupt_restore(), which ends the
 * latest of two that may be installed one inside the other: a signal tells both, and one that came before the inner was
 * installed is told to it then. */
void tp_interrupt_install(struct tp_run_control *control);
void tp_interrupt_restore(void);

#endif
