# One library per directory. tpbench_library(NAME SOURCES ... DEPENDS ...) and tpbench_test(NAME SOURCES ... DEPENDS ...).

set(TPBENCH_SANITIZE "" CACHE STRING "Sanitizers to build with, for instance address,undefined or thread")
option(TPBENCH_COVERAGE "Instrument for gcov" OFF)
option(TPBENCH_WERROR "Treat warnings as errors" OFF)

add_library(tpbench_flags INTERFACE)
target_include_directories(tpbench_flags INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(tpbench_flags INTERFACE _GNU_SOURCE)
target_compile_options(tpbench_flags INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Wundef -Wvla -Wwrite-strings -Wformat=2 -Wdouble-promotion -fno-math-errno)
if(TPBENCH_WERROR)
  target_compile_options(tpbench_flags INTERFACE -Werror)
endif()
if(TPBENCH_SANITIZE)
  target_compile_options(tpbench_flags INTERFACE "-fsanitize=${TPBENCH_SANITIZE}" -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(tpbench_flags INTERFACE "-fsanitize=${TPBENCH_SANITIZE}")
endif()
if(TPBENCH_COVERAGE)
  target_compile_options(tpbench_flags INTERFACE --coverage)
  target_link_options(tpbench_flags INTERFACE --coverage)
endif()

# With BUILD_SHARED_LIBS=ON (the debug preset) the linker refuses a library that uses a layer it does not declare.
function(tpbench_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC tpbench_flags ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
  if(BUILD_SHARED_LIBS AND NOT TPBENCH_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,-z,defs -Wl,--no-undefined)
  endif()
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

# Plugins that are loaded at run time lie here, and `../lib/tpbench` of the program once installed.
include(GNUInstallDirs)
set(TPBENCH_PLUGIN_DIR "${CMAKE_BINARY_DIR}/lib/tpbench")

# A program that may load a plugin, which takes functions of ours from it.
function(tpbench_loads_plugins name)
  set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
  if(TARGET tpb_cuda)
    add_dependencies(${name} tpb_cuda)
  endif()
endfunction()

# A test is one process of its own. LABEL slow keeps it out of the quick run; RUN_AS gives extra arguments.
function(tpbench_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;LABEL" "SOURCES;DEPENDS;ARGS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tpbench_flags ${ARG_DEPENDS} PkgConfig::CMOCKA)
  tpbench_loads_plugins(${name})
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "OMP_NUM_THREADS=1;TPBENCH_TEST_DATA=${TPBENCH_TEST_DATA};TPBENCH_CUDA_PLUGIN=${TPBENCH_PLUGIN_DIR}/libtpb_cuda.so")
  if(ARG_LABEL)
    set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL})
  endif()
endfunction()
