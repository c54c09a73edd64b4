/* The module with our kernels: what cudaLibraryLoadData() takes. */
#ifndef TP_ENGINE_CUDA_FATBIN_H
#define TP_ENGINE_CUDA_FATBIN_H

extern const unsigned char tpb_kernels_fatbin[], tpb_kernels_fatbin_end[];

#endif
