// A step: LAMMPS' atoms and neighbours to the core, its results back, and what ghosts owe to other ranks.
#include "pair_thalweg_state.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "neigh_list.h"
#include "neighbor.h"

#include <algorithm>
#include <cmath>
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
    call_core(own_virial);
    add_forces();
    if (eflag_either) add_energies();
    if (own_virial) add_virial();
    if (vflag_atom || cvflag_atom) add_atom_virials();
    if (vflag_fdotr) virial_fdotr_compute();
    if (bound_flag_) store_bounds();
    if (novelty_flag_) store_novelty();
}

// Room for the results that are asked for; zeroes where a rank without atoms leaves them.
void PairThalweg::call_core(bool own_virial) {
    Work& w = *work_;
    const std::size_t n = w.atoms.size();
    thalweg::ForceOutput out;
    w.forces.assign(3 * n, 0.0);
    w.energy = 0.0;
    std::fill_n(w.strain_gradient, 9, 0.0);
    out.forces = w.forces.data();
    if (eflag_global) out.energies = &w.energy;
    if (own_virial) out.virials = w.strain_gradient;
    if (eflag_atom) out.atom_energies = sized(w.atom_energies, n);
    if (vflag_atom || cvflag_atom) out.atom_virials = sized(w.atom_virials, 18 * n);
    if (bound_flag_) out.member_forces = sized(w.deviations_of_members, 3 * n * model_->n_members);
    if (novelty_flag_) out.novelty = sized(w.novelties, n);
    const int first_atom[2] = {0, w.n_atoms()};
    const double no_cell[9] = {};
    const std::uint8_t not_periodic[3] = {};
    const thalweg::Batch batch{1, first_atom, w.species.data(), w.positions.data(), no_cell, not_periodic};
    try {
        if (w.n_local > 0) model_->field->compute(batch, w.pairs, out);
    } catch (const std::exception& problem) {
        error->one(FLERR, "Pair style thalweg: {}", problem.what());
    }
}

// Our atoms and their species, anew after each exchange of atoms between ranks.
void PairThalweg::take_atoms() {
    Work& w = *work_;
    const int n_local = atom->nlocal, n_all = n_local + atom->nghost;
    w.n_local = list->inum;
    w.atoms.assign(list->ilist, list->ilist + list->inum);
    for (int i = n_local; i < n_all; ++i)
        if (model_->species[atom->type[i]] >= 0) w.atoms.push_back(i);
    w.place.assign(n_all, -1);
    w.species.resize(w.atoms.size());
    for (int k = 0; k < w.n_atoms(); ++k) {
        w.place[w.atoms[k]] = k;
        w.species[k] = model_->species[atom->type[w.atoms[k]]];
    }
}

void PairThalweg::take_neighbors() {
    Work& w = *work_;
    w.pairs.r_list = model_->field->r_cut() + neighbor->skin;
    w.pairs.first.assign(1, 0);
    w.pairs.j.clear();
    for (int k = 0; k < w.n_local; ++k) {
        const int i = w.atoms[k], *neighbors = list->firstneigh[i];
        for (int m = 0; m < list->numneigh[i]; ++m) w.pairs.j.push_back(w.place[neighbors[m] & NEIGHMASK]);
        w.pairs.first.push_back(static_cast<int>(w.pairs.j.size()));
    }
    w.pairs.offset.assign(3 * w.pairs.j.size(), 0.0);
}

void PairThalweg::take_positions() {
    Work& w = *work_;
    w.positions.resize(3 * w.atoms.size());
    for (int k = 0; k < w.n_atoms(); ++k) std::copy_n(atom->x[w.atoms[k]], 3, &w.positions[3 * k]);
}

void PairThalweg::add_forces() {
    for (int k = 0; k < work_->n_atoms(); ++k)
        for (int axis = 0; axis < 3; ++axis) atom->f[work_->atoms[k]][axis] += work_->forces[3 * k + axis];
}

void PairThalweg::add_energies() {
    if (eflag_global) eng_vdwl += work_->energy;
    for (int k = 0; eflag_atom && k < work_->n_local; ++k) eatom[work_->atoms[k]] += work_->atom_energies[k];
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
    constexpr int place[9] = {0, 4, 8, 3, 6, 7, 1, 2, 5};  // of xx yy zz xy xz yz yx zx zy, position first; the core's: force first
    for (int k = 0; k < work_->n_atoms(); ++k) {
        const double *as_centre = &work_->atom_virials[18 * std::size_t(k)], *as_neighbor = as_centre + 9;
        const int i = work_->atoms[k];
        for (int c = 0; c < 6 && vflag_atom; ++c) vatom[i][c] -= 0.5 * (as_centre[place[c]] + as_neighbor[place[c]]);
        for (int c = 0; c < 9 && cvflag_atom; ++c) cvatom[i][c] -= as_neighbor[place[c]];
    }
}

// A member's force on an atom is a sum over environments, some of them on other ranks: ghosts send theirs home
// before the largest is taken.
void PairThalweg::store_bounds() {
    Work& w = *work_;
    const std::size_t row = 3 * model_->n_members;
    w.member_forces.assign(row * (atom->nlocal + atom->nghost), 0.0);
    for (int k = 0; k < w.n_atoms(); ++k)
        std::copy_n(&w.deviations_of_members[row * k], row, &w.member_forces[row * w.atoms[k]]);
    comm->reverse_comm(this);
    w.bound.assign(atom->nlocal, 0.0);
    for (int k = 0; k < w.n_local; ++k) {
        const double* forces = &w.member_forces[row * w.atoms[k]];
        double largest = 0.0;
        for (std::size_t m = 0; m < row; m += 3) {
            const double *f = forces + m;
            largest = std::max(largest, f[0] * f[0] + f[1] * f[1] + f[2] * f[2]);
        }
        const int species = w.species[k];
        w.bound[w.atoms[k]] = model_->bound_factors[species] * std::sqrt(largest) + model_->bound_floors[species];
    }
}

void PairThalweg::store_novelty() {
    work_->novelty.assign(atom->nlocal, 0.0);
    for (int k = 0; k < work_->n_local; ++k) work_->novelty[work_->atoms[k]] = work_->novelties[k];
}

int PairThalweg::pack_reverse_comm(int n, int first, double* buffer) {
    const std::size_t row = 3 * model_->n_members;
    std::copy_n(&work_->member_forces[row * first], row * n, buffer);
    return static_cast<int>(row * n);
}

void PairThalweg::unpack_reverse_comm(int n, int* atoms, double* buffer) {
    const std::size_t row = 3 * model_->n_members;
    for (int k = 0; k < n; ++k)
        for (std::size_t m = 0; m < row; ++m) work_->member_forces[row * atoms[k] + m] += *buffer++;
}
