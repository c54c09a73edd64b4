#include "engine/backend/cpu_choice.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "engine/base/prng.h"

/* Beyond these, choices are made anew each time. A network has a few dozen. */
#define MAX_CHOICES 1024
#define MAX_NUMBER 1000000

/* Raise when an algorithm is added or its speed changes: older files then count for nothing. */
#define FORMAT 2

struct choice {
	struct tp_conv_key key;
	enum tp_conv_algorithm algorithm;
};

struct choices {
	int32_t count;
	struct choice list[MAX_CHOICES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct choices known; /* guarded by `lock`, as is the next */
static bool unsaved;

static const char *const pass_texts[TP_DNNL_PASSES] = {"F", "BD", "BW"};

const char *tp_conv_algorithm_text(enum tp_conv_algorithm algorithm)
{
	static const char *const texts[TP_CONV_ALGORITHMS] = {"direct", "winograd", "tiny"};
	return texts[algorithm];
}

static bool same_key(const struct tp_conv_key *a, const struct tp_conv_key *b)
{
	return a->pass == b->pass && tp_shape_equal(a->in, b->in) && a->out_channels == b->out_channels &&
	       a->kernel == b->kernel && a->stride == b->stride && a->padding == b->padding && a->samples == b->samples;
}

static const struct choice *find(const struct choices *choices, const struct tp_conv_key *key)
{
	for (int32_t i = 0; i < choices->count; i++)
		if (same_key(&choices->list[i].key, key))
			return &choices->list[i];
	return NULL;
}

/* What is there already stays: runs of one process shall not differ. */
static void add(struct choices *choices, const struct choice *choice)
{
	if (choices->count < MAX_CHOICES && !find(choices, &choice->key))
		choices->list[choices->count++] = *choice;
}

bool tp_choice_find(const struct tp_conv_key *key, enum tp_conv_algorithm *algorithm)
{
	(void)pthread_mutex_lock(&lock);
	const struct choice *choice = find(&known, key);
	if (choice)
		*algorithm = choice->algorithm;
	(void)pthread_mutex_unlock(&lock);
	return choice != NULL;
}

void tp_choice_remember(const struct tp_conv_key *key, enum tp_conv_algorithm algorithm)
{
	(void)pthread_mutex_lock(&lock);
	add(&known, &(struct choice){*key, algorithm});
	unsaved = true;
	(void)pthread_mutex_unlock(&lock);
}

/* Winograd transforms the weights at every call, so small images in small batches do not pay. Measured on VGG-16 with
 * AVX-512: it wins everywhere from 4x4 and 8 samples on, and loses at 2x2 whatever the batch. */
enum tp_conv_algorithm tp_choice_rule(const struct tp_conv_key *key)
{
	if (key->kernel != 3 || key->stride != 1 || key->samples < 8)
		return TP_CONV_BY_DIRECT;
	if (key->in.h == 2 && key->in.w == 2)
		return TP_CONV_BY_TINY;
	return key->in.h >= 4 && key->in.w >= 4 ? TP_CONV_BY_WINOGRAD : TP_CONV_BY_DIRECT;
}

/* The first "model name" of /proc/cpuinfo; "" where there is none. */
static void read_cpu_model(char *model, size_t size)
{
	char line[256];
	FILE *file = fopen("/proc/cpuinfo", "r");
	model[0] = '\0';
	if (!file)
		return;
	while (!model[0] && fgets(line, sizeof line, file)) {
		const char *colon = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
		if (colon)
			(void)snprintf(model, size, "%s", colon + 2);
	}
	model[strcspn(model, "\n")] = '\0';
	(void)fclose(file);
}

/* Two lines that tell what the choices hold for. */
static void add_header(struct tp_text *text)
{
	char model[128];
	read_cpu_model(model, sizeof model);
	tp_text_add(text, "tpbench convolution choices %d\n%s, ", FORMAT, model);
	tp_dnnl_identify(text);
	tp_text_add(text, ", 1 thread\n");
}

char *tp_choice_file(const char *folder)
{
	struct tp_text header = {0};
	add_header(&header);
	size_t bytes = strlen(folder) + 40;
	char *file = header.failed ? NULL : tp_alloc(bytes);
	if (file)
		(void)snprintf(file, bytes, "%s/conv-%016llx.txt", folder,
		               (unsigned long long)tp_hash_text(tp_text_get(&header)));
	tp_text_release(&header);
	return file;
}

/* "BW 64 32 32 128 3 1 1 48 winograd" */
static bool parse_line(const char *line, struct choice *choice)
{
	char pass[4], algorithm[12];
	int n[8], end = -1;
	if (sscanf(line, "%3s %d %d %d %d %d %d %d %d %11s%n", pass, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6],
	           &n[7], algorithm, &end) != 10 ||
	    end < 0 || strcmp(line + end, "\n") != 0)
		return false;
	for (int i = 0; i < 8; i++)
		if (n[i] < 0 || n[i] > MAX_NUMBER)
			return false;
	int p = 0, a = 0;
	while (p < TP_DNNL_PASSES && strcmp(pass, pass_texts[p]) != 0)
		p++;
	while (a < TP_CONV_ALGORITHMS && strcmp(algorithm, tp_conv_algorithm_text((enum tp_conv_algorithm)a)) != 0)
		a++;
	*choice = (struct choice){{(enum tp_dnnl_pass)p, {n[0], n[1], n[2]}, n[3], n[4], n[5], n[6], n[7]},
	                          (enum tp_conv_algorithm)a};
	return p < TP_DNNL_PASSES && a < TP_CONV_ALGORITHMS;
}

/* All of the file, or nothing. */
static bool parse_file(FILE *file, const char *header, struct choices *found)
{
	char line[256];
	size_t length = strlen(header);
	for (size_t at = 0; at < length; at += strlen(line))
		if (!fgets(line, sizeof line, file) || strncmp(header + at, line, strlen(line)) != 0 || !line[0])
			return false;
	while (fgets(line, sizeof line, file)) {
		struct choice choice;
		if (!parse_line(line, &choice))
			return false;
		add(found, &choice);
	}
	return !ferror(file);
}

void tp_choice_load(const char *path)
{
	struct tp_text header = {0};
	FILE *file = fopen(path, "r");
	if (!file)
		return;
	struct choices *found = tp_alloc(sizeof *found);
	add_header(&header);
	if (found && !header.failed && parse_file(file, tp_text_get(&header), found)) {
		(void)pthread_mutex_lock(&lock);
		for (int32_t i = 0; i < found->count; i++)
			add(&known, &found->list[i]);
		(void)pthread_mutex_unlock(&lock);
	}
	tp_text_release(&header);
	tp_free(found);
	(void)fclose(file);
}

static void make_folder_of(const char *path)
{
	char folder[4096];
	if ((size_t)snprintf(folder, sizeof folder, "%s", path) >= sizeof folder)
		return;
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(folder, 0777); /* there already, or the next fopen fails */
		*slash = '/';
	}
}

