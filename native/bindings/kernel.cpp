// The evaluator and the linear force field, for thalweg.features and thalweg.potential.
#include "arrays.hpp"

#include "thalweg/linear_force_field.hpp"
#include "thalweg/neighbors.hpp"
#include "thalweg/threads.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

namespace thalweg {
namespace {

using namespace nb::literals;
using Doubles = ArrayIn<double>;
using Ints = ArrayIn<int>;
using Flags = ArrayIn<std::uint8_t>;

PlanSpec make_spec(int n_elements, double r_cut, int exponent, const Doubles& recurrence, const Ints& radial_count,
                   const Ints& nodes, const Ints& tensor_start, const Ints& tensor_index, const Doubles& tensor_value,
                   const Ints& features, const Doubles& scale) {
    PlanSpec spec;
    spec.n_elements = n_elements;
    spec.r_cut = r_cut;
    spec.exponent = exponent;
    spec.recurrence = to_vector(recurrence);
    spec.radial_count = to_vector(radial_count);
    spec.nodes = to_vector(nodes);
    spec.features = to_vector(features);
    spec.scale = to_vector(scale);
    spec.tensors = split_tensors(to_vector(tensor_start), to_vector(tensor_index), to_vector(tensor_value));
    return spec;
}

auto phi(const Evaluator& self, const Ints& first_atom, const Ints& species, const Doubles& positions,
         const Doubles& cells, const Flags& pbc) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view(self.n_elements());
    const std::size_t n = batch.n_atoms(), p = self.n_features();
    std::vector<double> out(n * p);
    {
        const nb::gil_scoped_release release;
        self.phi(batch, out.data());
    }
    return to_numpy(std::move(out), {n, p});
}

nb::tuple vjp(const Evaluator& self, const Ints& first_atom, const Ints& species, const Doubles& positions,
              const Doubles& cells, const Flags& pbc, const Doubles& g) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view(self.n_elements());
    const std::size_t n = batch.n_atoms(), n_structures = batch.n_structures;
    check(g.ndim() == 3 && g.shape(1) == n && g.shape(2) == std::size_t(self.n_features()),
          "vjp: cotangents must have shape (n_cot, n_atoms, n_features)");
    const std::size_t n_cot = g.shape(0);
    std::vector<double> gradients(n_cot * n * 3), strain(n_cot * n_structures * 9);
    {
        const nb::gil_scoped_release release;
        self.vjp(batch, int(n_cot), g.data(), gradients.data(), strain.data());
    }
    return nb::make_tuple(to_numpy(std::move(gradients), {n_cot, n, 3}),
                          to_numpy(std::move(strain), {n_cot, n_structures, 3, 3}));
}

auto jvp(const Evaluator& self, const Ints& first_atom, const Ints& species, const Doubles& positions,
         const Doubles& cells, const Flags& pbc, const Doubles& v) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view(self.n_elements());
    const std::size_t n = batch.n_atoms(), p = self.n_features();
    check(v.size() == 3 * n, "jvp: tangents must have shape (n_atoms, 3)");
    std::vector<double> out(n * p);
    {
        const nb::gil_scoped_release release;
        self.jvp(batch, v.data(), out.data());
    }
    return to_numpy(std::move(out), {n, p});
}

nb::tuple jacobian(const Evaluator& self, const Ints& first_atom, const Ints& species, const Doubles& positions,
                   const Doubles& cells, const Flags& pbc) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view(self.n_elements());
    std::vector<int> i, j;
    std::vector<double> rows;
    {
        const nb::gil_scoped_release release;
        self.jacobian(batch, i, j, rows);
    }
    const std::size_t n = i.size(), p = self.n_features();
    return nb::make_tuple(to_numpy(std::move(i), {n}), to_numpy(std::move(j), {n}), to_numpy(std::move(rows), {n, 3, p}));
}

