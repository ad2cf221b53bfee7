#if defined(__x86_64__)
#define THALWEG_REAL double
#define THALWEG_LANES 4
#include "kernel/table.hpp"

namespace thalweg {
extern const KernelTable<double> kernel_avx2_double;
const KernelTable<double> kernel_avx2_double = table("avx2");
}  // namespace thalweg
#endif
