// Time and peak memory of a native translation: a model file to the bytes of an ONNX file.
//   translation_bench MODEL
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>

#include <glasscase/translation/onnx_file.h>
#include <glasscase/translation/read.h>

namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

uint64_t PeakBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1'024;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const Clock::time_point begin = Clock::now();
  glasscase::Bytes file;
  {
    std::ifstream stream(argv[1], std::ios::binary | std::ios::ate);
    file.resize(static_cast<size_t>(std::max<std::streamoff>(stream.tellg(), 0)));
    stream.seekg(0);
    stream.read(reinterpret_cast<char*>(file.data()), static_cast<std::streamsize>(file.size()));
  }
  const auto model = glasscase::translation::Read(file);
  const double read_seconds = SecondsSince(begin);
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message().c_str());
    return 1;
  }
  const auto onnx = glasscase::translation::WriteOnnx(*model);
  if (!onnx) return 1;
  std::printf(
      "{\"file_bytes\":%zu,\"onnx_bytes\":%zu,\"read_seconds\":%.3f,\"seconds\":%.3f,\"peak_bytes\":%llu}\n",
      file.size(), onnx->size(), read_seconds, SecondsSince(begin),
      static_cast<unsigned long long>(PeakBytes()));
  return 0;
}
