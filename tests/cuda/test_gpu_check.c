/* scripts/gpu-check.sh where there is no GPU: on the stand-in it goes through, a failure is one, no time is told, and
 * without the stand-in it says why it cannot. The arguments: the script, the tree of the build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <jansson.h>

static const char *script, *build;

/* In a folder of its own; what it prints goes to a file there. Returns the exit status. */
static int check(const char *arguments)
{
	char command[4096];
	(void)snprintf(
	        command, sizeof command,
	        "rm -rf gpu-check && mkdir gpu-check && '%s' --build '%s' --out gpu-check %s > gpu-check/out 2>&1",
	        script, build, arguments);
	const int status = system(command);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static json_t *load(const char *path)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return root;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

/* How many members are told that could be times or rates, at any depth: none has a value. */
static int expect_no_times(json_t *value)
{
	static const char *const parts[] = {"_ns", "_per_s", "seconds", "_to_untraced", "cost"};
	const char *name;
	json_t *member;
	size_t i;
	int count = 0;
	json_object_foreach(value, name, member)
	{
		bool of_time = false;
		for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++)
			of_time = of_time || strstr(name, parts[part]);
		if (of_time && !json_is_null(member) && strcmp(name, "clock_error_ns") != 0)
			fail_msg("%s has a value", name);
		count += of_time ? 1 : expect_no_times(member);
	}
	json_array_foreach(value, i, member) count += expect_no_times(member);
	return count;
}

static json_t *step_of(const json_t *root, const char *name)
{
	size_t i;
	json_t *step;
	json_array_foreach(json_object_get(root, "steps"), i, step)
	{
		if (strcmp(text_of(step, "name"), name) == 0)
			return step;
	}
	fail_msg("no step %s", name);
	return NULL;
}

/* Pipelines are left out: they are tests of their own, and take longest. */
static void goes_through_on_the_stand_in(void **state)
{
	(void)state;
	assert_int_equal(check("--stand-in --only '^(kernels|operators|models|facts|step|pipeline-|profile)'"), 0);
	json_t *root = load("gpu-check/gpu-check-fakecuda-no-gpu.json");
	assert_string_equal(text_of(root, "device"), "fakecuda (no GPU)");
	assert_true(json_is_true(json_object_get(root, "passed")));
	static const char *const passed[] = {
	        "kernels",         "operators",   "models",          "facts",
	        "step-mlp-8-bf16", "profile-ops", "profile-kernels", "pipeline-2-timeprest-cuda-direct"};
	for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
		assert_string_equal(text_of(step_of(root, passed[i]), "state"), "passed");
	size_t i;
	json_t *step;
	json_array_foreach(json_object_get(root, "steps"), i, step)
	{
		assert_string_not_equal(text_of(step, "state"), "failed");
		if (strcmp(text_of(step, "state"), "skipped") == 0)
			assert_string_not_equal(text_of(step, "why"), "");
	}
	assert_int_equal(json_array_size(json_object_get(root, "benchmarks")), 9);
	assert_true(expect_no_times(root) > 9);
	json_decref(root);
}

static void says_what_failed(void **state)
{
	(void)state;
	(void)setenv("FAKECUDA_FAIL", "cudnnConvolutionForward:1:3000+", 1);
	assert_int_equal(check("--stand-in --only '^(kernels|facts)$'"), 1);
	(void)unsetenv("FAKECUDA_FAIL");
	json_t *root = load("gpu-check/gpu-check-fakecuda-no-gpu.json");
	assert_true(json_is_false(json_object_get(root, "passed")));
	assert_string_equal(text_of(step_of(root, "kernels"), "state"), "passed");
	assert_string_equal(text_of(step_of(root, "facts"), "state"), "failed");
	assert_non_null(strstr(text_of(step_of(root, "facts"), "why"), "cudnnConvolutionForward"));
	json_t *facts = json_object_get(json_object_get(root, "facts"), "facts");
	assert_string_equal(text_of(json_object_get(facts, "convolution_bf16"), "state"), "failed");
	assert_string_equal(text_of(json_object_get(facts, "kernels_by_name"), "state"), "passed");
	json_decref(root);
}

static void says_why_there_is_no_gpu(void **state)
{
	(void)state;
	const int status = check("--only none");
	if (status == 0)
		skip(); /* there is one */
	assert_int_equal(status, 77);
	json_t *root = load("gpu-check/gpu-check-none.json");
	assert_non_null(strstr(text_of(step_of(root, "gpu"), "why"), "not usable: "));
	json_decref(root);
}

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	assert_int_equal(check("--stand-in --nonsense"), 2);
	assert_int_equal(check("--only"), 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(goes_through_on_the_stand_in),
	        cmocka_unit_test(says_what_failed),
	        cmocka_unit_test(says_why_there_is_no_gpu),
	        cmocka_unit_test(wrong_usage_is_refused),
	};
	if (argc != 3)
		return 2;
	script = argv[1];
	build = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
