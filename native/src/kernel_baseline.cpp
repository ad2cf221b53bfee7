#define THALWEG_REAL double
#define THALWEG_LANES 2
#include "kernel/table.hpp"

namespace thalweg {
extern const KernelTable<double> kernel_baseline_double;
const KernelTable<double> kernel_baseline_double = table("baseline");
}  // namespace thalweg
