// The reader of exported potentials, so that Python can hold the file against the potential that it came from.
#include "thalweg/potential_file.hpp"

#include "arrays.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

namespace thalweg {

void bind_potential_file(nb::module_& m) {
    using namespace nb::literals;
    m.def("parse_potential", [](const nb::bytes& text) {
        PotentialFile file = parse_potential({text.c_str(), text.size()});
        auto evaluator = std::make_shared<const Evaluator>(std::move(file.plan), "");
        const std::size_t n = file.elements.size();
        auto field = std::make_shared<LinearForceField>(std::move(evaluator), std::move(file.model));
        return nb::make_tuple(std::move(field), file.elements, file.confidence,
                              to_numpy(std::move(file.bound_factors), {n}), to_numpy(std::move(file.bound_floors), {n}),
                              file.provenance);
    }, "text"_a, "force field, elements, confidence, bound factors, bound floors, provenance (JSON).");
}

}  // namespace thalweg
