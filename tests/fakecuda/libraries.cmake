# The stand-ins for cuDNN and cuBLASLt, apart from the queues, so that their arithmetic is tested without them.
add_library(fake_libraries OBJECT fake_math.c fake_cudnn.c fake_cudnn_algorithms.c fake_cudnn_conv.c fake_cudnn_norm.c
  fake_cudnn_pool.c fake_cublaslt.c fake_cublaslt_matmul.c)
set_target_properties(fake_libraries PROPERTIES C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
target_link_libraries(fake_libraries PUBLIC tpbench_flags cuda_headers)
# Whole models run through them, in debug builds too.
set_property(SOURCE fake_math.c APPEND PROPERTY COMPILE_OPTIONS -O3 -ffp-contract=off)

foreach(test test_fake_cudnn test_fake_cudnn_norm test_fake_cudnn_pool)
  tpbench_test(${test} SOURCES ${test}.c cudnn_fixture.c run_at_once.c DEPENDS fake_libraries m)
endforeach()
tpbench_test(test_fake_cublaslt SOURCES test_fake_cublaslt.c cublaslt_fixture.c run_at_once.c DEPENDS fake_libraries m)
tpbench_test(test_fake_reference SOURCES test_fake_reference.c cudnn_fixture.c run_at_once.c ../backend/graph.c
  DEPENDS fake_libraries tpb_backend m)
