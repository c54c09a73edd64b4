#include "engine/config/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/config/cluster_paper_a.h"
#include "engine/config/cluster_paper_b.h"
#include "engine/config/cluster_paper_c.h"

/* What is longer is not a cluster file. */
enum { FILE_MAX_BYTES = 1 << 20, LINE_BYTES = 512, WORKERS_MAX = 4096 };
/* A longer path is shown by its end, so that the rest of an error has room. */
enum { SHOWN_PATH_BYTES = 200, FIELD_BYTES = 320 };
#define SPEED_MIN 1e-6
#define SPEED_MAX 1e6

const struct tp_shipped_cluster tp_shipped_clusters[] = {
        {"paper-a", tp_cluster_paper_a},
        {"paper-b", tp_cluster_paper_b},
        {"paper-c", tp_cluster_paper_c},
        {NULL, NULL},
};

/* Words a line may have, by kind of line. */
enum key { KEY_NAME, KEY_SPEED, KEY_MEMORY, KEY_BANDWIDTH, KEY_LATENCY, KEY_FROM, KEY_TO, KEYS };
static const char *const key_names[] = {"name", "speed", "memory", "bandwidth", "latency", "from", "to"};

enum { OF_CLUSTER = 1 << KEY_NAME };
enum { OF_WORKER = 1 << KEY_NAME | 1 << KEY_SPEED | 1 << KEY_MEMORY };
enum { OF_LINK = 1 << KEY_BANDWIDTH | 1 << KEY_LATENCY | 1 << KEY_FROM | 1 << KEY_TO };

struct parser {
	const char *file;
	int line_number;
	struct tp_cluster *cluster;
	int32_t capacity;
	const char *values[KEYS]; /* of the line; NULL: not given */
	bool named;
	bool *linked; /* once there are links: downstream, then upstream, whether a line of its own set it */
	int link_lines;
};

static const char *shown(const char *path)
{
	size_t length = strlen(path);
	return length > SHOWN_PATH_BYTES ? path + length - SHOWN_PATH_BYTES : path;
}

/* `found` NULL: nothing. */
static enum tp_status fail_at(const struct parser *parser, const char *field, const char *expected, const char *found)
{
	if (!found)
		return tp_fail(TP_ERR_INPUT, "%s: line %d: %s: expected %s, found none", parser->file,
		               parser->line_number, field, expected);
	return tp_fail(TP_ERR_INPUT, "%s: line %d: %s: expected %s, found '%.60s'", parser->file, parser->line_number,
	               field, expected, found);
}

/* "name" of a value in an error of the number parsers. */
static const char *field_name(const struct parser *parser, enum key key, char name[FIELD_BYTES])
{
	(void)snprintf(name, FIELD_BYTES, "%s: line %d: %s", parser->file, parser->line_number, key_names[key]);
	return name;
}

/* --- words ----------------------------------------------------------------------------------------------------------
 */

static enum tp_status unknown_key(const struct parser *parser, const char *word, unsigned allowed)
{
	const char *names[KEYS + 1];
	int count = 0;
	for (int k = 0; k < KEYS; k++) {
		if (allowed & (1U << k))
			names[count++] = key_names[k];
	}
	names[count] = NULL;
	(void)tp_fail_unknown("field", word, names);
	return tp_fail_in(TP_ERR_INPUT, "%s: line %d", parser->file, parser->line_number);
}

/* One key=value, cut in place. */
static enum tp_status take_word(struct parser *parser, char *word, unsigned allowed)
{
	char *equals = strchr(word, '=');
	if (!equals || equals == word || equals[1] == '\0')
		return fail_at(parser, "field", "key=value", word);
	*equals = '\0';
	for (int k = 0; k < KEYS; k++) {
		if (strcmp(word, key_names[k]) != 0 || !(allowed & (1U << k)))
			continue;
		if (parser->values[k])
			return fail_at(parser, word, "one value", equals + 1);
		parser->values[k] = equals + 1;
		return TP_OK;
	}
	return unknown_key(parser, word, allowed);
}

