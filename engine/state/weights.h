/* The parameter memory of one stage: a pool of equal buffers, each one version of all its trainable tensors in the
 * kernels' layout, one buffer for the gradient, and one of momentum for each lineage of versions (one, unless sequences
 * are independent); running statistics, which have no versions, beside them. Which buffer holds which version is the
 * version ledger's business; no version is ever copied. */
#ifndef TP_ENGINE_STATE_WEIGHTS_H
#define TP_ENGINE_STATE_WEIGHTS_H

#include "engine/base/memory.h"
#include "profiler/memory_ledger.h"

struct tp_weights {
	size_t params_bytes, state_bytes;
	int32_t buffer_count;
	struct tp_arena arena;
	void **buffer; /* buffer_count of params_bytes */
	void *gradient;
	void **momentum; /* momentum_count of params_bytes */
	bool *stepped;   /* by momentum buffer: it holds something */
	int32_t momentum_count;
	void *state;
	int32_t versions_counted; /* versions that the memory ledger knows of, the live one included */
	int32_t momenta_counted;
};

/* Reserve everything and count what is in use from now on in `memory`. Release with tp_weights_release(); safe after a
 * failure. */
enum tp_status tp_weights_init(struct tp_weights *weights, size_t params_bytes, size_t state_bytes, int32_t buffers,
                               int32_t momenta, const struct tp_memory_source *source, struct tp_memory_ledger *memory);
void tp_weights_release(struct tp_weights *weights);

/* Tell the memory ledger how many versions are alive now, and how many momentum buffers are in use. */
void tp_weights_count(struct tp_weights *weights, int32_t versions_alive, struct tp_memory_ledger *memory);
void tp_weights_count_momenta(struct tp_weights *weights, int32_t in_use, struct tp_memory_ledger *memory);

#endif
