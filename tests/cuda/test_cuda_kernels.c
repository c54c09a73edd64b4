/* Each of our kernels against its host version, over the same memory: where the pointers allow packs of four elements
 * and where they do not, with counts that fill none. On a GPU, or with the stand-in's file as argument on that, which
 * shows that arguments arrive and that nothing else is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/cuda/cuda_devices.h"
#include "tests/cuda/stand_in.h"

/* The memory of a case: three areas of values, two of floats, one of labels, the sums of a loss. */
enum { AREA_BYTES = 256 * 1024, A = 0, B = AREA_BYTES, C = 2 * AREA_BYTES, FLOATS = 3 * AREA_BYTES };
enum { FLOATS2 = 4 * AREA_BYTES, LABELS = 5 * AREA_BYTES, SUMS = LABELS + 4096, ALL_BYTES = SUMS + 4096 };
enum { CLASSES = 37, LABELLED = 50 };

struct variant {
	int32_t type;
	bool unaligned; /* values begin one element later */
	bool other;     /* what the kernel can also do */
};

union any_args {
#define ANY_ARGS(number, name, args) args of_##name;
	TPB_KERNEL_LIST(ANY_ARGS)
#undef ANY_ARGS
};

/* The elements that a kernel writes. */
struct written {
	size_t at;
	int64_t count;
	int32_t type;
};

struct kernel_case {
	union any_args args;
	int64_t items;
	struct written written[2];
};

static struct tp_device *device;

static size_t element_bytes(int32_t type)
{
	return type == TPB_BF16 ? 2 : 4;
}

static size_t values_at(size_t area, const struct variant *variant)
{
	return area + (variant->unaligned ? element_bytes(variant->type) : 0);
}

typedef void build_function(char *base, const struct variant *variant, struct kernel_case *of);

static void build_upload(char *base, const struct variant *v, struct kernel_case *of)
{
	const size_t to = values_at(C, v);
	of->items = 5 * 3 * 35;
	of->args.of_tpb_upload = (struct tpb_upload_args){(void *)(base + FLOATS), base + to, 5, 3, 35, v->type};
	of->written[0] = (struct written){to, of->items, v->type};
}

static void build_sgd(char *base, const struct variant *v, struct kernel_case *of)
{
	of->items = 1003;
	of->args.of_tpb_sgd = (struct tpb_sgd_args){
	        .from = (void *)(base + FLOATS),
	        .to = (void *)(base + (v->unaligned ? FLOATS + 8 * 1024 : FLOATS)),
	        .gradient = (void *)(base + FLOATS + 16 * 1024),
	        .momentum_buffer = (void *)(base + FLOATS2),
	        .count = of->items,
	        .lr = 0.1F,
	        .momentum = 0.9F,
	        .weight_decay = 0.01F,
	        .first_step = v->other,
	};
	of->written[0] = (struct written){v->unaligned ? FLOATS + 8 * 1024 : FLOATS, of->items, TPB_F32};
	of->written[1] = (struct written){FLOATS2, of->items, TPB_F32};
}

static void build_blend(char *base, const struct variant *v, struct kernel_case *of)
{
	const size_t x = values_at(A, v), to = v->other ? x : values_at(C, v);
	of->items = 1003;
	of->args.of_tpb_blend =
	        (struct tpb_blend_args){base + x, base + values_at(B, v), base + to, of->items, 0.3F, 0.7F, v->type};
	of->written[0] = (struct written){to, of->items, v->type};
}

static void build_loss_forward(char *base, const struct variant *v, struct kernel_case *of)
{
	const size_t probabilities = values_at(C, v);
	of->items = LABELLED;
	of->args.of_tpb_loss_forward = (struct tpb_loss_args){
	        .logits = base + values_at(A, v),
	        .probabilities = v->other ? NULL : base + probabilities,
	        .labels = (void *)(base + LABELS),
	        .sums = (void *)(base + SUMS),
	        .rows = LABELLED,
	        .classes = CLASSES,
	        .type = v->type,
	};
	if (!v->other)
		of->written[0] = (struct written){probabilities, LABELLED * CLASSES, v->type};
}

static void build_loss_backward(char *base, const struct variant *v, struct kernel_case *of)
{
	const size_t dlogits = values_at(C, v);
	of->items = LABELLED * CLASSES;
	of->args.of_tpb_loss_backward = (struct tpb_loss_args){
	        .probabilities = base + values_at(A, v),
	        .labels = (void *)(base + LABELS),
	        .dlogits = base + dlogits,
	        .rows = LABELLED,
	        .classes = CLASSES,
	        .type = v->type,
	        .scale = 0.25F,
	};
	of->written[0] = (struct written){dlogits, of->items, v->type};
}

