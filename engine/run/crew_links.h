/* How messages travel between the stages of a crew. Internal to engine/run. */
#ifndef TP_ENGINE_RUN_CREW_LINKS_H
#define TP_ENGINE_RUN_CREW_LINKS_H

#include "engine/run/worker.h"

/* Once the device is known: crew->link, or a refusal of --transport, --link or --cluster. */
enum tp_status tp_crew_choose_link(struct tp_crew *crew, const struct tp_device_ops *ops);

/* Once stages and channels are made: emulated links, or the ways and marks between devices. Released before any worker
 * is; safe after a failure. */
enum tp_status tp_crew_make_links(struct tp_crew *crew, struct tp_emulation *emulation);
void tp_crew_release_links(struct tp_crew *crew);

#endif
