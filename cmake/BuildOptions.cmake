# Language, warnings, sanitizers, hardening and build speed, for every target of ours.
include_guard(GLOBAL)

option(GLASSCASE_APPS "Build the programs of apps/ (off where only unit tests are wanted)" ON)
option(GLASSCASE_TESTS "Build unit tests and fuzz target replays" ON)
option(GLASSCASE_FUZZ "Build fuzz targets with libFuzzer (clang)" OFF)
set(GLASSCASE_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined")

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT multi_config)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

# -g1: line numbers for stack traces, no variables; a third less to compile, link and store than -g.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

include(CheckPIESupported)
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_compile_options(-fstack-protector-strong -fno-plt)
add_link_options(LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
if(GLASSCASE_SANITIZE)
  add_compile_options("-fsanitize=${GLASSCASE_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options("-fsanitize=${GLASSCASE_SANITIZE}")
  if(GLASSCASE_SANITIZE STREQUAL "thread")
    # It does not know fences, so GCC refuses those of Asio, whose locks say the same to it.
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
else()
  # Fortification hides from the sanitizers what they would report better. It needs optimisation.
  add_compile_definitions("$<$<CONFIG:Release>:_FORTIFY_SOURCE=2>")
endif()
# Bounds of operator[] and the like are checked in release builds too: the bytes come from strangers.
add_compile_definitions(_GLIBCXX_ASSERTIONS)

find_program(GLASSCASE_CCACHE ccache)
if(GLASSCASE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Relative paths, so that two clones of one commit share what they compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}"
      CCACHE_NOHASHDIR=1 "${GLASSCASE_CCACHE}")
endif()
find_program(GLASSCASE_MOLD mold)
if(GLASSCASE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Warnings for code of ours; third-party headers come in as SYSTEM and generated sources are exempted one by one.
function(glasscase_warnings target)
  target_compile_options("${target}" PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror)
endfunction()
