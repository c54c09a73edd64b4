/* Cluster files: what they may say, what is refused and where, the clusters that come with the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "engine/base/prng.h"
#include "engine/config/cluster.h"

#define FILE_NAME "lab.cluster"
#define GIB (INT64_C(1) << 30)

static const char whole[] = "# A cluster of three.\n"
                            "cluster name=lab\n"
                            "\n"
                            "worker name=fast speed=1.5 memory=24GiB # the new one\n"
                            "\tworker  memory=12GB\tname=gpu#2 speed=0.25\r\n"
                            "worker name=plain\n"
                            "link bandwidth=10gbit latency=20us\n"
                            "link from=1 to=2 bandwidth=1gbit latency=50us\n"
                            "link to=0 from=1 latency=0 bandwidth=inf\n";

static void expect_link(const struct tp_link *link, double bytes_per_s, int64_t latency_ns)
{
	assert_true(link->bytes_per_s == bytes_per_s);
	assert_int_equal(link->latency_ns, latency_ns);
}

static void a_file_says_all_there_is(void **state)
{
	(void)state;
	struct tp_cluster cluster;
	assert_int_equal(tp_cluster_parse(FILE_NAME, whole, &cluster), TP_OK);
	assert_string_equal(cluster.name, "lab");
	assert_int_equal(cluster.worker_count, 3);
	assert_string_equal(cluster.workers[0].name, "fast");
	assert_true(cluster.workers[0].speed == 1.5);
	assert_int_equal(cluster.workers[0].memory_bytes, 24 * GIB);
	assert_string_equal(cluster.workers[2].name, "plain");
	assert_true(cluster.workers[2].speed == 1);
	assert_int_equal(cluster.workers[2].memory_bytes, 0);
	expect_link(&cluster.downstream[0], 1.25e9, 20000);
	expect_link(&cluster.downstream[1], 125e6, 50000);
	expect_link(&cluster.upstream[0], 0, 0);
	expect_link(&cluster.upstream[1], 1.25e9, 20000);
	tp_cluster_release(&cluster);
}

/* A # begins a comment at the beginning of a word, and is a character inside one. */
static void comments_begin_words(void **state)
{
	(void)state;
	struct tp_cluster cluster;
	assert_int_equal(tp_cluster_parse(FILE_NAME, "worker name=gpu#1 #speed=nonsense\n#\n  # x\n", &cluster), TP_OK);
	assert_int_equal(cluster.worker_count, 1);
	assert_string_equal(cluster.workers[0].name, "gpu#1");
	assert_true(cluster.workers[0].speed == 1);
	tp_cluster_release(&cluster);
}

static void links_left_out_take_no_time(void **state)
{
	(void)state;
	struct tp_cluster cluster;
	assert_int_equal(tp_cluster_parse(FILE_NAME, "worker name=a\nworker name=b\nlink from=0 to=1 bandwidth=8kbit\n",
	                                  &cluster),
	                 TP_OK);
	expect_link(&cluster.downstream[0], 1000, 0);
	expect_link(&cluster.upstream[0], 0, 0);
	assert_string_equal(cluster.name, "");
	tp_cluster_release(&cluster);
	assert_null(cluster.workers);
	assert_int_equal(cluster.worker_count, 0);
}

static void many_workers_fit(void **state)
{
	(void)state;
	enum { MOST = 4096 };
	struct tp_text text = {0};
	struct tp_cluster cluster;
	for (int i = 0; i < MOST; i++)
		tp_text_add(&text, "worker name=w%d speed=%d\n", i, i + 1);
	assert_int_equal(tp_cluster_parse(FILE_NAME, tp_text_get(&text), &cluster), TP_OK);
	assert_int_equal(cluster.worker_count, MOST);
	for (int i = 0; i < MOST; i++)
		assert_true(cluster.workers[i].speed == i + 1);
	tp_cluster_release(&cluster);
	tp_text_add(&text, "worker name=more\n");
	assert_int_equal(tp_cluster_parse(FILE_NAME, tp_text_get(&text), &cluster), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), FILE_NAME ": line 4097: worker: expected at most 4096"));
	tp_text_release(&text);
}

#define TWO "worker name=a\nworker name=b\n"
#define LINK "bandwidth=1gbit latency=1us\n"

