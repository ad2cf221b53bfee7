#if defined(__x86_64__)
#define THALWEG_LANES 8
#include "kernel/table.hpp"

namespace thalweg {
extern const KernelTable kernel_avx512;
const KernelTable kernel_avx512{"avx512", W, scratch_bytes, run_block, scatter};
}  // namespace thalweg
#endif
