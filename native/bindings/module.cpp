// Assembles the extension module; each subject binds itself in its own file.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace thalweg {
void bind_kernel(nb::module_& m);
void bind_walkers(nb::module_& m);
void bind_potential_file(nb::module_& m);
}  // namespace thalweg

NB_MODULE(_native, m) {
    // Evaluators live in caches and in modules' globals until the interpreter ends, which it does in an order of its own;
    // nanobind would call each of them a leak.
    nb::set_leak_warnings(false);
    m.doc() = "Thalweg's native core: ACE features, neighbour lists, walkers. Use thalweg.features and thalweg.explorers.";
    thalweg::bind_kernel(m);  // first: it holds the base class of every force field
    thalweg::bind_walkers(m);
    thalweg::bind_potential_file(m);
}
