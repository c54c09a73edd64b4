/* The entry points of the recorder, which NVTX looks up by these names. */
#ifndef TP_TESTS_NVTX_RECORDER_H
#define TP_TESTS_NVTX_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#define NVTX_NO_IMPL /* the types, not the calls */
#include <nvtx3/nvToolsExt.h>
#include <nvtx3/nvToolsExtPayload.h>

int NVTX_API InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table);
int NVTX_API InitializeInjectionNvtxExtension(nvtxExtModuleInfo_t *module);

#endif
