#include "moment.hpp"

#include <cmath>

namespace thalweg {
namespace {

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
    for (int i = m.base; i < m.base + m.n; ++i) {
        const double* row = limits.min_distance.data() + m.species[i] * n_species;
        for (int k = m.pairs->first[i]; k < m.pairs->first[i + 1]; ++k) {
            const int j = m.pairs->j[k];
            if (j < i) continue;  // met from the other end
            double r2 = 0.0;
            for (int c = 0; c < 3; ++c) {
                const double d = m.positions[3 * j + c] - m.positions[3 * i + c] + m.pairs->offset[3 * k + c];
                r2 += d * d;
            }
            const double limit = row[m.species[j]];
            if (r2 >= limit * limit) continue;
            const double r = std::sqrt(r2);
            if (verdict.event == Event::None || r / limit < verdict.value / verdict.limit) {
                verdict = {Event::TooClose, i - m.base, j - m.base, r, limit};
            }
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
    if (novelty.value > limits.novelty_break) return {Event::BreakNovel, novelty.atom, -1, novelty.value, limits.novelty_break};
    if (bound.value > limits.bound_label) return {Event::LabelUncertain, bound.atom, -1, bound.value, limits.bound_label};
    if (novelty.value > limits.novelty_label) return {Event::LabelNovel, novelty.atom, -1, novelty.value, limits.novelty_label};
    return {};
}

void append(Frames& frames, const Moment& m) {
    const auto add = [&](std::vector<double>& to, const double* from, int width) {
        if (from) to.insert(to.end(), from + width * m.base, from + width * (m.base + m.n));
    };
    frames.step.push_back(m.step);
    add(frames.positions, m.positions, 3);
    add(frames.velocities, m.velocities, 3);
    frames.energy.push_back(m.energy);
    frames.kT.push_back(m.kT);
    add(frames.bound, m.bound, 1);
    add(frames.novelty, m.novelty, 1);
}

void Frames::drop_first() {
    const std::size_t n = step.size();
    const auto drop = [n](auto& values) { values.erase(values.begin(), values.begin() + values.size() / n); };
    drop(step);
    drop(positions);
    drop(velocities);
    drop(energy);
    drop(kT);
    drop(bound);
    drop(novelty);
}

}  // namespace thalweg
