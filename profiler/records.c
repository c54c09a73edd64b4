#include "profiler/records.h"

const char *tp_op_kind_text(enum tp_op_kind kind)
{
	static const char *const names[] = {
#define TP_OP_TEXT(name, text) text,
	        TP_OP_KIND_LIST(TP_OP_TEXT)
#undef TP_OP_TEXT
	};
	return names[kind];
}

const char *tp_mem_kind_text(enum tp_mem_kind kind)
{
	static const char *const names[] = {
#define TP_MEM_TEXT(name, text) text,
	        TP_MEM_KIND_LIST(TP_MEM_TEXT)
#undef TP_MEM_TEXT
	};
	return names[kind];
}

size_t tp_record_bytes(enum tp_record_kind kind)
{
	static const size_t bytes[] = {
#define TP_RECORD_SIZE(name, type) sizeof(type),
	        TP_RECORD_KIND_LIST(TP_RECORD_SIZE)
#undef TP_RECORD_SIZE
	};
	return bytes[kind];
}