static enum tp_status take_words(struct parser *parser, char *rest, unsigned allowed)
{
	memset(parser->values, 0, sizeof parser->values);
	for (char *save = NULL, *word = strtok_r(rest, " \t", &save); word; word = strtok_r(NULL, " \t", &save))
		TP_TRY(take_word(parser, word, allowed));
	return TP_OK;
}

static enum tp_status take_name(const struct parser *parser, char name[TP_CLUSTER_NAME_BYTES])
{
	const char *given = parser->values[KEY_NAME];
	if (!given)
		return fail_at(parser, "name", "name=..", NULL);
	if (strlen(given) >= TP_CLUSTER_NAME_BYTES)
		return fail_at(parser, "name", "at most 63 characters", given);
	(void)snprintf(name, TP_CLUSTER_NAME_BYTES, "%s", given);
	return TP_OK;
}

/* --- lines ----------------------------------------------------------------------------------------------------------
 */

static enum tp_status grow(struct parser *parser)
{
	int32_t capacity = parser->capacity ? 2 * parser->capacity : 8;
	struct tp_cluster_worker *workers = tp_alloc_array((size_t)capacity, sizeof *workers);
	if (!workers)
		return TP_ERR_NOMEM;
	if (parser->cluster->workers)
		memcpy(workers, parser->cluster->workers, (size_t)parser->cluster->worker_count * sizeof *workers);
	tp_free(parser->cluster->workers);
	parser->cluster->workers = workers;
	parser->capacity = capacity;
	return TP_OK;
}

static enum tp_status worker_line(struct parser *parser)
{
	struct tp_cluster *cluster = parser->cluster;
	struct tp_cluster_worker worker = {.speed = 1};
	char field[FIELD_BYTES];
	TP_TRY(take_name(parser, worker.name));
	if (parser->values[KEY_SPEED])
		TP_TRY(tp_parse_f64(field_name(parser, KEY_SPEED, field), parser->values[KEY_SPEED], SPEED_MIN,
		                    SPEED_MAX, &worker.speed));
	if (parser->values[KEY_MEMORY]) {
		TP_TRY(tp_parse_bytes(field_name(parser, KEY_MEMORY, field), parser->values[KEY_MEMORY],
		                      &worker.memory_bytes));
		if (worker.memory_bytes <= 0)
			return fail_at(parser, "memory", "more than nothing", parser->values[KEY_MEMORY]);
	}
	if (cluster->downstream)
		return fail_at(parser, "worker", "all workers before the first link", worker.name);
	if (cluster->worker_count == WORKERS_MAX)
		return fail_at(parser, "worker", "at most 4096 workers", worker.name);
	if (cluster->worker_count == parser->capacity)
		TP_TRY(grow(parser));
	cluster->workers[cluster->worker_count++] = worker;
	return TP_OK;
}

/* Once all workers are known. */
static enum tp_status make_links(struct parser *parser)
{
	struct tp_cluster *cluster = parser->cluster;
	size_t boundaries = (size_t)cluster->worker_count - 1;
	if (cluster->downstream)
		return TP_OK;
	cluster->downstream = tp_alloc_array(boundaries, sizeof *cluster->downstream);
	cluster->upstream = tp_alloc_array(boundaries, sizeof *cluster->upstream);
	parser->linked = tp_alloc_array(2 * boundaries, sizeof *parser->linked);
	return cluster->downstream && cluster->upstream && parser->linked ? TP_OK : TP_ERR_NOMEM;
}

/* A link of all boundaries: the first of its kind, so that none of one direction is forgotten over it. */
static enum tp_status link_all(struct parser *parser, const struct tp_link *link)
{
	struct tp_cluster *cluster = parser->cluster;
	if (parser->link_lines > 1)
		return fail_at(parser, "link", "from and to, since only the first link may be that of all boundaries",
		               NULL);
	for (int32_t b = 0; b + 1 < cluster->worker_count; b++)
		cluster->downstream[b] = cluster->upstream[b] = *link;
	return TP_OK;
}

