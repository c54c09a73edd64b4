# cmake -DSOURCE=checkout -DTEMPLATE=file.in -DOUTPUT=file.h ... -P build_info.cmake: what this build is made from. Runs with every build;
# the output is touched only when it changes.
set(TPBENCH_COMMIT unknown)
find_package(Git QUIET)
# Without a .git of its own the folder may lie inside some other project's checkout.
if(Git_FOUND AND EXISTS "${SOURCE}/.git")
  execute_process(COMMAND "${GIT_EXECUTABLE}" -C "${SOURCE}" describe --always --dirty --abbrev=40 --exclude=*
    OUTPUT_VARIABLE described RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT failed)
    set(TPBENCH_COMMIT "${described}")
  endif()
endif()
configure_file("${TEMPLATE}" "${OUTPUT}" @ONLY)
