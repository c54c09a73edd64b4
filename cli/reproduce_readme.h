/* What stands in the folder of a reproduction: which runs there are, what is scaled down, how to go on. */
#ifndef TP_CLI_REPRODUCE_README_H
#define TP_CLI_REPRODUCE_README_H

#include "cli/reproduce_plan.h"

/* Write OUT/README-PLAN.md, one for each plan that goes to the folder. TP_ERR_IO. */
enum tp_status tp_reproduce_write_readme(const struct tp_reproduce_setting *setting);

#endif