/* The detail must be "FILE: line N: field: .." with the field or the complaint that follows; `found` must be in it. */
static void malformed_files_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int line; /* 0: the file as a whole */
		const char *complaint, *found;
	} cases[] = {
	        {"", 0, "expected at least one line 'worker name=..'", "found none"},
	        {"# nothing\n\n", 0, "expected at least one line 'worker name=..'", "found none"},
	        {"cluster name=lab\n", 0, "expected at least one line 'worker name=..'", "found none"},
	        {"hello\n", 1, "line: expected cluster, worker or link", "'hello'"},
	        {"worker name=a\nwroker name=b\n", 2, "line: expected cluster, worker or link", "'wroker'"},
	        {"worker\n", 1, "name: expected name=..", "found none"},
	        {"worker speed=1\n", 1, "name: expected name=..", "found none"},
	        {"worker name\n", 1, "field: expected key=value", "'name'"},
	        {"worker name=\n", 1, "field: expected key=value", "'name='"},
	        {"worker =a\n", 1, "field: expected key=value", "'=a'"},
	        {"worker name = a\n", 1, "field: expected key=value", "'name'"},
	        {"worker name=a name=b\n", 1, "name: expected one value", "'b'"},
	        {"worker name=a speed=1 speed=1\n", 1, "speed: expected one value", "'1'"},
	        {"worker name=a sped=1\n", 1, "unknown field 'sped'", "did you mean 'speed'?"},
	        {"worker name=a bandwidth=1gbit\n", 1, "unknown field 'bandwidth'",
	         "expected one of name, speed, memory"},
	        {"worker name=a Speed=1\n", 1, "unknown field 'Speed'", "'speed'"},
	        {"worker name=a speed=0\n", 1, "speed: expected", "'0'"},
	        {"worker name=a speed=-1\n", 1, "speed: expected", "'-1'"},
	        {"worker name=a speed=nan\n", 1, "speed: expected a number", "'nan'"},
	        {"worker name=a speed=inf\n", 1, "speed: expected a number", "'inf'"},
	        {"worker name=a speed=1e9\n", 1, "speed: expected", "'1e9'"},
	        {"worker name=a speed=1x\n", 1, "speed: expected a number", "'1x'"},
	        {"worker name=a memory=0\n", 1, "memory: expected more than nothing", "'0'"},
	        {"worker name=a memory=-1GiB\n", 1, "memory: expected a value with a unit", "'-1GiB'"},
	        {"worker name=a memory=24Gb\n", 1, "memory: expected a value with a unit", "'24Gb'"},
	        {"cluster name=a\ncluster name=b\n", 2, "cluster: expected one such line", "a second"},
	        {"cluster\nworker name=a\n", 1, "name: expected name=..", "found none"},
	        {"cluster name=a speed=1\n", 1, "unknown field 'speed'", "name"},
	        {"cluster name=0123456789012345678901234567890123456789012345678901234567890123\n", 1,
	         "name: expected at most 63 characters", "0123456789"},
	        {"worker name=0123456789012345678901234567890123456789012345678901234567890123\n", 1,
	         "name: expected at most 63 characters", "0123456789"},
	        {"link " LINK "worker name=a\n", 1, "link: expected the workers first", "found none"},
	        {TWO "link " LINK "worker name=c\n", 4, "worker: expected all workers before the first link", "'c'"},
	        {TWO "link latency=1us\n", 3, "bandwidth: expected bandwidth=..", "found none"},
	        {TWO "link bandwidth=1\n", 3, "bandwidth: expected a value with a unit", "'1'"},
	        {TWO "link bandwidth=0gbit\n", 3, "bandwidth: expected a bandwidth of at least", "'0gbit'"},
	        {TWO "link bandwidth=-1gbit\n", 3, "bandwidth: expected a value with a unit", "'-1gbit'"},
	        {TWO "link bandwidth=1gbit latency=50\n", 3, "latency: expected a value with a unit", "'50'"},
	        {TWO "link bandwidth=1gbit latency=-5us\n", 3, "latency: expected a value with a unit", "'-5us'"},
	        {TWO "link bandwidth=1gbit latency=2min\n", 3, "latency: expected a latency of 0 to 60s", "'2min'"},
	        {TWO "link bandwith=1gbit\n", 3, "unknown field 'bandwith'", "did you mean 'bandwidth'?"},
	        {TWO "link from=0 " LINK, 3, "to: expected both from and to", "found none"},
	        {TWO "link to=0 " LINK, 3, "from: expected both from and to", "found none"},
	        {TWO "link from=0 to=0 " LINK, 3, "to: expected a neighbour of from", "'0'"},
	        {TWO "worker name=c\nlink from=0 to=2 " LINK, 4, "to: expected a neighbour of from", "'2'"},
	        {TWO "worker name=c\nlink from=2 to=0 " LINK, 4, "to: expected a neighbour of from", "'0'"},
	        {TWO "link from=1 to=2 " LINK, 3, "to: expected 0 to 1", "'2'"},
	        {TWO "link from=-1 to=0 " LINK, 3, "from: expected 0 to 1", "'-1'"},
	        {TWO "link from=a to=1 " LINK, 3, "from: expected a whole number", "'a'"},
	        {TWO "link from=0 to=99999999999999999999 " LINK, 3, "to: expected 0 to 1", "'99999999999999999999'"},
	        {"worker name=a\nlink from=0 to=1 " LINK, 2, "to: expected 0 to 0", "'1'"},
	        {TWO "link " LINK "link " LINK, 4, "link: expected from and to", "found none"},
	        {TWO "link from=0 to=1 " LINK "link " LINK, 4, "link: expected from and to", "found none"},
	        {TWO "link from=0 to=1 " LINK "link from=0 to=1 " LINK, 4, "link: expected one link of a direction",
	         "a second"},
	        {TWO "link from=1 to=0 " LINK "link from=1 to=0 " LINK, 4, "link: expected one link of a direction",
	         "a second"},
	        /* cut short, anywhere in the last line */
	        {"worker name=a", 1, "expected an end of line", "cut short"},
	        {TWO "link bandwidth=1gbit latency=5", 3, "expected an end of line", "cut short"},
	        {TWO "link bandwidth=1gbit latency=1us", 3, "expected an end of line", "cut short"},
	        {TWO "lin", 3, "expected an end of line", "cut short"},
	        {TWO "# the li", 3, "expected an end of line", "cut short"},
	        /* binary */
	        {"worker name=a\nworker name=\x01\x02\n", 2, "expected text", "found byte 0x01"},
	        {"\x7f"
	         "ELF\x02\n",
	         1, "expected text", "found byte 0x7f"},
	        {"worker name=a\rworker name=b\n", 1, "expected text", "found byte 0x0d"},
	        {"\xef\xbb\xbfworker name=a\n", 1, "line: expected cluster, worker or link", "worker"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tp_cluster cluster;
		char begin[160];
		uint64_t held = tp_alloc_bytes();
		if (cases[i].line > 0)
			(void)snprintf(begin, sizeof begin, "%s: line %d: %s", FILE_NAME, cases[i].line,
			               cases[i].complaint);
		else
			(void)snprintf(begin, sizeof begin, "%s: %s", FILE_NAME, cases[i].complaint);
		assert_int_equal(tp_cluster_parse(FILE_NAME, cases[i].text, &cluster), TP_ERR_INPUT);
		if (strncmp(tp_detail(), begin, strlen(begin)) != 0 || !strstr(tp_detail(), cases[i].found))
			fail_msg("case %zu: expected '%s' .. '%s', found '%s'", i, begin, cases[i].found, tp_detail());
		assert_null(cluster.workers);
		assert_int_equal(tp_alloc_bytes(), held);
	}
}

