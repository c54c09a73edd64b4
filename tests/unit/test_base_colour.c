/* Colour on a terminal of our own making, and nowhere else. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/colour.h"

static void only_on_a_terminal(void **state)
{
	(void)state;
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), file = open("/dev/null", O_WRONLY);
	assert_true(file >= 0);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_false(tp_colour_wanted(file));
	if (terminal < 0) {
		print_message("no pseudo terminals here: the rest is not tested\n");
		skip();
	}
	assert_true(tp_colour_wanted(terminal));
	setenv("NO_COLOR", "", 1);
	assert_true(tp_colour_wanted(terminal));
	setenv("NO_COLOR", "1", 1);
	assert_false(tp_colour_wanted(terminal));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_false(tp_colour_wanted(terminal));
	unsetenv("TERM");
	assert_false(tp_colour_wanted(terminal));
	close(terminal);
	close(file);
}

static void the_word_is_always_there(void **state)
{
	(void)state;
	struct tp_text text = {0};
	tp_colour_add(&text, false, TP_COLOUR_BAD, 7, "worse");
	tp_colour_add(&text, true, TP_COLOUR_BAD, 7, "worse");
	tp_colour_add(&text, true, TP_COLOUR_NONE, 3, "same");
	assert_string_equal(tp_text_get(&text), "worse  \033[31;1mworse\033[0m  same");
	tp_text_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(only_on_a_terminal),
	        cmocka_unit_test(the_word_is_always_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
