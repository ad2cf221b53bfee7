#include "group.hpp"

#include "barostat.hpp"
#include "thalweg/neighbors.hpp"
#include "thalweg/random.hpp"
#include "thalweg/threads.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace thalweg {
namespace {

// Nothing sane wanders a tenth of a millimetre; beyond it the shifts of a neighbour list would overflow.
constexpr double kFarthest = 1e6;
// Atoms of one task. Even, so that a task's random numbers begin with a pair; fixed, so that sums over tasks depend
// on no number of threads.
constexpr int kChunk = 2048;

// body(from, to) over ranges of 0 .. n, on the pool where there are several.
template <class Body>
void over_atoms(int n, const Body& body) {
    if (n <= kChunk) return body(0, n);
    parallel_for((n + kChunk - 1) / kChunk, [&](int c) { body(c * kChunk, std::min(n, (c + 1) * kChunk)); });
}

bool is_scored(const MdSettings& s, std::uint64_t step) {
    if (s.score_stride == 0) return false;
    return step % s.score_stride == 0 || (s.record_stride > 0 && step % s.record_stride == 0);
}

}  // namespace

bool in_phase(const MdSettings& settings, std::uint64_t step, std::uint64_t other) {
    const bool same_at_every_step = settings.score_stride <= 1 && settings.log_stride == 0 && settings.screen_share == 0.0;
    return same_at_every_step || step == other;
}

void Group::add(const Walker& walker, const Limits& limits, BlockResult& result) {
    result.state = walker;
    result.bound_sum.assign(field_.has_committee() && settings_.score_stride > 0 ? walker.n_atoms() : 0, 0.0);
    result.bound_sum2 = result.bound_sum;
    members_.push_back({&limits, &result, first_atom_.back(), walker.n_atoms(), walker.n_free(), walker.step,
                        WalkerList(field_.r_cut(), settings_.skin, moving_cell_)});
    first_atom_.push_back(first_atom_.back() + walker.n_atoms());
    species_.insert(species_.end(), walker.species.begin(), walker.species.end());
    pbc_.insert(pbc_.end(), walker.pbc.begin(), walker.pbc.end());
    for (int i = 0; i < walker.n_atoms(); ++i) {
        // A component without mobility stands still: no force and no noise reaches its velocity, which is zero.
        for (std::size_t c = 3 * static_cast<std::size_t>(i); c < 3 * static_cast<std::size_t>(i) + 3; ++c) {
            const bool free = !walker.is_fixed(c);
            half_kick_.push_back(free ? 0.5 * settings_.timestep / walker.masses[i] : 0.0);
            noise_.push_back(free ? std::sqrt((1.0 - keep_ * keep_) * walker.kT / walker.masses[i]) : 0.0);
        }
        factor_.push_back(limits.species_factor[walker.species[i]]);
        floor_.push_back(limits.species_floor[walker.species[i]]);
        confirm_.push_back((settings_.screen_share * std::min(limits.bound_label, limits.bound_break) - floor_.back()) / factor_.back());
    }
    now_.positions.insert(now_.positions.end(), walker.positions.begin(), walker.positions.end());
    now_.velocities.insert(now_.velocities.end(), walker.velocities.begin(), walker.velocities.end());
    now_.cells.insert(now_.cells.end(), walker.cell.begin(), walker.cell.end());
}

Moment Group::moment(const Member& m, const Phase& phase, std::size_t w, std::uint64_t step) const {
    Moment out;
    out.base = m.base, out.n = m.n, out.step = step;
    out.species = species_.data();
    out.positions = phase.positions.data();
    out.velocities = phase.velocities.data();
    out.forces = phase.forces.data();
    out.has_bound = field_.has_committee(), out.has_novelty = field_.has_novelty();
    if (phase.scored && out.has_bound) out.bound = phase.bound.data();
    if (phase.scored && out.has_novelty) out.novelty = phase.novelty.data();
    out.cell = phase.cells.data() + 9 * w;
    out.virial = phase.virials.data() + 9 * w;
    out.energy = phase.energies[w], out.kT = phase.kT[w];
    out.reference_energy = m.result->state.reference_energy;
    out.close = &m.list.close();
    out.offsets = pairs_.offset.data() + 3 * static_cast<std::size_t>(m.first_pair);
    return out;
}

