// Assembles the extension module; each subject binds itself in its own file.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace thalweg {
void bind_kernel(nb::module_& m);
void bind_walkers(nb::module_& m);
}  // namespace thalweg

NB_MODULE(_native, m) {
    m.doc() = "Thalweg's native core: ACE features, neighbour lists, walkers. Use thalweg.features and thalweg.explorers.";
    thalweg::bind_kernel(m);  // first: it holds the base class of every force field
    thalweg::bind_walkers(m);
}
