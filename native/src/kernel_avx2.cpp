#if defined(__x86_64__)
#define THALWEG_LANES 4
#include "kernel/table.hpp"

namespace thalweg {
extern const KernelTable kernel_avx2;
const KernelTable kernel_avx2{"avx2", W, scratch_bytes, run_block, scatter};
}  // namespace thalweg
#endif
