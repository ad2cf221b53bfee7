// Error bounds of atoms: what ghosts owe to other ranks, looks at the committee, and the whole committee's word.
#include "pair_thalweg_state.h"

#include "atom.h"
#include "comm.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace LAMMPS_NS;

namespace {

constexpr double kConfirm = 0.75;  // share of the limit at which the whole committee is asked, as in our own dynamics

}  // namespace

// A force is a sum over environments, some of them on other ranks: ghosts send theirs home before lengths are taken.
void PairThalweg::store_bounds() {
    Work& w = *work_;
    w.bound.assign(atom->nlocal, 0.0);
    const bool screened = model_->screen_limit > 0.0;
    if (screened) send_home(w.all, w.looks, 3);
    else send_home(w.all, w.deviations, 3 * model_->n_members);
    for (int k = 0; k < w.all.n_centres; ++k) set_bound(w.all.atoms[k]);
    if (!screened || !find_doubts()) return;
    take_doubted();
    thalweg::ForceOutput out;
    out.member_forces = w.deviations.data();
    call_core(w.doubted, out);
    send_home(w.doubted, w.deviations, 3 * model_->n_members);
    for (int k = 0; k < w.all.n_centres; ++k)
        if (w.in_doubt[w.all.atoms[k]] != 0.0) set_bound(w.all.atoms[k]);
}

void PairThalweg::send_home(const Part& part, const std::vector<double>& values, int row) {
    Work& w = *work_;
    w.row = row;
    w.owed.assign(static_cast<std::size_t>(row) * (atom->nlocal + atom->nghost), 0.0);
    for (std::size_t k = 0; k < part.atoms.size(); ++k)
        std::copy_n(&values[row * k], row, &w.owed[static_cast<std::size_t>(row) * part.atoms[k]]);
    comm->reverse_comm(this);
}

// From the root mean square length of the vectors in the atom's row.
void PairThalweg::set_bound(int i) {
    const double* row = &work_->owed[static_cast<std::size_t>(work_->row) * i];
    const double squares = std::inner_product(row, row + work_->row, row, 0.0);
    const int species = model_->species[atom->type[i]];
    work_->bound[i] = model_->bound_factors[species] * std::sqrt(3.0 * squares / work_->row) + model_->bound_floors[species];
}

// Whether any rank has an atom in doubt: all take the same branch, for what follows is sent around.
bool PairThalweg::find_doubts() {
    Work& w = *work_;
    w.in_doubt.assign(atom->nlocal + atom->nghost, 0.0);
    int found = 0;
    for (int k = 0; k < w.all.n_centres; ++k) {
        const int i = w.all.atoms[k];
        if (w.bound[i] <= kConfirm * model_->screen_limit) continue;
        w.in_doubt[i] = 1.0;
        found = 1;
    }
    MPI_Allreduce(MPI_IN_PLACE, &found, 1, MPI_INT, MPI_MAX, world);
    if (found) comm->forward_comm(this);
    return found;
}

// Of our centres, those that an atom in doubt is or is seen by, and all that they see.
void PairThalweg::take_doubted() {
    Work& w = *work_;
    Part& part = w.doubted;
    part.atoms.clear(), part.species.clear(), part.positions.clear(), part.pairs.j.clear();
    std::vector<int> place(w.all.n_atoms(), -1), centres;
    const auto enter = [&](int k) {
        if (place[k] < 0) {
            place[k] = part.n_atoms();
            part.atoms.push_back(w.all.atoms[k]);
            part.species.push_back(w.all.species[k]);
            part.positions.insert(part.positions.end(), &w.all.positions[3 * k], &w.all.positions[3 * k] + 3);
        }
        return place[k];
    };
    const auto doubted = [&](int k) { return w.in_doubt[w.all.atoms[k]] != 0.0; };
    const std::vector<int>&first = w.all.pairs.first, &j = w.all.pairs.j;
    for (int k = 0; k < w.all.n_centres; ++k)
        if (doubted(k) || std::any_of(j.begin() + first[k], j.begin() + first[k + 1], doubted))
            enter(k), centres.push_back(k);
    part.n_centres = part.n_atoms();
    part.pairs.r_list = w.all.pairs.r_list;
    part.pairs.first.assign(1, 0);
    for (int k : centres) {
        for (int p = first[k]; p < first[k + 1]; ++p) part.pairs.j.push_back(enter(j[p]));
        part.pairs.first.push_back(static_cast<int>(part.pairs.j.size()));
    }
    part.pairs.offset.assign(3 * part.pairs.j.size(), 0.0);
    w.deviations.assign(3 * static_cast<std::size_t>(model_->n_members) * part.n_atoms(), 0.0);
}

int PairThalweg::pack_reverse_comm(int n, int first, double* buffer) {
    const std::size_t row = work_->row;
    std::copy_n(work_->owed.data() + row * first, row * n, buffer);
    return static_cast<int>(row * n);
}

void PairThalweg::unpack_reverse_comm(int n, int* atoms, double* buffer) {
    const std::size_t row = work_->row;
    for (int k = 0; k < n; ++k)
        for (std::size_t m = 0; m < row; ++m) work_->owed[row * atoms[k] + m] += *buffer++;
}

int PairThalweg::pack_forward_comm(int n, int* atoms, double* buffer, int, int*) {
    for (int k = 0; k < n; ++k) buffer[k] = work_->in_doubt[atoms[k]];
    return n;
}

void PairThalweg::unpack_forward_comm(int n, int first, double* buffer) {
    std::copy_n(buffer, n, work_->in_doubt.data() + first);
}
