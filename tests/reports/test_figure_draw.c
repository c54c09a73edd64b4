/* Figures as files and on a page: complete or not at all, and no name of a database is a command or markup. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "figure_fixture.h"
#include "test_store_support.h"

/* Ends the quotes of gnuplot, of a shell and of markup, and holds lines, commands and what is no UTF-8. */
#define HOSTILE "a'; system 'touch owned'\n`touch owned` @x <b onload=\"x\">]]>\xff&"

static struct tp_store *store;
static char folder[4096];

static int fill(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	store = open_store(in_folder("draw.db"));
	add_run(store, "timeprest", "mlp", "synthetic", "", "", 1);
	add_run(store, HOSTILE, HOSTILE, HOSTILE, "", "", 1);
	(void)snprintf(folder, sizeof folder, "%s", in_folder("it's a 'folder'"));
	return mkdir(folder, 0777);
}

static bool has_command(const char *command)
{
	char line[256];
	(void)snprintf(line, sizeof line, "command -v %s >/dev/null", command);
	return system(line) == 0;
}

static void empty_folder(void)
{
	DIR *listing = opendir(folder);
	assert_non_null(listing);
	for (struct dirent *entry; (entry = readdir(listing));) {
		char file[8192];
		(void)snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			(void)unlink(file);
	}
	(void)closedir(listing);
}

static int finish(void **state)
{
	tp_store_close(store);
	empty_folder();
	return rmdir(folder) != 0 || remove_folder(state) != 0;
}

/* Files in the folder whose name has `part` in it. */
static int count_files(const char *part)
{
	int count = 0;
	DIR *listing = opendir(folder);
	assert_non_null(listing);
	for (struct dirent *entry; (entry = readdir(listing));)
		count += entry->d_name[0] != '.' && strstr(entry->d_name, part);
	(void)closedir(listing);
	return count;
}

static int count_drawn(const struct tp_figures *figures)
{
	int count = 0;
	for (int32_t i = 0; i < figures->count; i++)
		count += !figures->figures[i].missing;
	return count;
}

static void every_figure_is_two_files(void **state)
{
	(void)state;
	struct tp_figures figures;
	if (!has_command("gnuplot"))
		skip();
	read_figures(store, &figures);
	assert_ok(tp_figures_draw(&figures, folder));
	assert_int_equal(count_files(".svg"), count_drawn(&figures));
	assert_int_equal(count_files(".png"), count_drawn(&figures));
	assert_int_equal(count_files("part"), 0);
	assert_int_equal(count_files("owned"), 0);
	assert_int_not_equal(access("owned", F_OK), 0);
	tp_figures_release(&figures);
}

static void drawings_are_well_formed(void **state)
{
	(void)state;
	struct tp_figures figures;
	if (!has_command("gnuplot") || !has_command("xmllint"))
		skip();
	read_figures(store, &figures);
	assert_ok(tp_figures_draw(&figures, folder));
	for (int32_t i = 0; i < figures.count; i++) {
		char command[8192];
		if (figures.figures[i].missing)
			continue;
		(void)snprintf(command, sizeof command, "xmllint --noout \"%s/%s.svg\"", folder, figures.figures[i].id);
		assert_int_equal(system(command), 0);
	}
	tp_figures_release(&figures);
}

