#define THALWEG_REAL float
#define THALWEG_LANES 4
#include "kernel/table.hpp"

namespace thalweg {
extern const KernelTable<float> kernel_baseline_single;
const KernelTable<float> kernel_baseline_single = table("baseline");
}  // namespace thalweg
