/* What the operating system knows of this process. */
#ifndef TP_ENGINE_BASE_PROCESS_H
#define TP_ENGINE_BASE_PROCESS_H

#include <stdint.h>

/* Resident memory in bytes; 0 when the system does not say. */
int64_t tp_resident_bytes(void);

/* Bytes in use in the C library's heap, ours and the libraries'; 0 when it does not say. */
int64_t tp_heap_bytes(void);

/* Processors this process may run on. */
int32_t tp_free_cores(void);

#endif