static enum tp_status link_one(struct parser *parser, const struct tp_link *link)
{
	struct tp_cluster *cluster = parser->cluster;
	int64_t from, to, last = cluster->worker_count - 1;
	char field[FIELD_BYTES];
	for (enum key key = KEY_FROM; key <= KEY_TO; key++) {
		if (!parser->values[key])
			return fail_at(parser, key_names[key], "both from and to, or neither", NULL);
	}
	TP_TRY(tp_parse_i64(field_name(parser, KEY_FROM, field), parser->values[KEY_FROM], 0, last, &from));
	TP_TRY(tp_parse_i64(field_name(parser, KEY_TO, field), parser->values[KEY_TO], 0, last, &to));
	if (to != from + 1 && to != from - 1)
		return fail_at(parser, "to", "a neighbour of from", parser->values[KEY_TO]);
	bool *linked = &parser->linked[to > from ? from : last + to];
	if (*linked)
		return fail_at(parser, "link", "one link of a direction", "a second");
	*linked = true;
	*(to > from ? &cluster->downstream[from] : &cluster->upstream[to]) = *link;
	return TP_OK;
}

static enum tp_status link_line(struct parser *parser)
{
	struct tp_cluster *cluster = parser->cluster;
	struct tp_link link = {0};
	char field[FIELD_BYTES];
	if (cluster->worker_count == 0)
		return fail_at(parser, "link", "the workers first", NULL);
	if (!parser->values[KEY_BANDWIDTH])
		return fail_at(parser, "bandwidth", "bandwidth=..", NULL);
	TP_TRY(tp_link_parse_bandwidth(field_name(parser, KEY_BANDWIDTH, field), parser->values[KEY_BANDWIDTH], &link));
	if (parser->values[KEY_LATENCY])
		TP_TRY(tp_link_parse_latency(field_name(parser, KEY_LATENCY, field), parser->values[KEY_LATENCY],
		                             &link));
	TP_TRY(make_links(parser));
	parser->link_lines++;
	return parser->values[KEY_FROM] || parser->values[KEY_TO] ? link_one(parser, &link) : link_all(parser, &link);
}

static enum tp_status cluster_line(struct parser *parser)
{
	if (parser->named)
		return fail_at(parser, "cluster", "one such line", "a second");
	parser->named = true;
	return take_name(parser, parser->cluster->name);
}

/* Cut a comment off: from a # that begins a word. */
static void cut_comment(char *line)
{
	for (char *at = line; (at = strchr(at, '#')); at++) {
		if (at == line || at[-1] == ' ' || at[-1] == '\t') {
			*at = '\0';
			return;
		}
	}
}

static enum tp_status take_line(struct parser *parser, char *line)
{
	static const struct {
		const char *name;
		unsigned allowed;
		enum tp_status (*take)(struct parser *parser);
	} kinds[] = {{"cluster", OF_CLUSTER, cluster_line},
	             {"worker", OF_WORKER, worker_line},
	             {"link", OF_LINK, link_line}};
	cut_comment(line);
	char *kind = line + strspn(line, " \t");
	size_t length = strcspn(kind, " \t");
	if (length == 0)
		return TP_OK;
	char *rest = kind + length + (kind[length] != '\0');
	kind[length] = '\0';
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kind, kinds[i].name) == 0) {
			TP_TRY(take_words(parser, rest, kinds[i].allowed));
			return kinds[i].take(parser);
		}
	}
	return fail_at(parser, "line", "cluster, worker or link first", kind);
}

