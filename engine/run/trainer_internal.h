/* What other parts of engine/run may reach inside a trainer. */
#ifndef TP_ENGINE_RUN_TRAINER_INTERNAL_H
#define TP_ENGINE_RUN_TRAINER_INTERNAL_H

#include "engine/run/worker.h"

struct tp_crew *tp_trainer_crew(struct tp_trainer *trainer);

#endif
