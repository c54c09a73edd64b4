/* Hostile names, in every format that a report is written in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "reports/escape.h"

static void expect(void (*escape)(struct tp_text *out, const char *text), const char *text, const char *expected)
{
	struct tp_text out = {0};
	escape(&out, text);
	assert_string_equal(tp_text_get(&out), expected);
	tp_text_release(&out);
}

static void html(void **state)
{
	(void)state;
	expect(tp_escape_html, "<script>alert('x')&\"</script>",
	       "&lt;script&gt;alert(&#39;x&#39;)&amp;&quot;&lt;/script&gt;");
	expect(tp_escape_html, "a\tb\nc\x01\x1b[31m", "a\tb\nc\xef\xbf\xbd\xef\xbf\xbd[31m");
	expect(tp_escape_html, "\xc3\xa9 \xff \xc3", "\xc3\xa9 \xef\xbf\xbd \xef\xbf\xbd");
	expect(tp_escape_html, "", "");
}

static void latex(void **state)
{
	(void)state;
	expect(tp_escape_latex, "\\input{/etc/passwd} & 5% #1 $x_1^2$ ~\n|\"",
	       "\\textbackslash{}input\\{/etc/passwd\\} \\& 5\\% \\#1 \\$x\\_1\\textasciicircum{}2\\$ "
	       "\\textasciitilde{} "
	       "\\textbar{}\\textquotedbl{}");
}

static void csv(void **state)
{
	(void)state;
	expect(tp_escape_csv, "plain", "plain");
	expect(tp_escape_csv, "a,b", "\"a,b\"");
	expect(tp_escape_csv, "say \"no\"\nnow", "\"say \"\"no\"\"\nnow\"");
	expect(tp_escape_csv, "=1+cmd|' /C calc'!A0", "'=1+cmd|' /C calc'!A0");
	expect(tp_escape_csv, "-2,x", "\"'-2,x\"");
}

static void markdown(void **state)
{
	(void)state;
	expect(tp_escape_markdown, "a|b\n# c", "a\\|b # c");
	expect(tp_escape_markdown, "[x](javascript:y) <b> `c` *d* _e_ \\",
	       "\\[x\\](javascript:y) &lt;b&gt; \\`c\\` \\*d\\* \\_e\\_ \\\\");
}

static void terminal(void **state)
{
	(void)state;
	expect(tp_escape_terminal, "\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07");
	expect(tp_escape_terminal,
	       "\xc2\x9b"
	       "31m \xc2\xa0 \xc3\xa9",
	       "\\xc2\\x9b31m \xc2\xa0 \xc3\xa9");
	expect(tp_escape_terminal, "\xed\xa0\x80",
	       "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* a surrogate is no character */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(html),     cmocka_unit_test(latex),    cmocka_unit_test(csv),
	        cmocka_unit_test(markdown), cmocka_unit_test(terminal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
