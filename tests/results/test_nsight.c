/* Queries in the manner of Nsight Systems' report scripts, on our records under its names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger.h"
#include "test_store_support.h"

static const char *path;

static int make_database(void **state)
{
	if (make_folder(state) != 0)
		return -1;
	path = in_folder("ledger.db");
	make_ledger(path);
	return 0;
}

/* As nvtx_sum: the name of a range with that of its domain, which a process has once. */
static void ranges_are_summed_by_name(void **state)
{
	(void)state;
	static const char sql[] =
	        "WITH domains AS (SELECT domainId AS id, globalTid, text AS name FROM NVTX_EVENTS WHERE eventType = "
	        "75), "
	        "maxts AS (SELECT max(max(start), max(\"end\")) AS m FROM NVTX_EVENTS), "
	        "nvtx AS (SELECT coalesce(ne.\"end\", (SELECT m FROM maxts)) - ne.start AS duration, "
	        "  coalesce(d.name, '') || ':' || coalesce(sid.value, ne.text) AS tag, "
	        "  CASE ne.eventType WHEN 59 THEN 'PushPop' WHEN 60 THEN 'StartEnd' END AS style "
	        "  FROM NVTX_EVENTS AS ne LEFT OUTER JOIN domains AS d ON ne.domainId = d.id "
	        "    AND (ne.globalTid & 0x0000FFFFFF000000) = (d.globalTid & 0x0000FFFFFF000000) "
	        "  LEFT OUTER JOIN StringIds AS sid ON ne.textId = sid.id WHERE ne.eventType IN (59, 60) AND run_id = "
	        "4) "
	        "SELECT style, tag, count(*), sum(duration), avg(duration), min(duration), max(duration) FROM nvtx "
	        "GROUP BY 1, 2 ORDER BY 1, 2";
	assert_string_equal(sql_text(path, sql), "PushPop|tpbench:B|2|40|20.0|10|30;"
	                                         "PushPop|tpbench:F|4|40|10.0|10|10;"
	                                         "PushPop|tpbench:U|2|8|4.0|3|5;"
	                                         "StartEnd|tpbench:RECV|3|12|4.0|4|4;"
	                                         "StartEnd|tpbench:SEND|3|2|0.666666666666667|0|1;"
	                                         "StartEnd|tpbench:WAIT|4|82|20.5|5|37;"
	                                         "StartEnd|tpbench:epoch|1|85|85.0|85|85");
}

/* As nvtx_pushpop_trace: by thread and time; thread 1000 << 24 | 4 << 11 | stage + 1. */
static void ranges_are_traced_by_thread(void **state)
{
	(void)state;
	assert_string_equal(
	        sql_text(path, "SELECT start, \"end\", value, uint64Value, category, printf('%x', color), rangeId, "
	                       "(globalTid >> 24) & 0xFFFFFF AS pid, globalTid & 0xFFFFFF AS tid "
	                       "FROM NVTX_EVENTS JOIN StringIds ON textId = id WHERE eventType = 59 AND run_id = 4 "
	                       "ORDER BY globalTid, start"),
	        "0|10|F|1|1|ff4e79a7|NULL|1000|8193;10|20|F|1|1|ff4e79a7|NULL|1000|8193;"
	        "50|80|B|1|2|fff28e2b|NULL|1000|8193;80|85|U|1|3|ff59a14f|NULL|1000|8193;"
	        "15|25|F|1|1|ff4e79a7|NULL|1000|8194;25|35|F|1|1|ff4e79a7|NULL|1000|8194;"
	        "35|45|B|1|2|fff28e2b|NULL|1000|8194;45|48|U|1|3|ff59a14f|NULL|1000|8194");
	/* SEND on the sender's thread, RECV on the receiver's, WAIT with the mini-batch that was waited for. */
	assert_string_equal(
	        sql_text(path, "SELECT value, start, \"end\", uint64Value, category, globalTid & 0x7FF, globalTid = "
	                       "endGlobalTid "
	                       "FROM NVTX_EVENTS JOIN StringIds ON textId = id WHERE eventType = 60 AND run_id = 4 "
	                       "ORDER BY category, start, \"end\""),
	        "SEND|10|11|1|4|1|1;SEND|20|20|1|4|1|1;SEND|45|46|1|4|2|1;"
	        "RECV|11|15|1|5|2|1;RECV|20|24|1|5|2|1;RECV|46|50|1|5|1|1;"
	        "WAIT|0|15|1|6|2|1;WAIT|20|45|1|6|1|1;WAIT|45|50|1|6|1|1;WAIT|48|85|NULL|6|2|1;"
	        "epoch|0|85|1|7|0|1");
	assert_string_equal(sql_text(path, "SELECT value, name FROM ThreadNames JOIN StringIds ON nameId = id "
	                                   "JOIN PROCESSES ON globalPid = (globalTid & 0xFFFFFFFFFF000000) "
	                                   "WHERE globalTid & 0xFFFFFF BETWEEN 8192 AND 8194 ORDER BY globalTid"),
	                    "run|tpbench;stage 0|tpbench;stage 1|tpbench");
}

