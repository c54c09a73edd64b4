/* simulate --format svg and html: a forecast drawn as stored runs are. */
#ifndef TP_CLI_SIMULATED_PICTURE_H
#define TP_CLI_SIMULATED_PICTURE_H

#include "cli/forecasting.h"

/* Draw the forecast into the file --out, which takes its name when it is whole, or to standard output. TP_ERR_IO with
 * the file. */
enum tp_status tp_simulated_picture(const struct tp_options *options, const struct tp_forecast *forecast);

#endif