// B A O A of BAOAB for atoms from .. to of a walker, with the cell's change `map` (or null) after O.
void Group::move_atoms(const Member& m, int from, int to, std::uint64_t step, const double* map) {
    const double half = 0.5 * settings_.timestep;
    const bool thermostat = settings_.friction > 0.0;
    double draws[3 * kChunk];
    if (thermostat) {
        fill_normal(m.result->state.seed, m.result->state.id, step, 3 * static_cast<std::uint64_t>(from),
                    3 * (to - from), draws);
    }
    for (int i = from; i < to; ++i) {
        const int a = m.base + i;
        double x[3];
        for (int c = 0; c < 3; ++c) {
            double v = before_.velocities[3 * a + c] + half_kick_[3 * a + c] * before_.forces[3 * a + c];
            x[c] = before_.positions[3 * a + c] + half * v;
            if (thermostat) v = keep_ * v + noise_[3 * a + c] * draws[3 * (i - from) + c];
            now_.velocities[3 * a + c] = v;
        }
        for (int c = 0; c < 3; ++c) {
            const double mapped = map ? x[0] * map[c] + x[1] * map[3 + c] + x[2] * map[6 + c] : x[c];
            now_.positions[3 * a + c] = mapped + half * now_.velocities[3 * a + c];
        }
    }
}

// From before_ to now_; the last B waits for the new forces.
void Group::integrate(const Member& m, std::size_t w, std::uint64_t step) {
    const double* cell = before_.cells.data() + 9 * w;
    Matrix3 map{}, next{};
    std::copy_n(cell, 9, next.begin());
    if (moving_cell_) {
        map = rescaling(settings_.barostat, cell, before_.virials.data() + 9 * w, m.result->state, settings_.timestep, step);
        next = product(cell, map.data());
    }
    std::copy(next.begin(), next.end(), now_.cells.begin() + 9 * w);
    over_atoms(m.n, [&](int from, int to) { move_atoms(m, from, to, step, moving_cell_ ? map.data() : nullptr); });
}

// Twice the kinetic energy of the atoms, after their last B where `kick`.
double Group::kick_atoms(const Member& m, int from, int to, bool kick) {
    double twice_kinetic = 0.0;
    for (int a = m.base + from; a < m.base + to; ++a) {
        double v2 = 0.0;
        for (int c = 3 * a; c < 3 * a + 3; ++c) {
            if (kick) now_.velocities[c] += half_kick_[c] * now_.forces[c];
            v2 += now_.velocities[c] * now_.velocities[c];
        }
        twice_kinetic += v2 * m.result->state.masses[a - m.base];
    }
    return twice_kinetic;
}

// The last B, and the kinetic temperature; at the start of a block only the latter.
void Group::final_kick(bool kick) {
    for (std::size_t w = 0; w < members_.size(); ++w) {
        const Member& m = members_[w];
        std::vector<double> parts((m.n + kChunk - 1) / kChunk);
        over_atoms(m.n, [&](int from, int to) { parts[from / kChunk] = kick_atoms(m, from, to, kick); });
        double twice_kinetic = 0.0;
        for (const double part : parts) twice_kinetic += part;
        now_.kT[w] = m.n_free > 0 ? twice_kinetic / m.n_free : 0.0;
    }
}

void Group::refresh_lists() {
    bool changed = pairs_.first.empty();
    for (std::size_t w = 0; w < members_.size(); ++w) {
        Member& m = members_[w];
        const double *x = now_.positions.data() + 3 * m.base, *cell = now_.cells.data() + 9 * w;
        if (m.list.serves(m.result->state, x, cell)) continue;
        if (members_.size() == 1) pairs_ = {};  // room for the new one
        m.list.build(m.result->state, x, cell, *m.limits);
        changed = true;
    }
    if (changed) lay_out();
    if (!moving_cell_) return;
    for (std::size_t w = 0; w < members_.size(); ++w) {
        const Member& m = members_[w];
        m.list.follow(now_.cells.data() + 9 * w, pairs_.offset.data() + 3 * static_cast<std::size_t>(m.first_pair));
    }
}

// A walker alone hands its list over: a large one has no room for two.
void Group::lay_out() {
    if (members_.size() == 1) {
        Member& only = members_.front();
        only.first_pair = 0;
        if (!only.list.pairs().first.empty()) pairs_ = only.list.take();
        return;
    }
    std::vector<const PairList*> lists;
    int first_pair = 0;
    for (Member& m : members_) {
        m.first_pair = first_pair;
        first_pair += static_cast<int>(m.list.pairs().j.size());
        lists.push_back(&m.list.pairs());
    }
    concatenate_pairs(lists, pairs_);
}

