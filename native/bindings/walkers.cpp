// Neighbour lists, ZBL, the Morse toy field and the walkers, for thalweg.features and thalweg.explorers.
#include "arrays.hpp"

#include "thalweg/neighbors.hpp"
#include "thalweg/pair_force_field.hpp"
#include "thalweg/random.hpp"
#include "thalweg/walkers.hpp"
#include "thalweg/zbl.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

namespace thalweg {
namespace {

using namespace nb::literals;
using Doubles = ArrayIn<double>;
using Ints = ArrayIn<int>;
using Flags = ArrayIn<std::uint8_t>;

nb::tuple pair_arrays(const Ints& first_atom, const Ints& species, const Doubles& positions, const Doubles& cells,
                      const Flags& pbc, double r_list) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view();
    PairList pairs;
    {
        const nb::gil_scoped_release release;
        pairs = build_pairs(batch, r_list);
    }
    const std::size_t n = pairs.j.size(), n_atoms = batch.n_atoms();
    return nb::make_tuple(to_numpy(std::move(pairs.first), {n_atoms + 1}), to_numpy(std::move(pairs.j), {n}),
                          to_numpy(std::move(pairs.offset), {n, 3}));
}

nb::tuple zbl_arrays(const ZblTable& table, const Ints& first_atom, const Ints& species, const Doubles& positions,
                     const Doubles& cells, const Flags& pbc) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view(table.n_species);
    const std::size_t n = batch.n_structures, n_atoms = batch.n_atoms();
    std::vector<double> energies(n), forces(3 * n_atoms), virials(9 * n);
    if (table.r_max > 0.0) {
        const nb::gil_scoped_release release;
        add_zbl(table, batch, build_pairs(batch, table.r_max),
                {.energies = energies.data(), .forces = forces.data(), .virials = virials.data()});
    }
    return nb::make_tuple(to_numpy(std::move(energies), {n}), to_numpy(std::move(forces), {n_atoms, 3}),
                          to_numpy(std::move(virials), {n, 3, 3}));
}

nb::tuple morse_arrays(const MorseForceField& field, const Ints& first_atom, const Ints& species,
                       const Doubles& positions, const Doubles& cells, const Flags& pbc) {
    const Batch batch = BatchIn{first_atom, species, positions, cells, pbc}.view(field.n_species());
    const std::size_t n = batch.n_structures, n_atoms = batch.n_atoms();
    std::vector<double> energies(n), forces(3 * n_atoms), virials(9 * n);
    {
        const nb::gil_scoped_release release;
        field.compute(batch, build_pairs(batch, field.r_cut()), {energies.data(), forces.data(), virials.data()});
    }
    return nb::make_tuple(to_numpy(std::move(energies), {n}), to_numpy(std::move(forces), {n_atoms, 3}),
                          to_numpy(std::move(virials), {n, 3, 3}));
}

Walker make_walker(const Ints& species, const Doubles& masses, const Doubles& positions, const Doubles& velocities,
                   const Doubles& cell, const Flags& pbc, const Flags& fixed, const Doubles& list_positions,
                   const Doubles& list_cell) {
    check(cell.size() == 9 && pbc.size() == 3, "walker: cell must be (3, 3) and pbc (3,)");
    check(list_cell.size() == 9, "walker: list_cell must be (3, 3)");
    Walker walker;
    walker.species = to_vector(species);
    walker.masses = to_vector(masses);
    walker.positions = to_vector(positions);
    walker.velocities = to_vector(velocities);
    std::copy_n(cell.data(), 9, walker.cell.begin());
    std::copy_n(pbc.data(), 3, walker.pbc.begin());
    walker.fixed = to_vector(fixed);
    walker.list_positions = to_vector(list_positions);
    std::copy_n(list_cell.data(), 9, walker.list_cell.begin());
    return walker;
}

nb::dict frame_arrays(Frames frames, std::size_t n_atoms) {
    const std::size_t n = frames.step.size();
    nb::dict out;
    const auto scores = [&](std::vector<double>& values) -> nb::object {
        if (values.empty()) return nb::none();
        return nb::cast(to_numpy(std::move(values), {n, n_atoms}));
    };
    out["step"] = to_numpy(std::move(frames.step), {n});
    out["positions"] = to_numpy(std::move(frames.positions), {n, n_atoms, 3});
    out["velocities"] = to_numpy(std::move(frames.velocities), {n, n_atoms, 3});
    out["cells"] = to_numpy(std::move(frames.cells), {n, 3, 3});
    out["energy"] = to_numpy(std::move(frames.energy), {n});
    out["kT"] = to_numpy(std::move(frames.kT), {n});
    out["bound"] = scores(frames.bound);
    out["novelty"] = scores(frames.novelty);
    return out;
}

