#if defined(__x86_64__)
#define THALWEG_REAL float
#define THALWEG_LANES 8
#include "kernel/table.hpp"

namespace thalweg {
extern const KernelTable<float> kernel_avx2_single;
const KernelTable<float> kernel_avx2_single = table("avx2");
}  // namespace thalweg
#endif
