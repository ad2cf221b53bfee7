// Chooses the kernel for this processor at run time.
#include <string_view>

#include "thalweg/check.hpp"
#include "thalweg/kernel.hpp"

namespace thalweg {

extern const KernelTable kernel_baseline;
#if defined(__x86_64__)
extern const KernelTable kernel_avx2, kernel_avx512;
#endif

const KernelTable& select_kernel(const char* name) {
    const std::string_view wanted(name);
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    if (avx512 && (wanted.empty() || wanted == "avx512")) return kernel_avx512;
    if (avx2 && (wanted.empty() || wanted == "avx2")) return kernel_avx2;
#endif
    check(wanted.empty() || wanted == "baseline",
          "instruction set must be one that this processor has of baseline, avx2, avx512; got " + std::string(name));
    return kernel_baseline;
}

}  // namespace thalweg
