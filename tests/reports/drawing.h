/* A drawn timeline read back from its SVG, by what it shows: tooltips and shapes. Include behind <cmocka.h>. */
#ifndef TP_TESTS_REPORTS_DRAWING_H
#define TP_TESTS_REPORTS_DRAWING_H

#include <stdint.h>

struct drawn_op {
	char kind[4], label[24];                             /* label "" when it has none */
	long long mini, micro, stage, read, live, committed; /* micro -1: all */
	double x, width;
	int lane; /* which one the shape lies on */
};

struct drawing {
	struct drawn_op *ops; /* in the order of the file */
	int count;
	double left, width; /* of what times have */
	int lanes;
};

/* Fails the test when the text is no such picture; release with free(drawing.ops). */
struct drawing read_drawing(const char *svg);

/* Fails the test unless `xml` is one well-formed element: tags close in order, attributes are quoted, references are
 * those of XML. Stricter than XML where ours is: no comments, no sections. */
void check_well_formed(const char *xml);

/* How often `part` occurs. */
int count_of(const char *text, const char *part);

#endif