static uint32_t big_endian(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void pixels_have_their_size(void **state)
{
	(void)state;
	struct tp_figures figures;
	unsigned char header[24];
	char file[8192];
	if (!has_command("gnuplot"))
		skip();
	read_figures(store, &figures);
	assert_ok(tp_figures_draw(&figures, folder));
	(void)snprintf(file, sizeof file, "%s/curves-top1-epoch.png", folder);
	FILE *png = fopen(file, "rb");
	assert_non_null(png);
	assert_int_equal(fread(header, 1, sizeof header, png), sizeof header);
	(void)fclose(png);
	assert_memory_equal(header, "\x89PNG", 4);
	assert_int_equal(big_endian(header + 16), 800);
	assert_int_equal(big_endian(header + 20), 420);
	tp_figures_release(&figures);
}

static void without_gnuplot_nothing_is_left(void **state)
{
	(void)state;
	struct tp_figures figures;
	struct tp_text page = {0};
	const char *given = getenv("PATH");
	char kept[8192];
	(void)snprintf(kept, sizeof kept, "%s", given ? given : "");
	empty_folder();
	read_figures(store, &figures);
	assert_int_equal(setenv("PATH", folder, 1), 0);
	enum tp_status status = tp_figures_draw(&figures, folder);
	assert_int_equal(setenv("PATH", kept, 1), 0);
	assert_int_equal(status, TP_ERR_UNSUPPORTED);
	assert_non_null(strstr(tp_detail(), "gnuplot-nox"));
	assert_int_equal(count_files(""), 0);
	tp_figures_write_html(&figures, folder, &page);
	assert_null(strstr(tp_text_get(&page), "<svg"));
	assert_non_null(strstr(tp_text_get(&page), "Not drawn; its numbers are below."));
	assert_non_null(strstr(tp_text_get(&page), "<td>timeprest</td><td>1</td><td>11</td>"));
	tp_text_release(&page);
	tp_figures_release(&figures);
}

/* A gnuplot that fails half-way, as on a full disk. */
static void a_failed_drawing_leaves_nothing(void **state)
{
	(void)state;
	struct tp_figures figures;
	char kept[8192], program[8192], value[16384];
	const char *given = getenv("PATH");
	(void)snprintf(kept, sizeof kept, "%s", given ? given : "");
	(void)snprintf(program, sizeof program, "%s", in_folder("gnuplot"));
	FILE *script = fopen(program, "w");
	assert_non_null(script);
	(void)fputs("#!/bin/sh\necho half > curves-top1-time.svg.part\necho no room >&2\nexit 3\n", script);
	(void)fclose(script);
	assert_int_equal(chmod(program, 0755), 0);
	empty_folder();
	read_figures(store, &figures);
	*strrchr(program, '/') = '\0';
	(void)snprintf(value, sizeof value, "%s:%s", program, kept);
	assert_int_equal(setenv("PATH", value, 1), 0);
	enum tp_status status = tp_figures_draw(&figures, folder);
	assert_int_equal(setenv("PATH", kept, 1), 0);
	assert_int_equal(status, TP_ERR_IO);
	assert_non_null(strstr(tp_detail(), "no room"));
	assert_int_equal(count_files(""), 0);
	tp_figures_release(&figures);
}

/* Names stay inside their quotes: what is left of a script without what is quoted holds none of the name. */
static void a_name_is_no_command(void **state)
{
	(void)state;
	struct tp_figures figures;
	struct tp_text script = {0};
	read_figures(store, &figures);
	for (int32_t i = 0; i < figures.count; i++) {
		if (!figures.figures[i].missing)
			tp_figure_write_script(&figures.figures[i], &script);
	}
	bool quoted = false;
	for (const char *at = tp_text_get(&script); *at; at++) {
		quoted = *at == '\'' ? !quoted : quoted;
		assert_false(quoted && *at == '\n');
		assert_false(!quoted && strncmp(at, "system", strlen("system")) == 0);
		assert_false(*at == '`' || *at == '\xff');
	}
	assert_false(quoted);
	assert_non_null(strstr(tp_text_get(&script), "system"));
	tp_text_release(&script);
	tp_figures_release(&figures);
}

static void ids_of_a_page_do_not_clash(void **state)
{
	(void)state;
	struct tp_figures figures;
	struct tp_text page = {0};
	if (!has_command("gnuplot"))
		skip();
	read_figures(store, &figures);
	assert_ok(tp_figures_draw(&figures, folder));
	tp_figures_write_html(&figures, folder, &page);
	const char *text = tp_text_get(&page);
	assert_null(strstr(text, " id='gp"));
	assert_null(strstr(text, "href='#gp"));
	assert_null(strstr(text, "url(#gp"));
	assert_null(strstr(text, "<?xml"));
	assert_null(strstr(text, "<b onload"));
	assert_non_null(strstr(text, " id='curves-top1-time-gpDot'"));
	assert_non_null(strstr(text, " id='curves-loss-time-gpDot'"));
	assert_non_null(strstr(text, "currentColor"));
	assert_non_null(strstr(text, "Time is measured."));
	assert_non_null(strstr(text, "This would give it:"));
	tp_text_release(&page);
	tp_figures_release(&figures);
}

/* A drawing that the page has no room for stays a file, whole; the next one that fits is there. */
static void large_drawings_stay_files(void **state)
{
	(void)state;
	struct tp_figures figures;
	struct tp_text page = {0};
	char path[8192];
	if (!has_command("gnuplot"))
		skip();
	read_figures(store, &figures);
	assert_ok(tp_figures_draw(&figures, folder));
	(void)snprintf(path, sizeof path, "%s/curves-top1-time.svg", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs("<svg><!--", file) >= 0);
	for (int i = 0; i < 5 << 20; i++)
		(void)fputc('x', file);
	assert_true(fputs("--></svg>", file) >= 0 && fclose(file) == 0);
	tp_figures_write_html(&figures, folder, &page);
	assert_true(page.length < 3 << 20);
	assert_non_null(strstr(tp_text_get(&page), "Drawn in curves-top1-time.svg beside this page"));
	assert_null(strstr(tp_text_get(&page), "xxxx"));
	assert_non_null(strstr(tp_text_get(&page), " id='curves-loss-time-gpDot'"));
	tp_text_release(&page);
	tp_figures_release(&figures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(large_drawings_stay_files),
	        cmocka_unit_test(every_figure_is_two_files),
	        cmocka_unit_test(drawings_are_well_formed),
	        cmocka_unit_test(pixels_have_their_size),
	        cmocka_unit_test(without_gnuplot_nothing_is_left),
	        cmocka_unit_test(a_failed_drawing_leaves_nothing),
	        cmocka_unit_test(a_name_is_no_command),
	        cmocka_unit_test(ids_of_a_page_do_not_clash),
	};
	return cmocka_run_group_tests(tests, fill, finish);
}