static void a_long_line_is_refused(void **state)
{
	(void)state;
	char text[1024];
	struct tp_cluster cluster;
	memset(text, ' ', sizeof text);
	memcpy(text, "worker name=a", 13);
	memcpy(text + 511, "\n", 2);
	assert_int_equal(tp_cluster_parse(FILE_NAME, text, &cluster), TP_OK);
	tp_cluster_release(&cluster);
	memcpy(text + 511, " \n", 3);
	assert_int_equal(tp_cluster_parse(FILE_NAME, text, &cluster), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), FILE_NAME ": line 1: line: expected at most 511 characters"));
}

static void the_paper_s_clusters_come_along(void **state)
{
	(void)state;
	static const char *const names[] = {"paper-a", "paper-b", "paper-c"};
	for (int32_t i = 0; i < 3; i++) {
		struct tp_cluster cluster;
		assert_string_equal(tp_shipped_clusters[i].name, names[i]);
		assert_int_equal(tp_cluster_read(names[i], &cluster), TP_OK);
		assert_string_equal(cluster.name, names[i]);
		assert_int_equal(cluster.worker_count, i + 2);
		for (int32_t w = 0; w <= i; w++) {
			assert_string_equal(cluster.workers[w].name, "quadro-rtx-6000");
			assert_true(cluster.workers[w].speed == 1);
			assert_int_equal(cluster.workers[w].memory_bytes, INT64_C(24000000000));
			expect_link(&cluster.downstream[w], 125e6, 50000);
			expect_link(&cluster.upstream[w], 125e6, 50000);
		}
		const struct tp_cluster_worker *last = &cluster.workers[i + 1];
		assert_string_equal(last->name, "rtx-2080");
		assert_int_equal(last->memory_bytes, INT64_C(12000000000));
		assert_true(last->speed > 10.1 / 16.3 - 0.005 && last->speed < 10.1 / 16.3 + 0.005);
		/* what is not from the paper is said to be so */
		assert_non_null(strstr(tp_shipped_clusters[i].text, "Not from the paper"));
		tp_cluster_release(&cluster);
	}
	assert_null(tp_shipped_clusters[3].name);
}