static void build_bias_relu(char *base, const struct variant *v, struct kernel_case *of)
{
	const int32_t channels = v->unaligned ? 13 : 12;
	const size_t y = values_at(A, v);
	of->items = 101 * channels;
	of->args.of_tpb_bias_relu = (struct tpb_bias_args){
	        base + y, v->other ? NULL : (void *)(base + FLOATS), 101, channels, v->other || v->unaligned, v->type};
	of->written[0] = (struct written){y, of->items, v->type};
}

static void build_bias_gradient(char *base, const struct variant *v, struct kernel_case *of)
{
	const int32_t channels = 13, chunks = v->other ? 1 : 7;
	of->items = channels * chunks;
	of->args.of_tpb_bias_gradient = (struct tpb_sums_args){
	        base + values_at(A, v), (void *)(base + FLOATS), 1001, channels, chunks, v->other, v->type};
	of->written[0] = (struct written){FLOATS, of->items, TPB_F32};
}

static void build_relu_mask(char *base, const struct variant *v, struct kernel_case *of)
{
	const size_t dy = values_at(A, v), masked = v->other ? dy : values_at(C, v);
	of->items = 1003;
	of->args.of_tpb_relu_mask =
	        (struct tpb_mask_args){base + dy, base + values_at(B, v), base + masked, of->items, v->type};
	of->written[0] = (struct written){masked, of->items, v->type};
}

static void build_add_relu(char *base, const struct variant *v, struct kernel_case *of)
{
	const size_t y = values_at(C, v);
	of->items = 1003;
	of->args.of_tpb_add_relu = (struct tpb_add_args){
	        base + values_at(A, v), base + values_at(B, v), base + y, of->items, v->other, v->type};
	of->written[0] = (struct written){y, of->items, v->type};
}

/* From values to floats, added where they can also be, or from floats to values. */
static void build_convert(char *base, const struct variant *v, struct kernel_case *of)
{
	const size_t values = values_at(A, v), from = v->unaligned ? FLOATS : values,
	             to = v->unaligned ? values : FLOATS;
	const int32_t from_type = v->unaligned ? TPB_F32 : v->type, to_type = v->unaligned ? v->type : TPB_F32;
	of->items = 1003;
	of->args.of_tpb_convert =
	        (struct tpb_convert_args){base + from, base + to, of->items, from_type, to_type, v->other};
	of->written[0] = (struct written){to, of->items, to_type};
}

static void build_permute(char *base, const struct variant *v, struct kernel_case *of)
{
	const size_t to = values_at(C, v);
	of->items = 4 * 9 * 35;
	of->args.of_tpb_permute =
	        (struct tpb_permute_args){base + values_at(A, v), base + to, 4, 9, 35, v->other, v->type};
	of->written[0] = (struct written){to, of->items, v->type};
}

/* Random values everywhere, in the type that a kernel takes them for. */
static void fill(char *base, const struct variant *variant)
{
	struct tp_prng prng;
	tp_prng_init(&prng, 3, 14);
	memset(base, 0, ALL_BYTES);
	for (size_t i = 0; i < FLOATS / element_bytes(variant->type); i++) {
		const float value = (float)tp_prng_normal(&prng);
		if (variant->type == TPB_BF16)
			((uint16_t *)(void *)base)[i] = fake_to_bf16(value);
		else
			((float *)(void *)base)[i] = value;
	}
	for (size_t i = FLOATS / sizeof(float); i < LABELS / sizeof(float); i++)
		((float *)(void *)base)[i] = (float)tp_prng_normal(&prng);
	for (int32_t i = 0; i < LABELLED; i++)
		((int32_t *)(void *)(base + LABELS))[i] = i * 5 % CLASSES;
}

static double value_at(const char *base, const struct written *written, int64_t i)
{
	const void *at = base + written->at + (size_t)i * element_bytes(written->type);
	return written->type == TPB_BF16 ? (double)fake_from_bf16(*(const uint16_t *)at) : (double)*(const float *)at;
}

