#include "pair_thalweg.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

#include "thalweg/potential_file.hpp"
#include "thalweg/threads.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>

using namespace LAMMPS_NS;

namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& word : words) all.append(all.empty() ? "" : " ").append(word);
    return all;
}

double* sized(std::vector<double>& values, std::size_t n) {
    values.assign(n, 0.0);
    return values.data();
}

}  // namespace

// What was read, and the field made of it.
struct PairThalweg::Model {
    thalweg::Precision precision = thalweg::Precision::Double;
    std::unique_ptr<thalweg::LinearForceField> field;
    std::vector<std::string> elements;
    std::vector<int> species;  // of each atom type, -1: not ours
    std::vector<double> bound_factors, bound_floors;
    int n_members = 0;
};

// One structure for the core: our local atoms, then the ghosts, which have no environment of their own.
struct PairThalweg::Work {
    int n_local = 0;
    std::vector<int> atoms;  // LAMMPS index of each of the core's atoms
    std::vector<int> place;  // the other way round, -1: not ours
    std::vector<int> species;
    std::vector<double> positions;
    thalweg::PairList pairs;
    std::vector<double> forces, atom_energies, deviations_of_members, novelties;  // the core's results
    std::vector<double> member_forces;                                            // (nlocal + nghost, M, 3)
    std::vector<double> bound, novelty;                                           // (nlocal), for `fix pair`
    double energy = 0.0;
    double strain_gradient[9] = {};

    int n_atoms() const { return static_cast<int>(atoms.size()); }
};

PairThalweg::PairThalweg(LAMMPS* lmp) : Pair(lmp), model_(std::make_unique<Model>()), work_(std::make_unique<Work>()) {
    single_enable = 0;
    restartinfo = 0;
    one_coeff = 1;
    manybody_flag = 1;
    centroidstressflag = CENTROID_NOTAVAIL;
}

PairThalweg::~PairThalweg() {
    if (copymode) return;
    if (allocated) {
        memory->destroy(setflag);
        memory->destroy(cutsq);
    }
}

void PairThalweg::allocate() {
    allocated = 1;
    const int n = atom->ntypes + 1;
    memory->create(setflag, n, n, "pair:setflag");
    memory->create(cutsq, n, n, "pair:cutsq");
    map = new int[n];
    for (int i = 1; i < n; ++i)
        for (int j = i; j < n; ++j) setflag[i][j] = 0;
}

void PairThalweg::settings(int n_args, char** args) {
    int n_threads = 1;
    model_->precision = thalweg::Precision::Double;
    for (int k = 0; k < n_args; k += 2) {
        const std::string keyword = args[k];
        if (keyword != "threads" && keyword != "precision")
            error->all(FLERR, "Unknown pair_style thalweg keyword: {}", keyword);
        if (k + 1 == n_args) utils::missing_cmd_args(FLERR, "pair_style thalweg " + keyword, error);
        const std::string value = args[k + 1];
        if (keyword == "threads") {
            n_threads = utils::inumeric(FLERR, value, false, lmp);
            if (n_threads < 1) error->all(FLERR, "pair_style thalweg: threads must be at least 1, got {}", value);
        } else if (value == "mixed") {
            model_->precision = thalweg::Precision::Mixed;
        } else if (value != "double") {
            error->all(FLERR, "pair_style thalweg: precision must be double or mixed, got {}", value);
        }
    }
    thalweg::set_num_threads(n_threads);
}

void PairThalweg::coeff(int n_args, char** args) {
    if (!allocated) allocate();
    if (n_args < 4) utils::missing_cmd_args(FLERR, "pair_coeff", error);
    map_element2type(n_args - 3, args + 3);
    load(args[2]);
    map_types(args[2], n_args - 3, args + 3);
    comm_reverse = 3 * model_->n_members;
    lists_are_current_ = false;
}

// Read by one rank, known to all.
std::string PairThalweg::read_file(const std::string& path) {
    std::string text;
    bigint size = -1;
    if (comm->me == 0) {
        std::ifstream file(utils::get_potential_file_path(path), std::ios::binary);
        if (file) {
            text.assign(std::istreambuf_iterator<char>(file), {});
            size = static_cast<bigint>(text.size());
        }
    }
    MPI_Bcast(&size, 1, MPI_LMP_BIGINT, 0, world);
    if (size < 0) error->all(FLERR, "pair_coeff: cannot read the potential {}", path);
    if (size > MAXSMALLINT) error->all(FLERR, "pair_coeff: {} is too large for a potential", path);
    text.resize(size);
    MPI_Bcast(text.data(), static_cast<int>(size), MPI_CHAR, 0, world);
    return text;
}

