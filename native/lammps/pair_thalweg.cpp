// Commands: what is read from a script and from the potential's file, and what other styles may ask for.
#include "pair_thalweg_state.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neighbor.h"
#include "update.h"

#include "thalweg/threads.hpp"

#include <algorithm>
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

}  // namespace

PairThalweg::PairThalweg(LAMMPS* lmp) : Pair(lmp), model_(std::make_unique<Model>()), work_(std::make_unique<Work>()) {
    single_enable = 0;
    restartinfo = 0;
    one_coeff = 1;
    manybody_flag = 1;
    centroidstressflag = CENTROID_AVAIL;
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
    model_->screen_limit = 0.0;
    for (int k = 0; k < n_args; k += 2) {
        const std::string keyword = args[k];
        if (keyword != "threads" && keyword != "precision" && keyword != "screen")
            error->all(FLERR, "Unknown pair_style thalweg keyword: {}", keyword);
        if (k + 1 == n_args) utils::missing_cmd_args(FLERR, "pair_style thalweg " + keyword, error);
        const std::string value = args[k + 1];
        if (keyword == "threads") {
            n_threads = utils::inumeric(FLERR, value, false, lmp);
            if (n_threads < 1) error->all(FLERR, "pair_style thalweg: threads must be at least 1, got {}", value);
        } else if (keyword == "screen") {
            model_->screen_limit = utils::numeric(FLERR, value, false, lmp);
            if (!(model_->screen_limit > 0.0))
                error->all(FLERR, "pair_style thalweg: screen needs a bound above 0 eV/A, got {}", value);
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
    comm_forward = 1;
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
        model_->field =
            std::make_unique<thalweg::LinearForceField>(evaluator, std::move(file.model), model_->precision);
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
            error->all(FLERR,
                       "Pair style thalweg needs every pair in the neighbor list: set special_bonds lj/coul 1 1 1");
    // `hybrid` asks for its parts' sizes before they have read their files; it sizes the buffers.
    force->pair->comm_forward = std::max(force->pair->comm_forward, comm_forward);
    force->pair->comm_reverse = std::max(force->pair->comm_reverse, comm_reverse);
    neighbor->add_request(this, NeighConst::REQ_FULL);
    lists_are_current_ = false;
}

double PairThalweg::init_one(int i, int j) {
    if (setflag[i][j] == 0) error->all(FLERR, "All pair coeffs are not set");
    return model_->field->r_cut();
}

void* PairThalweg::extract(const char* name, int& dimension) {
    dimension = 0;
    if (!model_->field) return nullptr;
    if (std::strcmp(name, "bound_flag") == 0 && model_->field->has_committee()) return &bound_flag_;
    if (std::strcmp(name, "novelty_flag") == 0 && model_->field->has_novelty()) return &novelty_flag_;
    return nullptr;
}

// Those of this step, or none.
void* PairThalweg::extract_peratom(const char* name, int& n_columns) {
    n_columns = 0;
    if (std::strcmp(name, "bound") == 0 && !work_->bound.empty()) return work_->bound.data();
    if (std::strcmp(name, "novelty") == 0 && !work_->novelty.empty()) return work_->novelty.data();
    return nullptr;
}

double PairThalweg::memory_usage() {
    const Work& w = *work_;
    double bytes = Pair::memory_usage();
    for (const auto* values : {&w.forces, &w.atom_energies, &w.atom_virials, &w.deviations, &w.looks, &w.novelties,
                               &w.owed, &w.in_doubt, &w.bound, &w.novelty})
        bytes += static_cast<double>(values->capacity() * sizeof(double));
    for (const Part* part : {&w.all, &w.doubted}) {
        bytes += static_cast<double>((part->positions.capacity() + part->pairs.offset.capacity()) * sizeof(double));
        for (const auto* values : {&part->atoms, &part->species, &part->pairs.first, &part->pairs.j})
            bytes += static_cast<double>(values->capacity() * sizeof(int));
    }
    return bytes + static_cast<double>(w.place.capacity() * sizeof(int));
}
