#include "baselines/policies.h"
#include "cli/help.h"
#include "engine/backend/device.h"
#include "engine/data/dataset.h"
#include "engine/model/model.h"

static const struct {
	const char *title;
	const char *topic; /* NULL: the command of that name prints more */
	unsigned commands;
} listings[TP_LISTINGS] = {
        [TP_LIST_SCHEDULES] = {"Schedules", "schedules", TP_FOR_COMPARE | TP_FOR_RUN | TP_FOR_SIMULATE},
        [TP_LIST_MODELS] = {"Models", NULL, TP_FOR_COMPARE | TP_FOR_RUN},
        [TP_LIST_DATASETS] = {"Data sets", "datasets", TP_FOR_COMPARE | TP_FOR_RUN},
        [TP_LIST_DEVICES] = {"Devices", "devices", TP_FOR_COMPARE | TP_FOR_RUN},
};

const char *tp_listing_title(enum tp_listing listing)
{
	return listings[listing].title;
}

const char *tp_listing_topic(enum tp_listing listing)
{
	return listings[listing].topic;
}

bool tp_listing_concerns(enum tp_listing listing, unsigned commands)
{
	return (listings[listing].commands & commands) != 0;
}

bool tp_listing_row(enum tp_listing listing, size_t index, struct tp_listing_row *row)
{
	*row = (struct tp_listing_row){NULL, NULL};
	switch (listing) {
	case TP_LIST_SCHEDULES:
		if (tp_policies[index])
			*row = (struct tp_listing_row){tp_policies[index]->name, tp_policies[index]->summary};
		break;
	case TP_LIST_MODELS:
		*row = (struct tp_listing_row){tp_models[index].name, tp_models[index].summary};
		break;
	case TP_LIST_DATASETS:
		*row = (struct tp_listing_row){tp_datasets[index].name, tp_datasets[index].summary};
		break;
	case TP_LIST_DEVICES:
		if (tp_devices[index])
			*row = (struct tp_listing_row){tp_devices[index]->name, tp_devices[index]->summary};
		break;
	case TP_LISTINGS:
		break;
	}
	return row->name != NULL;
}
