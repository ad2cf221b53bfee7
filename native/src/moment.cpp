#include "moment.hpp"

#include "barostat.hpp"

#include <cmath>

namespace thalweg {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A sum of 0 * x is NaN exactly when some x is not finite; one pass without branches.
bool all_finite(const double* x, int n) {
    double sum = 0.0;
    for (int k = 0; k < n; ++k) sum += 0.0 * x[k];
    return sum == 0.0;
}

bool finite(const Moment& m) {
    return std::isfinite(m.energy) && all_finite(m.forces + 3 * m.base, 3 * m.n) &&
           all_finite(m.velocities + 3 * m.base, 3 * m.n) && (!m.bound || all_finite(m.bound + m.base, m.n)) &&
           (!m.novelty || all_finite(m.novelty + m.base, m.n));
}

Verdict closest(const Moment& m, const Limits& limits) {
    const int n_species = static_cast<int>(limits.species_factor.size());
    Verdict verdict;
    for (const ClosePair& one : *m.close) {
        const int i = m.base + one.i, j = m.base + one.j;
        double r2 = 0.0;
        for (int c = 0; c < 3; ++c) {
            const double d = m.positions[3 * j + c] - m.positions[3 * i + c] + m.offsets[3 * static_cast<std::size_t>(one.pair) + c];
            r2 += d * d;
        }
        const double limit = limits.min_distance[m.species[i] * n_species + m.species[j]];
        if (r2 >= limit * limit) continue;
        const double r = std::sqrt(r2);
        if (verdict.event == Event::None || r / limit < verdict.value / verdict.limit) {
            verdict = {Event::TooClose, one.i, one.j, r, limit};
        }
    }
    return verdict;
}

}  // namespace

Peak largest(const Moment& m, const double* scores) {
    Peak peak;
    if (!scores) return peak;
    for (int i = 0; i < m.n; ++i) {
        if (peak.atom < 0 || scores[m.base + i] > peak.value) peak = {scores[m.base + i], i};
    }
    return peak;
}

Verdict examine(const Moment& m, const Limits& limits) {
    if (!finite(m)) return {Event::NotFinite};
    if (const Verdict close = closest(m, limits); close.event != Event::None) return close;
    if (m.kT > limits.kT_max) return {Event::TooHot, -1, -1, m.kT, limits.kT_max};
    const double rise = (m.energy - m.reference_energy) / m.n;
    if (rise > limits.energy_rise_max) return {Event::EnergySpike, -1, -1, rise, limits.energy_rise_max};
    const Peak bound = largest(m, m.bound), novelty = largest(m, m.novelty);
    if (bound.value > limits.bound_break) return {Event::BreakUncertain, bound.atom, -1, bound.value, limits.bound_break};
    // Lost neighbours are known once a label has them lost. The moment before teaches nothing of it, so that a walker
    // whose moments become questions goes on to where they are lost.
    const bool asked = novelty.value >= kTooFewNeighbors && novelty.value > limits.novelty_label;
    if (novelty.value > limits.novelty_break && !asked) return {Event::BreakNovel, novelty.atom, -1, novelty.value, limits.novelty_break};
    if (bound.value > limits.bound_label) return {Event::LabelUncertain, bound.atom, -1, bound.value, limits.bound_label};
    if (novelty.value > limits.novelty_label) return {Event::LabelNovel, novelty.atom, -1, novelty.value, limits.novelty_label};
    return {};
}

void append(Frames& frames, const Moment& m) {
    const auto add = [&](std::vector<double>& to, const double* from, int width) {
        to.insert(to.end(), from + width * m.base, from + width * (m.base + m.n));
    };
    const auto add_scores = [&](std::vector<double>& to, const double* from, bool has) {
        if (from) add(to, from, 1);
        else if (has) to.insert(to.end(), m.n, kNaN);
    };
    frames.step.push_back(m.step);
    add(frames.positions, m.positions, 3);
    add(frames.velocities, m.velocities, 3);
    frames.cells.insert(frames.cells.end(), m.cell, m.cell + 9);
    frames.energy.push_back(m.energy);
    frames.kT.push_back(m.kT);
    add_scores(frames.bound, m.bound, m.has_bound);
    add_scores(frames.novelty, m.novelty, m.has_novelty);
}

void append(Log& log, const Moment& m, const std::vector<double>& masses, bool is_periodic) {
    log.step.push_back(m.step);
    log.energy.push_back(m.energy);
    log.kT.push_back(m.kT);
    log.cells.insert(log.cells.end(), m.cell, m.cell + 9);
    log.bound.push_back(m.bound ? largest(m, m.bound).value : kNaN);
    log.novelty.push_back(m.novelty ? largest(m, m.novelty).value : kNaN);
    double kinetic[9] = {};
    for (int i = 0; i < m.n; ++i) {
        const double* v = m.velocities + 3 * (m.base + i);
        for (int e = 0; e < 9; ++e) kinetic[e] += masses[i] * v[e / 3] * v[e % 3];
    }
    const double volume = is_periodic ? volume_of(m.cell) : kNaN;
    for (int e = 0; e < 9; ++e) log.stress.push_back((m.virial[e] - kinetic[e]) / volume);
}

void Frames::drop_first() {
    const std::size_t n = step.size();
    const auto drop = [n](auto& values) { values.erase(values.begin(), values.begin() + values.size() / n); };
    drop(step);
    drop(positions);
    drop(velocities);
    drop(cells);
    drop(energy);
    drop(kT);
    drop(bound);
    drop(novelty);
}

}  // namespace thalweg
