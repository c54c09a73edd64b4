/* The choice of convolution algorithms: timed once, kept for the process and in a file, and none of it relied upon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/backend/cpu_choice.h"
#include "engine/backend/devices.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"

static char folder[64];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/tpbench-choice-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	char path[512];
	DIR *dir = opendir(folder);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		(void)unlink(path);
	}
	(void)closedir(dir);
	return rmdir(folder);
}

/* A key that nobody else uses: the table of the process cannot be emptied. */
static struct tp_conv_key fresh_key(void)
{
	static int32_t next = 1;
	return (struct tp_conv_key){TP_DNNL_BACKWARD_DATA, {7, 5, 5}, 9, 3, 1, 1, next++};
}

static char *file_of_this_machine(void)
{
	char *file = tp_choice_file(folder);
	assert_non_null(file);
	return file;
}

static void write_file(const char *path, const void *content, size_t bytes)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, bytes, file), bytes);
	assert_int_equal(fclose(file), 0);
}

static size_t read_file(const char *path, char *content, size_t room)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t bytes = fread(content, 1, room - 1, file);
	(void)fclose(file);
	content[bytes] = '\0';
	return bytes;
}

/* A file that is good up to its header and holds one line for `key`. */
static size_t good_file(const char *path, const struct tp_conv_key *key, char *content, size_t room)
{
	(void)unlink(path);
	tp_choice_save(path);
	(void)read_file(path, content, room);
	char *body = strchr(strchr(content, '\n') + 1, '\n') + 1;
	(void)snprintf(body, room - (size_t)(body - content), "BD %d %d %d %d %d %d %d %d winograd\n", key->in.c,
	               key->in.h, key->in.w, key->out_channels, key->kernel, key->stride, key->padding, key->samples);
	write_file(path, content, strlen(content));
	return strlen(content);
}

static void choices_are_remembered(void **unused)
{
	(void)unused;
	struct tp_conv_key key = fresh_key(), other = fresh_key();
	enum tp_conv_algorithm algorithm = TP_CONV_BY_DIRECT;
	assert_false(tp_choice_find(&key, &algorithm));
	tp_choice_remember(&key, TP_CONV_BY_WINOGRAD);
	tp_choice_remember(&key, TP_CONV_BY_DIRECT); /* the first one stays */
	assert_true(tp_choice_find(&key, &algorithm));
	assert_int_equal(algorithm, TP_CONV_BY_WINOGRAD);
	assert_false(tp_choice_find(&other, &algorithm));
}

static void a_file_brings_choices_back(void **unused)
{
	(void)unused;
	char content[16384];
	char *path = file_of_this_machine();
	struct tp_conv_key key = fresh_key();
	enum tp_conv_algorithm algorithm = TP_CONV_BY_DIRECT;
	(void)good_file(path, &key, content, sizeof content);
	assert_false(tp_choice_find(&key, &algorithm));
	tp_choice_load(path);
	assert_true(tp_choice_find(&key, &algorithm));
	assert_int_equal(algorithm, TP_CONV_BY_WINOGRAD);
	tp_free(path);
}

static void damaged_files_add_nothing(void **unused)
{
	(void)unused;
	char content[16384];
	char *path = file_of_this_machine();
	enum tp_conv_algorithm algorithm = TP_CONV_BY_DIRECT;
	for (int damage = 0; damage < 9; damage++) {
		struct tp_conv_key key = fresh_key();
		size_t bytes = good_file(path, &key, content, sizeof content);
		switch (damage) {
		case 0: /* cut short */
			bytes--;
			break;
		case 1:
			bytes = 0;
			break;
		case 2: /* another version of the format */
			content[strcspn(content, "\n") - 1] ^= 1;
			break;
		case 3: /* another machine */
			*(strchr(content, '\n') + 1) ^= 1;
			break;
		case 4:
			memcpy(strrchr(content, ' '), " winnograd\n", 11);
			break;
		case 5:
			content[bytes - 5] = '\0';
			break;
		case 6: /* a pass that does not exist */
			memcpy(strstr(content, "\nBD "), "\nBX ", 4);
			break;
		case 7: /* the entry, then noise */
			memcpy(content + bytes, "\x80\xff{}", 4);
			bytes += 4;
			break;
		default: /* a number out of range */
			memcpy(strstr(content, "\nBD 7"), "\nBD -", 5);
			break;
		}
		write_file(path, content, bytes);
		tp_choice_load(path);
		if (tp_choice_find(&key, &algorithm))
			fail_msg("damage %d was not noticed", damage);
	}
	tp_free(path);
}

