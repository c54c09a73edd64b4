# What the project builds on; scripts/install-packages.sh installs all of it on Debian and Ubuntu.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3>=3.37) # STRICT tables
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)

find_path(DNNL_INCLUDE_DIR NAMES dnnl.h oneapi/dnnl/dnnl.h)
find_library(DNNL_LIBRARY NAMES dnnl)
if(NOT DNNL_INCLUDE_DIR OR NOT DNNL_LIBRARY)
  message(FATAL_ERROR "oneDNN (dnnl.h, libdnnl) not found: run scripts/install-packages.sh, or set DNNL_INCLUDE_DIR and DNNL_LIBRARY")
endif()
add_library(dnnl_imported INTERFACE)
target_include_directories(dnnl_imported SYSTEM INTERFACE "${DNNL_INCLUDE_DIR}")
target_link_libraries(dnnl_imported INTERFACE "${DNNL_LIBRARY}")

# oneDNN's builds of Debian and Ubuntu use libgomp; stages must be able to set one thread each.
find_package(OpenMP COMPONENTS C)

# NVTX is headers only. They come with the CUDA toolkit, nothing else of which is needed.
option(TPBENCH_NVTX "Ranges for tools such as Nsight Systems, where the headers of NVTX are found" ON)
set(TPBENCH_NVTX_FOUND 0)
add_library(nvtx_headers INTERFACE)
if(TPBENCH_NVTX)
  find_package(CUDAToolkit QUIET)
  find_path(NVTX_INCLUDE_DIR nvtx3/nvToolsExt.h HINTS ${CUDAToolkit_INCLUDE_DIRS} PATHS /usr/local/cuda/include)
endif()
if(TPBENCH_NVTX AND NVTX_INCLUDE_DIR)
  # Older headers have no payloads with a schema, or an earlier form of them.
  include(CheckCSourceCompiles)
  set(CMAKE_REQUIRED_INCLUDES "${NVTX_INCLUDE_DIR}")
  set(CMAKE_REQUIRED_LIBRARIES ${CMAKE_DL_LIBS})
  check_c_source_compiles("
    #include <nvtx3/nvToolsExt.h>
    #include <nvtx3/nvToolsExtPayload.h>
    int main(void) { nvtxPayloadSchemaAttr_t a = {0}; return nvtxPayloadSchemaRegister(0, &a) && nvtxDomainIsEnabled(0); }"
    TPBENCH_NVTX_HAS_PAYLOADS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()
if(TPBENCH_NVTX AND TPBENCH_NVTX_HAS_PAYLOADS)
  set(TPBENCH_NVTX_FOUND 1)
  target_include_directories(nvtx_headers SYSTEM INTERFACE "${NVTX_INCLUDE_DIR}")
  message(STATUS "NVTX: ranges are in the build (${NVTX_INCLUDE_DIR})")
elseif(TPBENCH_NVTX)
  message(STATUS "NVTX: nvtx3/nvToolsExt.h with payloads not found (set NVTX_INCLUDE_DIR): no ranges")
else()
  message(STATUS "NVTX: switched off: no ranges")
endif()

# CUDA is loaded at run time; to build the plugin takes the headers of its libraries, and nvcc for our kernels.
option(TPBENCH_CUDA "The plugin of the device cuda, where the CUDA toolkit is found" ON)
set(TPBENCH_CUDA_ARCHITECTURES 75 80 86 89 90 100 120 CACHE STRING
  "GPUs that our kernels are compiled for, oldest first; for newer ones the last is kept as PTX")
set(TPBENCH_CUDA_FOUND 0)
add_library(cuda_headers INTERFACE)
set(cuda_missing "")
if(TPBENCH_CUDA)
  find_package(CUDAToolkit QUIET)
  set(cuda_includes "")
  foreach(header cuda_runtime_api.h cudnn.h cublasLt.h nccl.h cupti.h)
    string(MAKE_C_IDENTIFIER "TPBENCH_DIR_OF_${header}" folder)
    find_path(${folder} ${header} HINTS ${CUDAToolkit_INCLUDE_DIRS} ENV CUDA_HOME
      PATHS /usr/local/cuda/include /usr/local/cuda/extras/CUPTI/include PATH_SUFFIXES include extras/CUPTI/include)
    mark_as_advanced(${folder})
    if(${folder})
      list(APPEND cuda_includes "${${folder}}")
    else()
      list(APPEND cuda_missing ${header})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES cuda_includes)
  find_program(TPBENCH_NVCC nvcc HINTS ${CUDAToolkit_BIN_DIR} ENV CUDA_HOME PATHS /usr/local/cuda/bin PATH_SUFFIXES bin)
  if(NOT TPBENCH_NVCC)
    list(APPEND cuda_missing nvcc)
  endif()
  if(NOT cuda_missing)
    # Older releases lack functions that the plugin calls, or have them with other arguments.
    include(CheckCSourceCompiles)
    set(CMAKE_REQUIRED_INCLUDES ${cuda_includes})
    check_c_source_compiles("
      #include <cuda_runtime_api.h>
      #include <cudnn.h>
      #include <cublasLt.h>
      #include <nccl.h>
      #include <cupti.h>
      #if CUDART_VERSION < 13000 || CUDNN_MAJOR < 9
      #error too old
      #endif
      int main(void) { return sizeof(&cuptiSubscribe_v2) + sizeof(&ncclCommInitRankConfig) != 2 * sizeof(void *); }"
      TPBENCH_CUDA_HEADERS_FIT)
    unset(CMAKE_REQUIRED_INCLUDES)
    if(NOT TPBENCH_CUDA_HEADERS_FIT)
      list(APPEND cuda_missing "CUDA 13 with cuDNN 9 and NCCL 2.14 or newer")
    endif()
  endif()
  list(JOIN cuda_missing ", " cuda_missing)
endif()
if(TPBENCH_CUDA AND NOT cuda_missing)
  set(TPBENCH_CUDA_FOUND 1)
  target_include_directories(cuda_headers SYSTEM INTERFACE ${cuda_includes})
  message(STATUS "CUDA: the plugin is in the build (${TPBENCH_NVCC})")
elseif(TPBENCH_CUDA)
  message(STATUS "CUDA: not found: ${cuda_missing}: no device cuda")
else()
  message(STATUS "CUDA: switched off: no device cuda")
endif()

set(TPBENCH_TEST_DATA "${CMAKE_SOURCE_DIR}/../shared/data" CACHE PATH "Folder of real data sets for tests; tests skip by name what is missing")