/* The line that begins at `text`, `length` long and without its end, as a text of its own. */
static enum tp_status copy_line(const struct parser *parser, const char *text, size_t length, char line[LINE_BYTES])
{
	if (text[length] != '\n')
		return tp_fail(TP_ERR_INPUT, "%s: line %d: expected an end of line, found that of the file: cut short",
		               parser->file, parser->line_number);
	if (length > 0 && text[length - 1] == '\r')
		length--;
	if (length >= LINE_BYTES)
		return fail_at(parser, "line", "at most 511 characters", "more");
	memcpy(line, text, length);
	line[length] = '\0';
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)line[i];
		if ((byte < ' ' && byte != '\t') || byte == 127)
			return tp_fail(TP_ERR_INPUT, "%s: line %d: expected text, found byte 0x%02x", parser->file,
			               parser->line_number, byte);
	}
	return TP_OK;
}

static enum tp_status take_lines(struct parser *parser, const char *text)
{
	char line[LINE_BYTES];
	for (const char *next = text; *next;) {
		size_t length = strcspn(next, "\n");
		parser->line_number++;
		TP_TRY(copy_line(parser, next, length, line));
		TP_TRY(take_line(parser, line));
		next += length + 1;
	}
	if (parser->cluster->worker_count == 0)
		return tp_fail(TP_ERR_INPUT, "%s: expected at least one line 'worker name=..', found none",
		               parser->file);
	return make_links(parser);
}

enum tp_status tp_cluster_parse(const char *file_name, const char *text, struct tp_cluster *cluster)
{
	struct parser parser = {.file = shown(file_name), .cluster = cluster};
	*cluster = (struct tp_cluster){0};
	enum tp_status status = take_lines(&parser, text);
	tp_free(parser.linked);
	if (status != TP_OK)
		tp_cluster_release(cluster);
	return status;
}

void tp_cluster_release(struct tp_cluster *cluster)
{
	tp_free(cluster->workers);
	tp_free(cluster->downstream);
	tp_free(cluster->upstream);
	*cluster = (struct tp_cluster){0};
}

/* --- files ----------------------------------------------------------------------------------------------------------
 */

static enum tp_status unknown_cluster(const char *name)
{
	int reason = errno;
	const char *names[sizeof tp_shipped_clusters / sizeof *tp_shipped_clusters];
	size_t count = 0;
	for (; tp_shipped_clusters[count].name; count++)
		names[count] = tp_shipped_clusters[count].name;
	names[count] = NULL;
	const char *nearest = tp_nearest(name, names);
	if (nearest && !strchr(name, '/'))
		return tp_fail(TP_ERR_INPUT, "--cluster: no cluster or file '%s': did you mean '%s'?", shown(name),
		               nearest);
	return tp_fail(TP_ERR_INPUT, "--cluster %s: expected paper-a, paper-b, paper-c or a file: %s", shown(name),
	               strerror(reason));
}

static enum tp_status read_file(const char *path, FILE *file, struct tp_cluster *cluster)
{
	char *text = tp_alloc(FILE_MAX_BYTES + 1);
	if (!text)
		return TP_ERR_NOMEM;
	size_t length = fread(text, 1, FILE_MAX_BYTES + 1, file);
	enum tp_status status;
	if (ferror(file))
		status = tp_fail(TP_ERR_INPUT, "--cluster %s: cannot be read: %s", shown(path), strerror(errno));
	else if (length > FILE_MAX_BYTES || memchr(text, '\0', length))
		status = tp_fail(TP_ERR_INPUT, "%s: expected a text of at most 1 MiB, found %s", shown(path),
		                 length > FILE_MAX_BYTES ? "more" : "a NUL in it");
	else
		status = tp_cluster_parse(path, text, cluster);
	tp_free(text);
	return status;
}

enum tp_status tp_cluster_read(const char *name_or_path, struct tp_cluster *cluster)
{
	*cluster = (struct tp_cluster){0};
	for (const struct tp_shipped_cluster *shipped = tp_shipped_clusters; shipped->name; shipped++) {
		if (strcmp(name_or_path, shipped->name) == 0)
			return tp_cluster_parse(shipped->name, shipped->text, cluster);
	}
	FILE *file = fopen(name_or_path, "r");
	if (!file)
		return unknown_cluster(name_or_path);
	enum tp_status status = read_file(name_or_path, file, cluster);
	(void)fclose(file);
	return status;
}
