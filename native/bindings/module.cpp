// Assembles the extension module; each subject binds itself in its own file.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace thalweg {
void bind_force_field(nb::module_& m);  // the base class ForceField: r_cut, has_committee, has_novelty
void bind_kernel(nb::module_& m);
void bind_walkers(nb::module_& m);
}  // namespace thalweg

NB_MODULE(_native, m) {
    m.doc() = "Thalweg's native core: ACE features, neighbour lists, walkers. Use thalweg.features and thalweg.explorers.";
    thalweg::bind_force_field(m);  // first: a base class must be known before those derived from it
    thalweg::bind_kernel(m);
    thalweg::bind_walkers(m);
}