/* Projection reports key on rowid. */
static void rows_are_told_apart(void **state)
{
	(void)state;
	assert_string_equal(sql_text(path, "SELECT count(*), count(DISTINCT rowid), min(typeof(rowid)), min(rowid) > 0 "
	                                   "FROM NVTX_EVENTS"),
	                    "23|23|integer|1");
	assert_string_equal(sql_text(path, "SELECT count(*), count(DISTINCT id), max(id) FROM StringIds"),
	                    "14|14|2050");
	assert_string_equal(sql_text(path, "SELECT count(*) FROM (SELECT 1 FROM NVTX_EVENTS WHERE eventType = 60 "
	                                   "GROUP BY rangeId HAVING count(*) > 1 OR rangeId IS NULL)"),
	                    "0");
}

/* As cuda_gpu_kern_sum. What ran on the processor is not there. */
static void kernels_are_summed(void **state)
{
	(void)state;
	static const char sql[] =
	        "SELECT count(*), sum(\"end\" - start), avg(\"end\" - start), min(\"end\" - start), "
	        "max(\"end\" - start), value, gridX, blockX, streamId, min(correlationId), globalPid >> 24 "
	        "FROM CUPTI_ACTIVITY_KIND_KERNEL JOIN StringIds ON demangledName = id "
	        "GROUP BY value";
	assert_string_equal(sql_text(path, sql), "2|16|8.0|7|9|conv|2|256|7|11|1000");
	assert_string_equal(sql_text(path, "SELECT name, smCount, computeMajor, uuid FROM TARGET_INFO_GPU "
	                                   "JOIN CUPTI_ACTIVITY_KIND_KERNEL ON deviceId = id GROUP BY deviceId"),
	                    "a GPU|132|9|GPU-1");
	assert_string_equal(sql_text(path, "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_RUNTIME"), "0");
}

/* As cuda_gpu_mem_size_sum. */
static void copies_are_summed_by_size(void **state)
{
	(void)state;
	static const char sql[] =
	        "SELECT label, count(*), sum(bytes), avg(bytes), min(bytes), max(bytes) "
	        "FROM CUPTI_ACTIVITY_KIND_MEMCPY JOIN ENUM_CUDA_MEMCPY_OPER ON copyKind = id GROUP BY id ORDER BY id";
	assert_string_equal(sql_text(path, sql),
	                    "Host-to-Device|2|1536|768.0|512|1024;Device-to-Host|1|2048|2048.0|2048|2048");
	assert_string_equal(sql_text(path, "SELECT s.label, d.label FROM CUPTI_ACTIVITY_KIND_MEMCPY "
	                                   "JOIN ENUM_CUDA_MEM_KIND AS s ON srcKind = s.id "
	                                   "JOIN ENUM_CUDA_MEM_KIND AS d ON dstKind = d.id ORDER BY start"),
	                    "Pinned|Device;Pinned|Device;Device|Pinned");
}

