#define THALWEG_LANES 2
#include "kernel/table.hpp"

namespace thalweg {
extern const KernelTable kernel_baseline;
const KernelTable kernel_baseline{"baseline", W, scratch_bytes, run_block, scatter};
}  // namespace thalweg
