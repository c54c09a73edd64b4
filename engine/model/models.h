/* The build hooks of the models' files, for the table in model.c only. */
#ifndef TP_ENGINE_MODEL_MODELS_H
#define TP_ENGINE_MODEL_MODELS_H

#include "engine/model/model.h"

enum tp_status tp_build_mlp(const struct tp_model_entry *entry, const struct tp_model_options *options,
                            struct tp_model *model);
/* entry->variant: 11 or 16 */
enum tp_status tp_build_vgg(const struct tp_model_entry *entry, const struct tp_model_options *options,
                            struct tp_model *model);

#endif
