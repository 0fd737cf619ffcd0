# Everything that is not ours, found once. What is not a Debian package lies in .deps/, where tools/bootstrap puts it.
include_guard(GLOBAL)

set(GLASSCASE_DEPS_DIR "${CMAKE_SOURCE_DIR}/.deps")
if(NOT EXISTS "${GLASSCASE_DEPS_DIR}/onnxruntime/lib/libonnxruntime.so.1")
  message(FATAL_ERROR "ONNX Runtime is not in .deps/. Run tools/bootstrap first.")
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS context json url)
find_package(CURL REQUIRED)
find_package(EXPAT REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(simdjson REQUIRED)
find_package(tl-expected REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET GLOBAL libseccomp)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET GLOBAL libutf8proc)

# libseccomp::libseccomp: a name in the style of the others.
add_library(libseccomp::libseccomp ALIAS PkgConfig::SECCOMP)
add_library(utf8proc::utf8proc ALIAS PkgConfig::UTF8PROC)

# Built and run against the same file: its symbols are versioned.
add_library(onnxruntime::onnxruntime SHARED IMPORTED GLOBAL)
set_target_properties(onnxruntime::onnxruntime PROPERTIES
  IMPORTED_LOCATION "${GLASSCASE_DEPS_DIR}/onnxruntime/lib/libonnxruntime.so.1"
  IMPORTED_SONAME libonnxruntime.so.1
  INTERFACE_INCLUDE_DIRECTORIES "${GLASSCASE_DEPS_DIR}/onnxruntime/include")