/* Scripts ask for tables and columns by name, and count views as tables. */
static void every_column_is_there(void **state)
{
	(void)state;
	static const struct {
		const char *view, *columns;
	} expected[] = {
	        {"NVTX_EVENTS",
	         "start end eventType rangeId category color text globalTid endGlobalTid textId domainId uint64Value "
	         "int64Value doubleValue uint32Value int32Value floatValue jsonTextId jsonText binaryData rowid"},
	        {"CUPTI_ACTIVITY_KIND_KERNEL",
	         "start end deviceId contextId greenContextId streamId correlationId globalPid demangledName shortName "
	         "mangledName launchType cacheConfig registersPerThread gridX gridY gridZ blockX blockY blockZ "
	         "staticSharedMemory dynamicSharedMemory localMemoryPerThread localMemoryTotal gridId "
	         "sharedMemoryExecuted graphNodeId sharedMemoryLimitConfig"},
	        {"CUPTI_ACTIVITY_KIND_MEMCPY",
	         "start end deviceId contextId greenContextId streamId correlationId globalPid bytes copyKind "
	         "deprecatedSrcId srcKind dstKind srcDeviceId srcContextId dstDeviceId dstContextId migrationCause "
	         "graphNodeId virtualAddress"},
	        {"CUPTI_ACTIVITY_KIND_MEMSET", "start end deviceId contextId greenContextId streamId correlationId "
	                                       "globalPid value bytes graphNodeId memKind"},
	        {"CUPTI_ACTIVITY_KIND_RUNTIME",
	         "start end eventClass globalTid correlationId nameId returnValue callchainId"},
	        {"StringIds", "id value"},
	        {"TARGET_INFO_GPU", "vmId id name busLocation isDiscrete l2CacheSize totalMemory memoryBandwidth "
	                            "clockRate smCount pwGpuId "
	                            "uuid luid chipName cuDevice computeMajor computeMinor smMajor smMinor"},
	        {"META_DATA_EXPORT", "name value"},
	        {"PROCESSES", "globalPid pid name"},
	        {"ThreadNames", "nameId priority globalTid"},
	        {"TARGET_INFO_SESSION_START_TIME", "utcEpochNs utcTime localTime"},
	        {"ENUM_CUDA_MEMCPY_OPER", "id name label"},
	        {"ENUM_CUDA_MEM_KIND", "id name label"},
	        {"ENUM_NSYS_EVENT_TYPE", "id name label"},
	};
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		char columns[1024], sql[128];
		(void)snprintf(columns, sizeof columns, "%s", expected[i].columns);
		for (char *column = strtok(columns, " "); column; column = strtok(NULL, " ")) {
			(void)snprintf(sql, sizeof sql,
			               "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'",
			               expected[i].view, column);
			if (sql_integer(path, sql) != 1)
				fail_msg("%s has no column %s", expected[i].view, column);
		}
		(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", expected[i].view);
		assert_true(sql_integer(path, sql) > 0 || strstr(expected[i].view, "RUNTIME") ||
		            strstr(expected[i].view, "MEMSET"));
	}
	assert_string_equal(sql_text(path, "SELECT count(*) FROM pragma_table_info('TARGET_INFO_GPU')"), "41");
	assert_string_equal(sql_text(path, "SELECT value FROM META_DATA_EXPORT WHERE name = 'EXPORT_SCHEMA_VERSION'"),
	                    "3.16.1");
	assert_string_equal(sql_text(path, "SELECT utcEpochNs, utcTime FROM TARGET_INFO_SESSION_START_TIME"),
	                    "1700000001000000000|2023-11-14T22:13:21");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(ranges_are_summed_by_name), cmocka_unit_test(ranges_are_traced_by_thread),
	        cmocka_unit_test(rows_are_told_apart),       cmocka_unit_test(kernels_are_summed),
	        cmocka_unit_test(copies_are_summed_by_size), cmocka_unit_test(every_column_is_there),
	};
	return cmocka_run_group_tests(tests, make_database, remove_folder);
}