/* --- files ----------------------------------------------------------------------------------------------------------
 */

static void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void expect_unreadable(const char *path, const char *first, const char *second)
{
	struct tp_cluster cluster;
	uint64_t held = tp_alloc_bytes();
	assert_int_equal(tp_cluster_read(path, &cluster), TP_ERR_INPUT);
	if (!strstr(tp_detail(), first) || !strstr(tp_detail(), second))
		fail_msg("expected '%s' and '%s', found '%s'", first, second, tp_detail());
	assert_null(cluster.workers);
	assert_int_equal(tp_alloc_bytes(), held);
}

static void files_are_read_by_path(void **state)
{
	(void)state;
	struct tp_cluster cluster;
	write_file("own.cluster", whole, sizeof whole - 1);
	assert_int_equal(tp_cluster_read("own.cluster", &cluster), TP_OK);
	assert_int_equal(cluster.worker_count, 3);
	tp_cluster_release(&cluster);
	write_file("bad.cluster", "worker name=a\nworker speed=2\n", 29);
	expect_unreadable("bad.cluster", "bad.cluster: line 2: name: expected name=..", "found none");
	write_file("empty.cluster", "", 0);
	expect_unreadable("empty.cluster", "empty.cluster: expected at least one line", "found none");
	write_file("binary.cluster", "worker name=a\n\0worker name=b\n", 29);
	expect_unreadable("binary.cluster", "binary.cluster: expected a text", "a NUL");
	static char huge[(1 << 20) + 1];
	memset(huge, '\n', sizeof huge);
	write_file("huge.cluster", huge, sizeof huge);
	expect_unreadable("huge.cluster", "huge.cluster: expected a text of at most 1 MiB", "more");
	assert_int_equal(mkdir("folder.cluster", 0777), 0);
	expect_unreadable("folder.cluster", "folder.cluster", "directory");
	expect_unreadable("missing.cluster", "missing.cluster", "No such file");
	expect_unreadable("paper-d", "'paper-d'", "did you mean 'paper-");
	expect_unreadable("nothing/like/it", "paper-a, paper-b, paper-c or a file", "No such file");
	expect_unreadable("", "paper-a, paper-b, paper-c or a file", "No such file");
}

/* What was expected is not lost behind the longest of paths. */
static void long_paths_leave_room_for_the_rest(void **state)
{
	(void)state;
	char path[3000];
	memset(path, 'x', sizeof path);
	strcpy(path + sizeof path - 9, ".cluster");
	struct tp_cluster cluster;
	assert_int_equal(tp_cluster_parse(path, TWO "link bandwidth=1gbit latency=-5us\n", &cluster), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "x.cluster: line 3: latency: expected"));
	assert_non_null(strstr(tp_detail(), "found '-5us'"));
	assert_int_equal(tp_cluster_parse(path, "worker name=a sped=1\n", &cluster), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "x.cluster: line 1: unknown field 'sped'"));
	assert_int_equal(tp_cluster_read(path, &cluster), TP_ERR_INPUT);
	assert_non_null(strstr(tp_detail(), "File name too long"));
}

