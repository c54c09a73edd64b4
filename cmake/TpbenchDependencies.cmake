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

set(TPBENCH_TEST_DATA "${CMAKE_SOURCE_DIR}/../shared/data" CACHE PATH "Folder of real data sets for tests; tests skip by name what is missing")