static void any_cut_of_a_file_is_survived(void **unused)
{
	(void)unused;
	char content[16384];
	char *path = file_of_this_machine();
	struct tp_conv_key key = fresh_key();
	enum tp_conv_algorithm algorithm = TP_CONV_BY_DIRECT;
	size_t bytes = good_file(path, &key, content, sizeof content);
	for (size_t cut = 0; cut < bytes; cut++) {
		write_file(path, content, cut);
		tp_choice_load(path);
		assert_false(tp_choice_find(&key, &algorithm));
	}
	tp_free(path);
}

static void folders_that_cannot_be_written_are_survived(void **unused)
{
	(void)unused;
	struct tp_conv_key key = fresh_key();
	tp_choice_remember(&key, TP_CONV_BY_WINOGRAD);
	tp_choice_save("/dev/null/nowhere/conv.txt");
	tp_choice_load("/dev/null/nowhere/conv.txt");
}

/* One 3x3 convolution on an open device; the time that was left is returned through the options' budget. */
static void build_conv(const struct tp_device_options *options, int32_t batch, char algorithms[96])
{
	static struct tp_layer layer = {
	        .kind = TP_LAYER_CONV,
	        .name = "conv",
	        .relu = true,
	        .inputs = 1,
	        .in_shape = {64, 8, 8},
	        .out_shape = {64, 8, 8},
	        .kernel = 3,
	        .stride = 1,
	        .padding = 1,
	};
	const struct tp_kernel_spec spec = {
	        .layer = &layer,
	        .in = {{{64, 8, 8}, 16, sizeof(float), 64 * 64 * sizeof(float)}},
	        .slicing = {batch, 2},
	        .span = TP_SPAN_MINI,
	        .input_gradient = true,
	        .infer_sizes = {batch, 0},
	};
	struct tp_device *device = NULL;
	struct tp_kernel *kernel = NULL;
	assert_int_equal(tp_device_cpu.open(options, 0, &device), TP_OK);
	assert_int_equal(tp_device_cpu.kernel_new(device, &spec, &kernel), TP_OK);
	(void)snprintf(algorithms, 96, "%s", kernel->algorithms);
	kernel->ops->free(kernel);
	tp_device_cpu.close(device);
}

static void equal_layers_are_timed_once(void **unused)
{
	(void)unused;
	char first[96], second[96];
	int64_t budget_ns = 10 * TP_NS_PER_S;
	const struct tp_device_options options = {
	        .conv = TP_CONV_AUTO, .cache_dir = folder, .choice_budget_ns = &budget_ns};
	char *path = file_of_this_machine();
	build_conv(&options, 6, first);
	int64_t after_ns = budget_ns;
	build_conv(&options, 6, second);
	assert_int_equal(budget_ns, after_ns);
	assert_string_equal(first, second);
	if (after_ns < 10 * TP_NS_PER_S) /* there was a choice: this library has Winograd */
		assert_int_equal(access(path, R_OK), 0);
	tp_free(path);
}

static void without_time_a_rule_decides(void **unused)
{
	(void)unused;
	char algorithms[96], fixed[96];
	int64_t budget_ns = 0;
	build_conv(&(struct tp_device_options){.conv = TP_CONV_AUTO, .choice_budget_ns = &budget_ns}, 40, algorithms);
	assert_int_equal(budget_ns, 0);
	build_conv(&(struct tp_device_options){.conv = TP_CONV_WINOGRAD}, 40, fixed);
	if (strstr(fixed, "no winograd"))
		assert_string_equal(algorithms, "F=direct BD=direct BW=direct infer=direct");
	else
		assert_string_equal(algorithms, "F=winograd BD=winograd BW=winograd infer=winograd");
}

static void a_fixed_algorithm_is_not_questioned(void **unused)
{
	(void)unused;
	char algorithms[96];
	int64_t budget_ns = TP_NS_PER_S;
	build_conv(&(struct tp_device_options){.conv = TP_CONV_DIRECT,
	                                       .cache_dir = folder,
	                                       .choice_budget_ns = &budget_ns},
	           8, algorithms);
	assert_string_equal(algorithms, "F=direct BD=direct BW=direct infer=direct");
	assert_int_equal(budget_ns, TP_NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(choices_are_remembered),
	        cmocka_unit_test_setup_teardown(a_file_brings_choices_back, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(damaged_files_add_nothing, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(any_cut_of_a_file_is_survived, set_up, tear_down),
	        cmocka_unit_test(folders_that_cannot_be_written_are_survived),
	        cmocka_unit_test_setup_teardown(equal_layers_are_timed_once, set_up, tear_down),
	        cmocka_unit_test(without_time_a_rule_decides),
	        cmocka_unit_test_setup_teardown(a_fixed_algorithm_is_not_questioned, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
