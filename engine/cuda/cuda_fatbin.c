/* Our kernels as nvcc made them, for all GPUs at once, between two symbols (cuda_fatbin.h). */
#include "engine/cuda/cuda_fatbin.h"

__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        ".globl tpb_kernels_fatbin\n"
        ".hidden tpb_kernels_fatbin\n"
        "tpb_kernels_fatbin:\n"
        ".incbin \"" TPB_FATBIN_FILE "\"\n"
        ".globl tpb_kernels_fatbin_end\n"
        ".hidden tpb_kernels_fatbin_end\n"
        "tpb_kernels_fatbin_end:\n"
        ".byte 0\n"
        ".popsection\n");