static bool write_choices(const char *path)
{
	struct tp_text text = {0};
	add_header(&text);
	(void)pthread_mutex_lock(&lock);
	for (int32_t i = 0; i < known.count; i++) {
		const struct tp_conv_key *key = &known.list[i].key;
		tp_text_add(&text, "%s %d %d %d %d %d %d %d %d %s\n", pass_texts[key->pass], key->in.c, key->in.h,
		            key->in.w, key->out_channels, key->kernel, key->stride, key->padding, key->samples,
		            tp_conv_algorithm_text(known.list[i].algorithm));
	}
	(void)pthread_mutex_unlock(&lock);
	FILE *file = text.failed ? NULL : fopen(path, "w");
	bool written = file && fputs(tp_text_get(&text), file) != EOF;
	if (file)
		written = fclose(file) == 0 && written;
	tp_text_release(&text);
	return written;
}

static bool is_current(const char *path)
{
	(void)pthread_mutex_lock(&lock);
	bool current = !unsaved && access(path, F_OK) == 0;
	unsaved = false;
	(void)pthread_mutex_unlock(&lock);
	return current;
}

void tp_choice_save(const char *path)
{
	char temporary[4096];
	if (is_current(path))
		return;
	if ((size_t)snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid()) >= sizeof temporary)
		return;
	make_folder_of(path);
	tp_choice_load(path); /* another process may have added some */
	if (!write_choices(temporary) || rename(temporary, path) != 0)
		(void)unlink(temporary);
}
