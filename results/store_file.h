/* Looking at a database file before SQLite does, with plain reads that change nothing: SQLite itself may leave files
 * beside one it opens, or roll back a journal, even when it only looks. */
#ifndef TP_RESULTS_STORE_FILE_H
#define TP_RESULTS_STORE_FILE_H

#include <stdbool.h>

#include "engine/base/status.h"

/* A place for results: a missing or empty file in a folder that takes files, an SQLite file without tables, or a file
 * of ours. Else TP_ERR_INPUT. */
enum tp_status tp_store_file_check_writable(const char *path);

/* An existing file of ours. Else TP_ERR_INPUT. */
enum tp_status tp_store_file_check_readable(const char *path);

/* Whether a write-ahead log or a rollback journal lies beside the file. */
bool tp_store_file_has_log(const char *path);

/* Whether files can be made beside it. */
bool tp_store_file_folder_writable(const char *path);

#endif
