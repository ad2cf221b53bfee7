// What LAMMPS calls when it loads the plug-in.
//
// The record below is LAMMPS' interface to plug-ins, declared here because an installed LAMMPS comes without the
// header that holds it. Source: LAMMPS documentation, "Writing plugins".
#include "pair_thalweg.h"

#include "comm.h"
#include "error.h"

namespace {

struct PluginRecord {
    const char* version;
    const char* style;
    const char* name;
    const char* info;
    const char* author;
    void* (*create)(void* lammps);
    void* handle;
};

using RegisterFunction = void (*)(PluginRecord*, void* lammps);

void* create_pair(void* lammps) {
    return new LAMMPS_NS::PairThalweg(static_cast<LAMMPS_NS::LAMMPS*>(lammps));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void* lammps, void* handle,
                                                                         void* register_plugin) {
    auto* lmp = static_cast<LAMMPS_NS::LAMMPS*>(lammps);
    // Classes differ from version to version; with other headers than LAMMPS' own everything would go astray.
    if (lmp->num_ver != THALWEG_LAMMPS_VERSION) {
        if (lmp->comm->me == 0)
            lmp->error->warning(FLERR, "The Thalweg plug-in was built for LAMMPS {}, this is {}: not loaded",
                                THALWEG_LAMMPS_VERSION, lmp->num_ver);
        return;
    }
    PluginRecord record{lmp->version, "pair", "thalweg", "Thalweg potentials", "The Thalweg developers",
                        &create_pair, handle};
    reinterpret_cast<RegisterFunction>(register_plugin)(&record, lammps);
}
