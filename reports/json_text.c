#include "reports/json_text.h"

#include <math.h>
#include <stdlib.h>

#include "reports/escape.h"

json_t *tp_json_text(const char *text)
{
	struct tp_text valid = {0};
	while (*text) {
		size_t bytes = tp_utf8_bytes(text);
		if (bytes > 0)
			tp_text_add(&valid, "%.*s", (int)bytes, text);
		else
			tp_text_add(&valid, "\xef\xbf\xbd");
		text += bytes > 0 ? bytes : 1;
	}
	json_t *string = valid.failed ? NULL : json_string(tp_text_get(&valid));
	tp_text_release(&valid);
	return string;
}

json_t *tp_json_number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

enum tp_status tp_json_write(json_t *root, struct tp_text *out)
{
	char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	if (!text)
		return tp_fail(TP_ERR_NOMEM, "no memory for the JSON object");
	tp_text_add(out, "%s\n", text);
	free(text);
	return out->failed ? TP_ERR_NOMEM : TP_OK;
}