nb::dict log_arrays(Log log) {
    const std::size_t n = log.step.size();
    nb::dict out;
    out["step"] = to_numpy(std::move(log.step), {n});
    out["energy"] = to_numpy(std::move(log.energy), {n});
    out["kT"] = to_numpy(std::move(log.kT), {n});
    out["stress"] = to_numpy(std::move(log.stress), {n, 3, 3});
    out["cells"] = to_numpy(std::move(log.cells), {n, 3, 3});
    out["bound"] = to_numpy(std::move(log.bound), {n});
    out["novelty"] = to_numpy(std::move(log.novelty), {n});
    return out;
}

nb::dict verdict_fields(const Verdict& verdict) {
    nb::dict out;
    out["event"] = static_cast<int>(verdict.event);
    out["atom"] = verdict.atom;
    out["partner"] = verdict.partner;
    out["value"] = verdict.value;
    out["limit"] = verdict.limit;
    return out;
}

nb::dict result_fields(BlockResult r) {
    const std::size_t n = r.state.n_atoms(), n_scored = r.bound_sum.size(), n_list = r.state.list_positions.size() / 3;
    nb::dict out;
    out["step"] = r.state.step;
    out["reference_energy"] = r.state.reference_energy;
    out["list_positions"] = to_numpy(std::move(r.state.list_positions), {n_list, 3});
    out["list_cell"] = to_numpy(std::vector<double>(r.state.list_cell.begin(), r.state.list_cell.end()), {3, 3});
    out["verdict"] = verdict_fields(r.verdict);
    out["event_step"] = r.event_step;
    out["crossing"] = verdict_fields(r.crossing);
    out["last"] = frame_arrays(std::move(r.last), n);
    out["event"] = frame_arrays(std::move(r.event), n);
    out["first_crossing"] = frame_arrays(std::move(r.first_crossing), n);
    out["worst"] = frame_arrays(std::move(r.worst), n);
    out["history"] = frame_arrays(std::move(r.history), n);
    out["samples"] = frame_arrays(std::move(r.samples), n);
    out["log"] = log_arrays(std::move(r.log));
    out["n_steps"] = r.n_steps;
    out["n_scored"] = r.n_scored;
    out["n_over_label"] = r.n_over_label;
    out["kT_sum"] = r.kT_sum;
    out["bound_sum"] = to_numpy(std::move(r.bound_sum), {n_scored});
    out["bound_sum2"] = to_numpy(std::move(r.bound_sum2), {n_scored});
    return out;
}

Coupling coupling_named(const std::string& name) {
    const std::pair<const char*, Coupling> known[] = {
        {"isotropic", Coupling::Isotropic}, {"axes", Coupling::Axes}, {"full", Coupling::Full}};
    for (const auto& [word, coupling] : known) {
        if (name == word) return coupling;
    }
    check(false, "barostat: coupling must be isotropic, axes or full, got " + name);
    return Coupling::None;
}

nb::list run_block(const ForceField& field, const std::vector<const Walker*>& walkers, const MdSettings& settings,
                   const std::vector<const Limits*>& limits, std::uint64_t n_steps, bool stop_on_label, int n_threads,
                   const nb::object& poll) {
    std::vector<Walker> states;
    std::vector<Limits> bounds;
    for (const Walker* walker : walkers) states.push_back(*walker);
    for (const Limits* limit : limits) bounds.push_back(*limit);
    Block block{n_steps, stop_on_label, n_threads, {}};
    if (!poll.is_none()) {
        block.poll = [&poll](std::uint64_t done) {
            const nb::gil_scoped_acquire acquire;
            return nb::cast<bool>(poll(done));
        };
    }
    std::vector<BlockResult> results;
    {
        const nb::gil_scoped_release release;
        results = advance(field, states, settings, bounds, block);
    }
    nb::list out;
    for (BlockResult& result : results) out.append(result_fields(std::move(result)));
    return out;
}

void bind_fields(nb::module_& m) {
    m.def("build_pairs", &pair_arrays, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a, "r_list"_a,
          "Full neighbour list: first (n_atoms + 1,), j (n_pairs,), offset (n_pairs, 3).");
    nb::class_<ZblTable>(m, "ZblTable")
        .def("__init__", [](ZblTable* self, const std::vector<int>& numbers, const Doubles& inner, const Doubles& outer) {
            new (self) ZblTable(ZblTable::make(numbers, to_vector(inner), to_vector(outer)));
        }, "numbers"_a, "inner"_a, "outer"_a)
        .def("compute", &zbl_arrays, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a,
             "energies (n_structures,), forces (n_atoms, 3), virials (n_structures, 3, 3).");
    nb::class_<MorseForceField, ForceField>(m, "MorseForceField")
        .def("__init__", [](MorseForceField* self, const Doubles& depth, const Doubles& width, const Doubles& distance,
                            double r_on, double r_cut, double spread, double novelty_scale) {
            const int n_species = static_cast<int>(depth.ndim() == 2 ? depth.shape(0) : 0);
            new (self) MorseForceField({n_species, to_vector(depth), to_vector(width), to_vector(distance), r_on, r_cut,
                                        spread, novelty_scale});
        }, "depth"_a, "width"_a, "distance"_a, nb::kw_only(), "r_on"_a, "r_cut"_a, "spread"_a = 0.0, "novelty_scale"_a = 0.0)
        .def("compute", &morse_arrays, "first_atom"_a, "species"_a, "positions"_a, "cells"_a, "pbc"_a,
             "energies (n_structures,), forces (n_atoms, 3), virials (n_structures, 3, 3).");
}

}  // namespace