void PairThalweg::load(const std::string& path) {
    const std::string text = read_file(path);
    try {
        thalweg::PotentialFile file = thalweg::parse_potential(text);
        const auto evaluator = std::make_shared<const thalweg::Evaluator>(std::move(file.plan), "");
        model_->n_members = file.model.n_members;
        model_->field = std::make_unique<thalweg::LinearForceField>(evaluator, std::move(file.model), model_->precision);
        model_->elements = std::move(file.elements);
        model_->bound_factors = std::move(file.bound_factors);
        model_->bound_floors = std::move(file.bound_floors);
        if (comm->me == 0)
            utils::logmesg(lmp, "Thalweg potential {}: elements {}; {} features, {} members, cutoff {} A; bound at "
                           "confidence {}; {} instructions\n", path, joined(model_->elements),
                           evaluator->n_features(), model_->n_members, model_->field->r_cut(), file.confidence,
                           evaluator->kernel().name);
    } catch (const std::exception& problem) {
        error->all(FLERR, "pair_coeff: {}: {}", path, problem.what());
    }
}

void PairThalweg::map_types(const std::string& path, int n_args, char** args) {
    model_->species.assign(n_args + 1, -1);
    for (int type = 1; type <= n_args; ++type) {
        if (std::strcmp(args[type - 1], "NULL") == 0) continue;
        const auto found = std::find(model_->elements.begin(), model_->elements.end(), args[type - 1]);
        if (found == model_->elements.end())
            error->all(FLERR, "pair_coeff: {} has no element {}; it knows {}", path, args[type - 1],
                       joined(model_->elements));
        model_->species[type] = static_cast<int>(found - model_->elements.begin());
    }
}

void PairThalweg::init_style() {
    if (std::strcmp(update->unit_style, "metal") != 0)
        error->all(FLERR, "Pair style thalweg needs units metal, got {}", update->unit_style);
    if (force->newton_pair == 0) error->all(FLERR, "Pair style thalweg needs newton pair on");
    for (int k = 1; k <= 3 && atom->molecular != Atom::ATOMIC; ++k)
        if (force->special_lj[k] == 0.0 && force->special_coul[k] == 0.0)
            error->all(FLERR, "Pair style thalweg needs every pair in the neighbor list: set special_bonds lj/coul 1 1 1");
    neighbor->add_request(this, NeighConst::REQ_FULL);
    lists_are_current_ = false;
}

double PairThalweg::init_one(int i, int j) {
    if (setflag[i][j] == 0) error->all(FLERR, "All pair coeffs are not set");
    return model_->field->r_cut();
}

void PairThalweg::compute(int eflag, int vflag) {
    ev_init(eflag, vflag);
    if (vflag_atom || cvflag_atom) error->all(FLERR, "Pair style thalweg has no per-atom stress");
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
        for (std::size_t m = 0; m < row; m += 3)
            largest = std::max(largest, forces[m] * forces[m] + forces[m + 1] * forces[m + 1] + forces[m + 2] * forces[m + 2]);
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

void* PairThalweg::extract(const char* name, int& dimension) {
    dimension = 0;
    if (std::strcmp(name, "bound_flag") == 0) return &bound_flag_;
    if (std::strcmp(name, "novelty_flag") == 0 && model_->field && model_->field->has_novelty()) return &novelty_flag_;
    return nullptr;
}

void* PairThalweg::extract_peratom(const char* name, int& n_columns) {
    n_columns = 0;
    if (std::strcmp(name, "bound") == 0) return work_->bound.data();
    if (std::strcmp(name, "novelty") == 0) return work_->novelty.data();
    return nullptr;
}

double PairThalweg::memory_usage() {
    const Work& w = *work_;
    double bytes = Pair::memory_usage();
    for (const auto* values : {&w.positions, &w.pairs.offset, &w.forces, &w.atom_energies, &w.deviations_of_members,
                               &w.novelties, &w.member_forces, &w.bound, &w.novelty})
        bytes += static_cast<double>(values->capacity() * sizeof(double));
    for (const auto* values : {&w.atoms, &w.place, &w.species, &w.pairs.first, &w.pairs.j})
        bytes += static_cast<double>(values->capacity() * sizeof(int));
    return bytes;
}
