/* The documentation of the database, made from the comments inside its definitions. */
#ifndef TP_RESULTS_SCHEMA_DOCUMENT_H
#define TP_RESULTS_SCHEMA_DOCUMENT_H

#include "engine/base/text.h"

/* Markdown: every table, view and column of the schema that this build writes, with type, unit and comment. Needs no
 * file. TP_ERR_IO or TP_ERR_NOMEM when SQLite fails; `text` then holds a part. */
enum tp_status tp_schema_document(struct tp_text *text);

/* What a column of this name counts in: "nanoseconds"; NULL when its name does not say. Static. */
const char *tp_schema_unit(const char *column);

#endif