nb::tuple design_rows(const Evaluator& self, const Ints& first_atom, const Ints& species, const Doubles& positions,
                      const Doubles& cells, const Flags& pbc, bool want_strain) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view(self.n_elements());
    check(batch.n_structures == 1, "design_rows: expected one structure");
    const std::size_t n = batch.n_atoms(), columns = std::size_t(self.n_elements()) * self.n_features();
    std::vector<double> energy(columns), forces(3 * n * columns), strain(want_strain ? 6 * columns : 0);
    {
        const nb::gil_scoped_release release;
        self.design_rows(batch, energy.data(), forces.data(), want_strain ? strain.data() : nullptr);
    }
    const std::size_t n_strain = want_strain ? 6 : 0;
    return nb::make_tuple(to_numpy(std::move(energy), {columns}), to_numpy(std::move(forces), {3 * n, columns}),
                          to_numpy(std::move(strain), {n_strain, columns}));
}

nb::tuple compute(const LinearForceField& self, const Ints& first_atom, const Ints& species, const Doubles& positions,
                  const Doubles& cells, const Flags& pbc, bool deviation, bool novelty, KeptPairs* kept) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view(self.evaluator().n_elements());
    const std::size_t n = batch.n_atoms(), n_structures = batch.n_structures;
    std::vector<double> energies(n_structures), forces(3 * n), virials(9 * n_structures);
    std::vector<double> spread(deviation ? n : 0), distance(novelty ? n : 0);
    {
        const nb::gil_scoped_release release;
        KeptPairs fresh(0.0);
        self.compute(batch, (kept ? *kept : fresh).of(batch, self.r_cut()),
                     {energies.data(), forces.data(), virials.data(), deviation ? spread.data() : nullptr,
                      novelty ? distance.data() : nullptr});
    }
    const auto optional = [n](bool wanted, std::vector<double>& values) -> nb::object {
        return wanted ? nb::cast(to_numpy(std::move(values), {n})) : nb::none();
    };
    return nb::make_tuple(to_numpy(std::move(energies), {n_structures}), to_numpy(std::move(forces), {n, 3}),
                          to_numpy(std::move(virials), {n_structures, 3, 3}), optional(deviation, spread),
                          optional(novelty, distance));
}

auto atom_energies(const LinearForceField& self, const Ints& first_atom, const Ints& species, const Doubles& positions,
                   const Doubles& cells, const Flags& pbc, KeptPairs* kept) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view(self.evaluator().n_elements());
    const std::size_t n = batch.n_atoms();
    std::vector<double> energies(n);
    {
        const nb::gil_scoped_release release;
        KeptPairs fresh(0.0);
        self.compute(batch, (kept ? *kept : fresh).of(batch, self.r_cut()), {.atom_energies = energies.data()});
    }
    return to_numpy(std::move(energies), {n});
}

NoveltyModel make_novelty(const Doubles& mean, const Doubles& scale, const Doubles& components, const Doubles& factors,
                          const Doubles& rest, const std::optional<Ints>& fewest_neighbors) {
    check(components.ndim() == 3, "novelty: components must have shape (n_elements, rank, n_features)");
    return {static_cast<int>(components.shape(1)), to_vector(mean), to_vector(scale), to_vector(components),
            to_vector(factors), to_vector(rest),
            fewest_neighbors ? to_vector(*fewest_neighbors) : std::vector<int>{}};
}

LinearModel make_model(const Doubles& weights, const Doubles& member_deltas, const Doubles& reference_energies,
                       const NoveltyModel* novelty, const ZblTable* zbl) {
    check(member_deltas.ndim() == 3, "linear force field: member_deltas must have shape (M, n_elements, n_features)");
    LinearModel model;
    model.weights = to_vector(weights);
    model.n_members = static_cast<int>(member_deltas.shape(0));
    model.member_deltas = to_vector(member_deltas);
    model.reference_energies = to_vector(reference_energies);
    if (novelty) model.novelty = *novelty;
    if (zbl) model.zbl = *zbl;
    return model;
}

