#include "pin_variables.h"

#include <algorithm>
#include <array>

namespace glasscase::training {
namespace {

struct InstructionSet {
  std::string_view pin;
  std::string_view numpy_without;  // what NumPy must not use
  std::string_view xla;
};

// NumPy takes a list of what not to use, and passes over names that it does not know. Those before 2.4 know
// each feature by its name, newer ones levels of x86-64 (X86_V4) and what is above them: both are named. What
// NumPy is built for at least cannot be taken away.
constexpr std::array<InstructionSet, 2> kInstructionSets = {
    InstructionSet{.pin = "AVX2",
                   .numpy_without = "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL "
                                    "AVX512_ICL AVX512_SPR X86_V4",
                   .xla = "AVX2"},
    InstructionSet{.pin = "SSE42",
                   .numpy_without = "AVX XOP FMA4 F16C FMA3 AVX2 AVX512F AVX512CD AVX512_KNL AVX512_KNM "
                                    "AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V3 X86_V4",
                   .xla = "SSE4_2"}};

const InstructionSet* Find(std::string_view pin) {
  const auto* const found = std::find_if(kInstructionSets.begin(), kInstructionSets.end(),
                                         [&](const InstructionSet& set) { return set.pin == pin; });
  return found == kInstructionSets.end() ? nullptr : found;
}

// A PyTorch from its own wheels has no OpenBLAS but MKL, which takes a branch where the other takes a kernel.
std::string MklBranch(std::string_view kernel) {
  struct Row {
    std::string_view branch;
    std::array<std::string_view, 4> kernels;
  };
  constexpr std::array<Row, 4> kBranches = {
      Row{.branch = "AVX2", .kernels = {"Haswell", "Zen", "Excavator"}},
      Row{.branch = "AVX512", .kernels = {"SkylakeX", "Cooperlake", "Sapphirerapids", "SapphireRapids"}},
      Row{.branch = "AVX", .kernels = {"Sandybridge", "Bulldozer", "Piledriver", "Steamroller"}},
      Row{.branch = "SSE4_2", .kernels = {"Nehalem"}}};
  for (const Row& row : kBranches)
    if (std::find(row.kernels.begin(), row.kernels.end(), kernel) != row.kernels.end())
      return std::string(row.branch);
  return "COMPATIBLE";  // every processor has this one
}

}  // namespace

bool IsNumpyPin(std::string_view set) { return set == "off" || Find(set) != nullptr; }

std::map<std::string, std::string> PinVariables(const Pins& pins, bool is_runner) {
  std::map<std::string, std::string> variables;
  const auto is_on = [](const std::string& pin) { return !pin.empty() && pin != "off"; };
  if (is_on(pins.blas)) {
    variables["OPENBLAS_CORETYPE"] = pins.blas;
    variables["MKL_CBWR"] = MklBranch(pins.blas);
  }
  if (is_on(pins.onednn)) variables["ONEDNN_MAX_CPU_ISA"] = pins.onednn;
  if (is_on(pins.torch)) variables["ATEN_CPU_CAPABILITY"] = pins.torch;
  if (const InstructionSet* const set = Find(pins.numpy); set != nullptr) {
    variables["NPY_DISABLE_CPU_FEATURES"] = set->numpy_without;
    if (is_runner) variables["XLA_FLAGS"] = "--xla_cpu_max_isa=" + std::string(set->xla);
  }
  return variables;
}

}  // namespace glasscase::training
