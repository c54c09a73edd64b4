/* The paper's claims judged by a database and by slot plans, for `tpbench claims` and the page. */
#ifndef TP_CLI_CLAIMS_H
#define TP_CLI_CLAIMS_H

#include "reports/claims.h"

/* tp_claims_read(), with what the simulator says of slot plans added. Release with tp_claims_release(), safe after a
 * failure. */
enum tp_status tp_claims_read_with_plans(struct tp_store *store, const struct tp_groups *groups,
                                         struct tp_claims *claims);

#endif
