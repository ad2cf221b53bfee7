// A step: LAMMPS' atoms and neighbours to the core, and its results back.
#include "pair_thalweg_state.h"

#include "atom.h"
#include "error.h"
#include "neigh_list.h"
#include "neighbor.h"

#include <algorithm>
#include <cstdint>
#include <exception>

using namespace LAMMPS_NS;

namespace {

double* sized(std::vector<double>& values, std::size_t n) {
    values.assign(n, 0.0);
    return values.data();
}

}  // namespace

void PairThalweg::compute(int eflag, int vflag) {
    ev_init(eflag, vflag);
    if (neighbor->ago == 0 || !lists_are_current_) {
        take_atoms();
        take_neighbors();
        lists_are_current_ = true;
    }
    take_positions();
    const bool own_virial = vflag_global && !vflag_fdotr;
    evaluate(own_virial);
    add_forces();
    if (eflag_either) add_energies();
    if (own_virial) add_virial();
    if (vflag_atom || cvflag_atom) add_atom_virials();
    if (vflag_fdotr) virial_fdotr_compute();
    work_->bound.clear(), work_->novelty.clear();
    if (bound_flag_) store_bounds();
    if (novelty_flag_) store_novelty();
}

// Room for the results that are asked for; zeroes where a rank without atoms leaves them.
void PairThalweg::evaluate(bool own_virial) {
    Work& w = *work_;
    const std::size_t n = w.all.atoms.size();
    thalweg::ForceOutput out;
    w.forces.assign(3 * n, 0.0);
    w.energy = 0.0;
    std::fill_n(w.strain_gradient, 9, 0.0);
    out.forces = w.forces.data();
    if (eflag_global) out.energies = &w.energy;
    if (own_virial) out.virials = w.strain_gradient;
    if (eflag_atom) out.atom_energies = sized(w.atom_energies, n);
    if (vflag_atom || cvflag_atom) out.atom_virials = sized(w.atom_virials, 18 * n);
    if (novelty_flag_) out.novelty = sized(w.novelties, n);
    const thalweg::Screen screen{w.n_looks};
    if (bound_flag_ && model_->screen_limit > 0.0) {
        out.screen = &screen;
        out.look = sized(w.looks, 3 * n);
        w.n_looks = (w.n_looks + 1) % (1 << 20);
    } else if (bound_flag_) {
        out.member_forces = sized(w.deviations, 3 * n * model_->n_members);
    }
    call_core(w.all, out);
}

void PairThalweg::call_core(const Part& part, const thalweg::ForceOutput& out) {
    if (part.n_centres == 0) return;
    const int first_atom[2] = {0, part.n_atoms()};
    const double no_cell[9] = {};
    const std::uint8_t not_periodic[3] = {};
    const thalweg::Batch batch{1, first_atom, part.species.data(), part.positions.data(), no_cell, not_periodic};
    try {
        model_->field->compute(batch, part.pairs, out);
    } catch (const std::exception& problem) {
        error->one(FLERR, "Pair style thalweg: {}", problem.what());
    }
}

// Our atoms and their species, anew after each exchange of atoms between ranks.
void PairThalweg::take_atoms() {
    Work& w = *work_;
    Part& all = w.all;
    const int n_local = atom->nlocal, n_all = n_local + atom->nghost;
    all.n_centres = list->inum;
    all.atoms.assign(list->ilist, list->ilist + list->inum);
    for (int i = n_local; i < n_all; ++i)
        if (model_->species[atom->type[i]] >= 0) all.atoms.push_back(i);
    w.place.assign(n_all, -1);
    all.species.resize(all.atoms.size());
    for (int k = 0; k < all.n_atoms(); ++k) {
        w.place[all.atoms[k]] = k;
        all.species[k] = model_->species[atom->type[all.atoms[k]]];
    }
}

void PairThalweg::take_neighbors() {
    const Work& w = *work_;
    thalweg::PairList& pairs = work_->all.pairs;
    pairs.r_list = model_->field->r_cut() + neighbor->skin;
    pairs.first.assign(1, 0);
    pairs.j.clear();
    for (int k = 0; k < w.all.n_centres; ++k) {
        const int i = w.all.atoms[k], *neighbors = list->firstneigh[i];
        for (int m = 0; m < list->numneigh[i]; ++m) pairs.j.push_back(w.place[neighbors[m] & NEIGHMASK]);
        pairs.first.push_back(static_cast<int>(pairs.j.size()));
    }
    pairs.offset.assign(3 * pairs.j.size(), 0.0);
}

void PairThalweg::take_positions() {
    Part& all = work_->all;
    all.positions.resize(3 * all.atoms.size());
    for (int k = 0; k < all.n_atoms(); ++k) std::copy_n(atom->x[all.atoms[k]], 3, &all.positions[3 * k]);
}

void PairThalweg::add_forces() {
    const std::vector<int>& atoms = work_->all.atoms;
    for (std::size_t k = 0; k < atoms.size(); ++k)
        for (int axis = 0; axis < 3; ++axis) atom->f[atoms[k]][axis] += work_->forces[3 * k + axis];
}

void PairThalweg::add_energies() {
    if (eflag_global) eng_vdwl += work_->energy;
    const Part& all = work_->all;
    for (int k = 0; eflag_atom && k < all.n_centres; ++k) eatom[all.atoms[k]] += work_->atom_energies[k];
}

// LAMMPS' virial is minus the strain gradient, in the order xx yy zz xy xz yz.
void PairThalweg::add_virial() {
    constexpr int place[6] = {0, 4, 8, 1, 2, 5};
    for (int k = 0; k < 6; ++k) virial[k] -= work_->strain_gradient[place[k]];
}

// Of ghosts as well; LAMMPS sends those home. `stress/atom` takes a pair's virial half to its centre and half to its
// neighbour, as other many-body styles have it. `centroid/stress/atom` is for heat flux and takes all of it to the
// neighbour, since energy is of environments: Fan et al., Phys. Rev. B 92, 094301 (2015).
void PairThalweg::add_atom_virials() {
    // Of xx yy zz xy xz yz yx zx zy, position first; in the core's tensors the force comes first.
    constexpr int place[9] = {0, 4, 8, 3, 6, 7, 1, 2, 5};
    const std::vector<int>& atoms = work_->all.atoms;
    for (std::size_t k = 0; k < atoms.size(); ++k) {
        const double *as_centre = &work_->atom_virials[18 * k], *as_neighbor = as_centre + 9;
        const int i = atoms[k];
        for (int c = 0; c < 6 && vflag_atom; ++c) vatom[i][c] -= 0.5 * (as_centre[place[c]] + as_neighbor[place[c]]);
        for (int c = 0; c < 9 && cvflag_atom; ++c) cvatom[i][c] -= as_neighbor[place[c]];
    }
}

void PairThalweg::store_novelty() {
    const Part& all = work_->all;
    work_->novelty.assign(atom->nlocal, 0.0);
    for (int k = 0; k < all.n_centres; ++k) work_->novelty[all.atoms[k]] = work_->novelties[k];
}
