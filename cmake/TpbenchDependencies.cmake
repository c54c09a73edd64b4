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

set(TPBENCH_TEST_DATA "${CMAKE_SOURCE_DIR}/../shared/data" CACHE PATH "Folder of real data sets for tests; tests skip by name what is missing")
