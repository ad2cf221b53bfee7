#if defined(__x86_64__)
#define THALWEG_REAL double
#define THALWEG_LANES 8
#include "kernel/table.hpp"

namespace thalweg {
extern const KernelTable<double> kernel_avx512_double;
const KernelTable<double> kernel_avx512_double = table("avx512");
}  // namespace thalweg
#endif
