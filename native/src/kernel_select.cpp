// Chooses the kernel for this processor at run time.
#include <string_view>

#include "thalweg/check.hpp"
#include "thalweg/kernel.hpp"

namespace thalweg {

extern const KernelTable<double> kernel_baseline_double;
extern const KernelTable<float> kernel_baseline_single;
#if defined(__x86_64__)
extern const KernelTable<double> kernel_avx2_double, kernel_avx512_double;
extern const KernelTable<float> kernel_avx2_single, kernel_avx512_single;
#endif

namespace {

template <class Real>
struct Kernels {
    const KernelTable<Real>*baseline, *avx2, *avx512;  // null where this processor's family has none
};

template <class Real>
const KernelTable<Real>& best(const Kernels<Real>& kernels, std::string_view wanted) {
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    if (avx512 && (wanted.empty() || wanted == "avx512")) return *kernels.avx512;
    if (avx2 && (wanted.empty() || wanted == "avx2")) return *kernels.avx2;
#endif
    check(wanted.empty() || wanted == "baseline",
          "instruction set must be one that this processor has of baseline, avx2, avx512; got " + std::string(wanted));
    return *kernels.baseline;
}

}  // namespace

template <>
const KernelTable<double>& select_kernel<double>(const char* name) {
#if defined(__x86_64__)
    return best<double>({&kernel_baseline_double, &kernel_avx2_double, &kernel_avx512_double}, name);
#else
    return best<double>({&kernel_baseline_double, nullptr, nullptr}, name);
#endif
}

template <>
const KernelTable<float>& select_kernel<float>(const char* name) {
#if defined(__x86_64__)
    return best<float>({&kernel_baseline_single, &kernel_avx2_single, &kernel_avx512_single}, name);
#else
    return best<float>({&kernel_baseline_single, nullptr, nullptr}, name);
#endif
}

}  // namespace thalweg