/* What is written is nearly the same, everything else to the bit. */
static void compare(const char *name, char *found, char *expected, const struct kernel_case *of)
{
	for (size_t w = 0; w < sizeof of->written / sizeof of->written[0]; w++) {
		const struct written *written = &of->written[w];
		const double tolerance = written->type == TPB_BF16 ? 1e-2 : 1e-5;
		for (int64_t i = 0; i < written->count; i++) {
			const double here = value_at(found, written, i), there = value_at(expected, written, i);
			if (!(fabs(here - there) <= tolerance * fmax(1, fabs(there))))
				fail_msg("%s, type %d, element %d: expected %.9g, found %.9g", name, written->type,
				         (int)i, there, here);
		}
		memcpy(found + written->at, expected + written->at,
		       (size_t)written->count * element_bytes(written->type));
	}
	struct tpb_loss_sums *here = (void *)(found + SUMS), *there = (void *)(expected + SUMS);
	assert_true(fabs(here->loss_sum - there->loss_sum) <= 1e-5 * fabs(there->loss_sum));
	here->loss_sum = there->loss_sum;
	for (size_t i = 0; i < ALL_BYTES; i++)
		if (found[i] != expected[i])
			fail_msg("%s: byte %zu is not one that it writes", name, i);
}

static const struct fake_kernel *host_version(const char *name)
{
	for (const struct fake_kernel *kernel = fake_kernels; kernel->name; kernel++)
		if (strcmp(kernel->name, name) == 0)
			return kernel;
	fail_msg("%s has no host version", name);
	return NULL;
}

static void check(enum tpb_kernel kernel, const char *name, build_function *build, const struct variant *variant)
{
	struct kernel_case on_host = {.items = 0}, on_device = {.items = 0};
	char *expected = tp_alloc(ALL_BYTES), *found = tp_alloc(ALL_BYTES),
	     *memory = stand_in_memory(device, ALL_BYTES);
	struct tp_cuda_device *cuda = tp_cuda_of(device);
	fill(expected, variant);
	build(expected, variant, &on_host);
	build(memory, variant, &on_device);
	assert_int_equal(tp_cuda_to_device(cuda, expected, memory, ALL_BYTES), TP_OK);
	host_version(name)->run(&on_host.args);
	assert_int_equal(tp_cuda_launch(cuda, kernel, &on_device.args, on_device.items), TP_OK);
	assert_int_equal(tp_cuda_to_host(cuda, memory, found, ALL_BYTES), TP_OK);
	compare(name, found, expected, &on_host);
	device->ops->memory->release(device, memory);
	tp_free(expected);
	tp_free(found);
}

static void every_kernel_does_what_its_host_version_does(void **unused)
{
	(void)unused;
	const struct tp_device_options options = {.math = TP_MATH_FP32, .stages = 1};
	assert_int_equal(tp_cuda_device_f32.open(&options, 0, &device), TP_OK);
	for (int bits = 0; bits < 8; bits++) {
		const struct variant variant = {bits & 1 ? TPB_BF16 : TPB_F32, bits & 2, bits & 4};
		check(TPB_UPLOAD, "tpb_upload", build_upload, &variant);
		check(TPB_SGD, "tpb_sgd", build_sgd, &variant);
		check(TPB_BLEND, "tpb_blend", build_blend, &variant);
		check(TPB_LOSS_FORWARD, "tpb_loss_forward", build_loss_forward, &variant);
		check(TPB_LOSS_BACKWARD, "tpb_loss_backward", build_loss_backward, &variant);
		check(TPB_BIAS_RELU, "tpb_bias_relu", build_bias_relu, &variant);
		check(TPB_BIAS_GRADIENT, "tpb_bias_gradient", build_bias_gradient, &variant);
		check(TPB_RELU_MASK, "tpb_relu_mask", build_relu_mask, &variant);
		check(TPB_ADD_RELU, "tpb_add_relu", build_add_relu, &variant);
		check(TPB_CONVERT, "tpb_convert", build_convert, &variant);
		check(TPB_PERMUTE, "tpb_permute", build_permute, &variant);
	}
	device->ops->close(device);
}

static int clean(void **state)
{
	return stand_in.counts ? stand_in_clean(state) : 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		stand_in_load(argv[1], "1");
	struct tp_text line = {0};
	if (!tp_cuda_probe(&line)) {
		(void)printf("test_cuda_kernels: %s: %s\n", argc > 1 ? "failed" : "skipped", tp_text_get(&line));
		tp_text_release(&line);
		return argc > 1 ? 1 : 77; /* the stand-in is always there */
	}
	tp_text_release(&line);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(every_kernel_does_what_its_host_version_does, clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
