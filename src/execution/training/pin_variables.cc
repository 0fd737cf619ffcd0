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
struct Kernel {
  std::string_view name;
  std::string_view branch;
};
constexpr std::string_view kAnyBranch = "COMPATIBLE";  // every processor has this one
// Those that OpenBLAS is built with where nobody asks for older ones: for x86-64, then for ARM.
constexpr std::array<Kernel, 19> kKernels = {{{"Haswell", "AVX2"},
                                              {"Zen", "AVX2"},
                                              {"Excavator", "AVX2"},
                                              {"SkylakeX", "AVX512"},
                                              {"Cooperlake", "AVX512"},
                                              {"SapphireRapids", "AVX512"},
                                              {"Sapphirerapids", "AVX512"},
                                              {"Sandybridge", "AVX"},
                                              {"Bulldozer", "AVX"},
                                              {"Piledriver", "AVX"},
                                              {"Steamroller", "AVX"},
                                              {"Nehalem", "SSE4_2"},
                                              {"Barcelona", kAnyBranch},
                                              {"Core2", kAnyBranch},
                                              {"Prescott", kAnyBranch},
                                              {"ARMV8", kAnyBranch},
                                              {"NEOVERSEN1", kAnyBranch},
                                              {"NEOVERSEV1", kAnyBranch},
                                              {"NEOVERSEN2", kAnyBranch}}};

std::string MklBranch(std::string_view kernel) {
  const auto* const found = std::find_if(kKernels.begin(), kKernels.end(),
                                         [&](const Kernel& known) { return known.name == kernel; });
  return std::string(found == kKernels.end() ? kAnyBranch : found->branch);
}

// Of ONEDNN_MAX_CPU_ISA, without DEFAULT, which holds it to nothing.
constexpr std::array<std::string_view, 14> kOnednnSets = {"SSE41",
                                                          "AVX",
                                                          "AVX2",
                                                          "AVX2_VNNI",
                                                          "AVX2_VNNI_2",
                                                          "AVX512_CORE",
                                                          "AVX512_CORE_VNNI",
                                                          "AVX512_CORE_BF16",
                                                          "AVX512_CORE_FP16",
                                                          "AVX512_CORE_AMX",
                                                          "AVX512_CORE_AMX_FP16",
                                                          "AVX10_1_512",
                                                          "AVX10_1_512_AMX",
                                                          "AVX10_1_512_AMX_FP16"};

// Of ATEN_CPU_CAPABILITY, on x86-64.
constexpr std::array<std::string_view, 3> kTorchLevels = {"default", "avx2", "avx512"};

}  // namespace

std::vector<std::string_view> BlasPins() {
  std::vector<std::string_view> names;
  names.reserve(kKernels.size());
  for (const Kernel& kernel : kKernels) names.push_back(kernel.name);
  return names;
}

std::vector<std::string_view> OnednnPins() { return {kOnednnSets.begin(), kOnednnSets.end()}; }

std::vector<std::string_view> TorchPins() { return {kTorchLevels.begin(), kTorchLevels.end()}; }

std::vector<std::string_view> NumpyPins() {
  std::vector<std::string_view> names;
  names.reserve(kInstructionSets.size());
  for (const InstructionSet& set : kInstructionSets) names.push_back(set.pin);
  return names;
}

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