void Group::evaluate(std::uint64_t done) {
    const Batch batch{static_cast<int>(members_.size()), first_atom_.data(), species_.data(), now_.positions.data(),
                      now_.cells.data(), pbc_.data()};
    const std::uint64_t step = members_.front().start + done;  // of all, where it matters: in_phase()
    now_.scored = is_scored(settings_, step);
    ForceOutput out;
    out.energies = now_.energies.data();
    out.forces = now_.forces.data();
    if (moving_cell_ || is_logged(step) || (settings_.log_stride > 0 && block_.n_steps == 0)) out.virials = now_.virials.data();
    if (now_.scored && field_.has_committee()) out.deviation = now_.bound.data();
    if (now_.scored && field_.has_novelty()) out.novelty = now_.novelty.data();
    const bool sample = settings_.record_stride > 0 && step % settings_.record_stride == 0;
    const std::uint64_t look = step / std::max<std::uint64_t>(1, settings_.score_stride);
    const Screen screen{static_cast<int>(look % (1 << 20)), confirm_.data()};
    if (settings_.screen_share > 0.0 && !sample) out.screen = &screen;
    field_.compute(batch, pairs_, out);
    if (!out.deviation) return;
    for (std::size_t a = 0; a < factor_.size(); ++a) now_.bound[a] = now_.bound[a] * factor_[a] + floor_[a];
}

void Group::finish_all(std::uint64_t done) {
    for (std::size_t w = 0; w < members_.size(); ++w) {
        finish(members_[w], {Event::BlockEnd}, now_, w, members_[w].start + done);
    }
    members_.clear();
}

// Positions that are no numbers any more must not reach the neighbour list.
void Group::drop_runaways(std::uint64_t done) {
    bool any = false;
    for (std::size_t w = 0; w < members_.size(); ++w) {
        Member& m = members_[w];
        const auto begin = now_.positions.begin() + 3 * m.base;
        if (std::all_of(begin, begin + 3 * m.n, [](double x) { return std::abs(x) < kFarthest; })) continue;
        m.result->event_step = m.start + done;
        finish(m, {Event::NotFinite}, before_, w, m.start + done - 1);
        any = true;
    }
    if (any) compact();
}

// Moves the ranges of unfinished walkers together; `width` entries per atom, or per walker.
void Group::compact() {
    const auto keep = [this](auto& values, int width, bool per_atom) {
        std::size_t end = 0;
        for (std::size_t w = 0; w < members_.size(); ++w) {
            if (members_[w].finished) continue;
            const std::size_t from = width * (per_atom ? members_[w].base : w);
            const std::size_t count = width * (per_atom ? members_[w].n : 1);
            std::copy(values.begin() + from, values.begin() + from + count, values.begin() + end);
            end += count;
        }
        values.resize(end);
    };
    for (Phase* phase : {&now_, &before_}) {
        for (auto* values : {&phase->positions, &phase->velocities, &phase->forces}) keep(*values, 3, true);
        for (auto* values : {&phase->bound, &phase->novelty}) keep(*values, 1, true);
        for (auto* values : {&phase->energies, &phase->kT}) keep(*values, 1, false);
        for (auto* values : {&phase->cells, &phase->virials}) keep(*values, 9, false);
    }
    keep(species_, 1, true);
    for (auto* values : {&half_kick_, &noise_}) keep(*values, 3, true);
    for (auto* values : {&factor_, &floor_, &confirm_}) keep(*values, 1, true);
    keep(pbc_, 3, false);
    std::erase_if(members_, [](const Member& m) { return m.finished; });
    first_atom_.assign(1, 0);
    for (Member& m : members_) {
        m.base = first_atom_.back();
        first_atom_.push_back(m.base + m.n);
    }
    if (!members_.empty()) lay_out();
}

void Group::run() {
    const std::size_t n_atoms = species_.size(), n_walkers = members_.size();
    now_.forces.resize(3 * n_atoms);
    now_.bound.resize(n_atoms);
    now_.novelty.resize(n_atoms);
    now_.energies.resize(n_walkers);
    now_.kT.resize(n_walkers);
    now_.virials.resize(9 * n_walkers);
    before_ = now_;
    for (std::uint64_t done = 0; done <= block_.n_steps && !members_.empty(); ++done) {
        if (done > 0) {
            std::swap(now_, before_);
            for (std::size_t w = 0; w < members_.size(); ++w) integrate(members_[w], w, members_[w].start + done - 1);
            drop_runaways(done);
            if (members_.empty()) return;
        }
        refresh_lists();
        evaluate(done);
        final_kick(done > 0);
        for (std::size_t w = 0; w < members_.size(); ++w) judge(members_[w], w, done);
        if (std::any_of(members_.begin(), members_.end(), [](const Member& m) { return m.finished; })) compact();
        if (!members_.empty() && stop_(done)) finish_all(done);
    }
}

}  // namespace thalweg