static void memory_may_run_out(void **state)
{
	(void)state;
	uint64_t held = tp_alloc_bytes();
	enum tp_status status = TP_ERR_NOMEM;
	int failures = 0;
	for (int64_t successes = 0; status == TP_ERR_NOMEM; successes++) {
		struct tp_cluster cluster;
		tp_alloc_fail_after(successes);
		status = tp_cluster_parse(FILE_NAME, whole, &cluster);
		tp_alloc_fail_after(-1);
		failures += status == TP_ERR_NOMEM;
		tp_cluster_release(&cluster);
		assert_int_equal(tp_alloc_bytes(), held);
	}
	assert_int_equal(status, TP_OK);
	assert_true(failures >= 3);
}

/* --- mutations ------------------------------------------------------------------------------------------------------
 */

static void expect_sound(const struct tp_cluster *cluster)
{
	assert_in_range(cluster->worker_count, 1, 4096);
	for (int32_t w = 0; w < cluster->worker_count; w++) {
		assert_true(cluster->workers[w].speed > 0 && cluster->workers[w].memory_bytes >= 0);
		assert_in_range(strlen(cluster->workers[w].name), 1, TP_CLUSTER_NAME_BYTES - 1);
	}
	for (int32_t b = 0; b + 1 < cluster->worker_count; b++) {
		assert_true(cluster->downstream[b].bytes_per_s >= 0 && cluster->upstream[b].bytes_per_s >= 0);
		assert_true(cluster->downstream[b].latency_ns >= 0 && cluster->upstream[b].latency_ns >= 0);
	}
}

/* Bytes changed, words and lines moved, the end cut off: read, or refused with the file's name. */
static void mutations_are_read_or_refused(void **state)
{
	(void)state;
	enum { MUTATIONS = 30000 };
	struct tp_prng prng;
	int read = 0, refused = 0;
	tp_prng_init(&prng, 20240229, tp_hash_text("mutated clusters"));
	for (int i = 0; i < MUTATIONS; i++) {
		static const char likely[] = "0123456789-.=# \t\nabx";
		char text[2 * sizeof whole];
		strcpy(text, whole);
		for (uint64_t changes = 1 + tp_prng_below(&prng, 3); changes > 0; changes--) {
			size_t length = strlen(text), at = (size_t)tp_prng_below(&prng, length + 1);
			size_t part = (size_t)tp_prng_below(&prng, length - at + 1);
			switch (tp_prng_below(&prng, 5)) {
			case 0: /* cut */
				text[at] = '\0';
				break;
			case 1: /* remove a part */
				memmove(text + at, text + at + part, length - at - part + 1);
				break;
			case 2: /* repeat a part, where there is room */
				part = part > 40 ? 40 : part;
				if (length + part < sizeof text)
					memmove(text + at + part, text + at, length - at + 1);
				break;
			case 3:
				if (at < length)
					text[at] = (char)(1 + tp_prng_below(&prng, 255));
				break;
			default:
				if (at < length)
					text[at] = likely[tp_prng_below(&prng, sizeof likely - 1)];
			}
		}
		struct tp_cluster cluster;
		uint64_t held = tp_alloc_bytes();
		if (tp_cluster_parse(FILE_NAME, text, &cluster) == TP_OK) {
			read++;
			expect_sound(&cluster);
		} else {
			refused++;
			assert_non_null(strstr(tp_detail(), FILE_NAME));
			assert_null(cluster.workers);
		}
		tp_cluster_release(&cluster);
		assert_int_equal(tp_alloc_bytes(), held);
	}
	/* Both must happen, or the mutations test nothing. */
	assert_true(read > MUTATIONS / 50 && refused > MUTATIONS / 5);
}

static char folder[] = "/tmp/tpbench-cluster-XXXXXX";

static int enter_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	static const char *const files[] = {"own.cluster", "bad.cluster", "empty.cluster", "binary.cluster",
	                                    "huge.cluster"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		(void)unlink(files[i]);
	(void)rmdir("folder.cluster");
	return chdir("/") == 0 ? rmdir(folder) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_file_says_all_there_is),           cmocka_unit_test(comments_begin_words),
	        cmocka_unit_test(links_left_out_take_no_time),        cmocka_unit_test(many_workers_fit),
	        cmocka_unit_test(malformed_files_are_refused),        cmocka_unit_test(a_long_line_is_refused),
	        cmocka_unit_test(the_paper_s_clusters_come_along),    cmocka_unit_test(files_are_read_by_path),
	        cmocka_unit_test(long_paths_leave_room_for_the_rest), cmocka_unit_test(memory_may_run_out),
	        cmocka_unit_test(mutations_are_read_or_refused),
	};
	return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}