void bind_evaluator(nb::module_& m) {
    nb::class_<Evaluator>(m, "Evaluator")
        .def("__init__", [](Evaluator* self, int n_elements, double r_cut, int exponent, const Doubles& recurrence,
                            const Ints& radial_count, const Ints& nodes, const Ints& tensor_start,
                            const Ints& tensor_index, const Doubles& tensor_value, const Ints& features,
                            const Doubles& scale, const std::string& instructions) {
            new (self) Evaluator(make_spec(n_elements, r_cut, exponent, recurrence, radial_count, nodes, tensor_start,
                                           tensor_index, tensor_value, features, scale), instructions);
        }, nb::kw_only(), "n_elements"_a, "r_cut"_a, "exponent"_a, "recurrence"_a, "radial_count"_a, "nodes"_a,
           "tensor_start"_a, "tensor_index"_a, "tensor_value"_a, "features"_a, "scale"_a, "instructions"_a = "")
        .def_prop_ro("n_features", &Evaluator::n_features)
        .def_prop_ro("instructions", [](const Evaluator& self) { return std::string(self.kernel().name); })
        .def("phi", &phi, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a)
        .def("vjp", &vjp, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a, "g"_a)
        .def("jvp", &jvp, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a, "v"_a)
        .def("jacobian", &jacobian, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a)
        .def("design_rows", &design_rows, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a,
             "want_strain"_a);
}

}  // namespace

void bind_kernel(nb::module_& m) {
    bind_evaluator(m);
    nb::class_<ForceField>(m, "ForceField")
        .def_prop_ro("r_cut", &ForceField::r_cut)
        .def_prop_ro("has_committee", &ForceField::has_committee)
        .def_prop_ro("has_novelty", &ForceField::has_novelty);
    m.attr("TOO_FEW_NEIGHBORS") = kTooFewNeighbors;
    nb::class_<KeptPairs>(m, "KeptPairs").def(nb::init<double>(), "skin"_a);
    nb::class_<NoveltyModel>(m, "NoveltyModel")
        .def("__init__", [](NoveltyModel* self, const Doubles& mean, const Doubles& scale, const Doubles& components,
                            const Doubles& factors, const Doubles& rest,
                            const std::optional<Ints>& fewest_neighbors) {
            new (self) NoveltyModel(make_novelty(mean, scale, components, factors, rest, fewest_neighbors));
        }, nb::kw_only(), "mean"_a, "scale"_a, "components"_a, "factors"_a, "rest"_a,
           "fewest_neighbors"_a = nb::none());
    nb::class_<LinearForceField, ForceField>(m, "LinearForceField")
        .def("__init__", [](LinearForceField* self, std::shared_ptr<Evaluator> evaluator, const Doubles& weights,
                            const Doubles& member_deltas, const Doubles& reference_energies,
                            const NoveltyModel* novelty, const ZblTable* zbl, bool mixed) {
            new (self) LinearForceField(std::move(evaluator),
                                        make_model(weights, member_deltas, reference_energies, novelty, zbl),
                                        mixed ? Precision::Mixed : Precision::Double);
        }, "evaluator"_a, "weights"_a, "member_deltas"_a, "reference_energies"_a, "novelty"_a.none() = nb::none(),
           "zbl"_a.none() = nb::none(), "mixed"_a = false)
        .def_prop_ro("mixed", [](const LinearForceField& self) { return self.precision() == Precision::Mixed; })
        .def("compute", &compute, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a, nb::kw_only(),
             "deviation"_a = false, "novelty"_a = false, "kept"_a.none() = nb::none(),
             "energies, forces, virials, deviation or None, novelty or None.")
        .def("atom_energies", &atom_energies, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a, nb::kw_only(),
             "kept"_a.none() = nb::none(), "(n_atoms,), eV: what each atom adds to the energy.");
    m.def("set_num_threads", &set_num_threads, "n"_a);
    m.def("num_threads", &num_threads);
}

}  // namespace thalweg
