// pair_style thalweg: a Thalweg potential in LAMMPS, over Thalweg's own core.
//
//   pair_style thalweg [precision double|mixed] [threads N] [screen LIMIT]
//   pair_coeff * * <file> <element of type 1> <element of type 2> ...
//
// Per-atom values for `fix pair`, computed on the steps on which they are asked for:
//   bound    calibrated bound of the error of the atom's force, eV/Å
//   novelty  distance of the atom's environment to the training environments
#pragma once

#include "pair.h"

#include <memory>
#include <vector>

namespace thalweg {
struct ForceOutput;
}

namespace LAMMPS_NS {

class PairThalweg : public Pair {
public:
    explicit PairThalweg(class LAMMPS* lmp);
    ~PairThalweg() override;

    void compute(int eflag, int vflag) override;
    void settings(int n_args, char** args) override;
    void coeff(int n_args, char** args) override;
    void init_style() override;
    double init_one(int i, int j) override;
    void* extract(const char* name, int& dimension) override;
    void* extract_peratom(const char* name, int& n_columns) override;
    int pack_reverse_comm(int n, int first, double* buffer) override;
    void unpack_reverse_comm(int n, int* atoms, double* buffer) override;
    int pack_forward_comm(int n, int* atoms, double* buffer, int pbc_flag, int* pbc) override;
    void unpack_forward_comm(int n, int first, double* buffer) override;
    double memory_usage() override;

private:
    struct Model;
    struct Part;
    struct Work;

    void allocate();
    std::string read_file(const std::string& path);
    void load(const std::string& path);
    void map_types(const std::string& path, int n_args, char** args);
    void take_atoms();
    void take_neighbors();
    void take_positions();
    void evaluate(bool own_virial);
    void call_core(const Part& part, const thalweg::ForceOutput& out);
    void add_forces();
    void add_energies();
    void add_virial();
    void add_atom_virials();
    void store_bounds();
    void send_home(const Part& part, const std::vector<double>& values, int row);
    void set_bound(int i);
    bool find_doubts();
    void take_doubted();
    void store_novelty();

    std::unique_ptr<Model> model_;
    std::unique_ptr<Work> work_;
    int bound_flag_ = 0, novelty_flag_ = 0;  // set by `fix pair` on the steps that need them
    bool lists_are_current_ = false;
};

}  // namespace LAMMPS_NS
