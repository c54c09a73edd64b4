/* Text: building, numbers with units, and the nearest name for a misspelt one. */
#ifndef TP_ENGINE_BASE_TEXT_H
#define TP_ENGINE_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/status.h"

/* A growing, NUL-ended text. Zero-initialise; release with tp_text_release(). When memory runs out the text keeps
 * what it has and `failed` is set: check once at the end. */
struct tp_text {
	char *data; /* NULL while empty */
	size_t length;
	size_t capacity;
	bool failed;
};

void tp_text_add(struct tp_text *text, const char *fmt, ...) TP_PRINTF(2, 3);
void tp_text_release(struct tp_text *text);
/* The text so far; "" while empty. Owned by `text`. */
const char *tp_text_get(const struct tp_text *text);

/* Parse all of `s`, in the C locale. `what` names the option or field in the error. */
enum tp_status tp_parse_i64(const char *what, const char *s, int64_t min, int64_t max, int64_t *out);
enum tp_status tp_parse_f64(const char *what, const char *s, double min, double max, double *out);

/* "64MiB", "1.5GB", "300" -> bytes. Units B, kB, MB, GB (1000), KiB, MiB, GiB (1024). */
enum tp_status tp_parse_bytes(const char *what, const char *s, int64_t *bytes);
/* "50us", "1.5ms", "10s", "300ns", "2min", "6h", "30d" -> nanoseconds; a bare number is refused. */
enum tp_status tp_parse_duration(const char *what, const char *s, int64_t *ns);
/* "10gbit", "100mbit", "1.5GB/s" -> bytes per second. Units bit, kbit, mbit, gbit, tbit, B/s, kB/s, MB/s, GB/s (1000).
 */
enum tp_status tp_parse_rate(const char *what, const char *s, double *bytes_per_s);
/* "50gflops", "1tflops" -> floating-point operations per second. */
enum tp_status tp_parse_flops(const char *what, const char *s, double *flops_per_s);

/* Human forms into `out` (at least 24 bytes): "1.23 s", "45.6 ms", "12 ns"; "1.2 MiB", "512 B". Return `out`. */
char *tp_format_ns(char *out, size_t size, int64_t ns);
char *tp_format_bytes(char *out, size_t size, int64_t bytes);

/* The name of `names` (NULL-ended) with the smallest edit distance to `wrong`; NULL when none is near (distance at
 * most 2, or a third of the length). */
const char *tp_nearest(const char *wrong, const char *const *names);

/* The failure of looking `wrong` up among `names` (NULL-ended), TP_ERR_INPUT: "unknown model 'vg16': did you mean
 * 'vgg16'?", or, when none is near, the list of them. `what` is the kind of thing: "model". */
enum tp_status tp_fail_unknown(const char *what, const char *wrong, const char *const *names);

#endif