void bind_walkers(nb::module_& m) {
    bind_fields(m);
    nb::class_<Walker>(m, "Walker")
        .def("__init__", [](Walker* self, const Ints& species, const Doubles& masses, const Doubles& positions,
                            const Doubles& velocities, const Doubles& cell, const Flags& pbc, const Flags& fixed,
                            const Doubles& list_positions, const Doubles& list_cell) {
            new (self) Walker(make_walker(species, masses, positions, velocities, cell, pbc, fixed, list_positions, list_cell));
        }, nb::kw_only(), "species"_a, "masses"_a, "positions"_a, "velocities"_a, "cell"_a, "pbc"_a, "fixed"_a,
             "list_positions"_a, "list_cell"_a)
        .def_rw("kT", &Walker::kT)
        .def_rw("seed", &Walker::seed)
        .def_rw("id", &Walker::id)
        .def_rw("step", &Walker::step)
        .def_rw("reference_energy", &Walker::reference_energy);
    nb::class_<MdSettings>(m, "MdSettings")
        .def(nb::init<>())
        .def_rw("timestep", &MdSettings::timestep)
        .def_rw("friction", &MdSettings::friction)
        .def_rw("skin", &MdSettings::skin)
        .def_rw("record_stride", &MdSettings::record_stride)
        .def_rw("history_stride", &MdSettings::history_stride)
        .def_rw("history_length", &MdSettings::history_length)
        .def_rw("score_stride", &MdSettings::score_stride)
        .def_rw("log_stride", &MdSettings::log_stride)
        .def_rw("screen_share", &MdSettings::screen_share)
        .def("set_barostat", [](MdSettings& self, const std::string& coupling, double pressure, double mobility) {
            self.barostat = {coupling_named(coupling), pressure, mobility};
        }, "coupling"_a, "pressure"_a, "mobility"_a);
    nb::class_<Limits>(m, "Limits")
        .def("__init__", [](Limits* self, const Doubles& species_factor, const Doubles& species_floor,
                            const Doubles& min_distance) {
            new (self) Limits();
            self->species_factor = to_vector(species_factor);
            self->species_floor = to_vector(species_floor);
            self->min_distance = to_vector(min_distance);
        }, "species_factor"_a, "species_floor"_a, "min_distance"_a)
        .def_rw("bound_label", &Limits::bound_label)
        .def_rw("bound_break", &Limits::bound_break)
        .def_rw("novelty_label", &Limits::novelty_label)
        .def_rw("novelty_break", &Limits::novelty_break)
        .def_rw("kT_max", &Limits::kT_max)
        .def_rw("energy_rise_max", &Limits::energy_rise_max);
    m.def("advance", &run_block, "field"_a, "walkers"_a, "settings"_a, "limits"_a, nb::kw_only(), "n_steps"_a,
          "stop_on_label"_a, "n_threads"_a, "poll"_a = nb::none(), "Advance every walker by a block of steps; one dict of arrays per walker.");
    m.def("philox4x32_10", [](const std::vector<std::uint32_t>& counter, const std::vector<std::uint32_t>& key) {
        check(counter.size() == 4 && key.size() == 2, "philox4x32_10: needs a counter of 4 words and a key of 2");
        const Philox words = philox4x32_10({counter[0], counter[1], counter[2], counter[3]}, {key[0], key[1]});
        return std::vector<std::uint32_t>(words.begin(), words.end());
    }, "counter"_a, "key"_a, "The generator's bare bijection, for known-answer tests.");
    m.def("normals", [](std::uint64_t seed, std::uint32_t stream, std::uint64_t step, int n) {
        check(n >= 0, "normals: n must not be negative");
        std::vector<double> out(static_cast<std::size_t>(n));
        fill_normal(seed, stream, step, 0, n, out.data());
        return to_numpy(std::move(out), {static_cast<std::size_t>(n)});
    }, "seed"_a, "stream"_a, "step"_a, "n"_a, "Standard normals that depend on the arguments alone.");
}

}  // namespace thalweg
