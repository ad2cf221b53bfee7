#if defined(__x86_64__)
#define THALWEG_REAL float
#define THALWEG_LANES 16
#include "kernel/table.hpp"

namespace thalweg {
extern const KernelTable<float> kernel_avx512_single;
const KernelTable<float> kernel_avx512_single = table("avx512");
}  // namespace thalweg
#endif
