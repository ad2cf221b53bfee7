#include "group.hpp"

#include "thalweg/neighbors.hpp"
#include "thalweg/random.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace thalweg {
namespace {

// Nothing sane wanders a tenth of a millimetre; beyond it the shifts of a neighbour list would overflow.
constexpr double kFarthest = 1e6;

}  // namespace

void Group::add(const Walker& walker, const Limits& limits, BlockResult& result) {
    result.state = walker;
    result.bound_sum.assign(field_.has_committee() ? walker.n_atoms() : 0, 0.0);
    result.bound_sum2 = result.bound_sum;
    members_.push_back({&limits, &result, first_atom_.back(), walker.n_atoms(), walker.step, {}, -1.0, false});
    first_atom_.push_back(first_atom_.back() + walker.n_atoms());
    species_.insert(species_.end(), walker.species.begin(), walker.species.end());
    cells_.insert(cells_.end(), walker.cell.begin(), walker.cell.end());
    pbc_.insert(pbc_.end(), walker.pbc.begin(), walker.pbc.end());
    for (int i = 0; i < walker.n_atoms(); ++i) {
        half_kick_.push_back(0.5 * settings_.timestep / walker.masses[i]);
        noise_.push_back(std::sqrt((1.0 - keep_ * keep_) * walker.kT / walker.masses[i]));
        factor_.push_back(limits.species_factor[walker.species[i]]);
        floor_.push_back(limits.species_floor[walker.species[i]]);
    }
    now_.positions.insert(now_.positions.end(), walker.positions.begin(), walker.positions.end());
    now_.velocities.insert(now_.velocities.end(), walker.velocities.begin(), walker.velocities.end());
}

Moment Group::moment(const Member& m, const Phase& phase, std::size_t index, std::uint64_t step) const {
    return {m.base, m.n, step, species_.data(), phase.positions.data(), phase.velocities.data(), phase.forces.data(),
            field_.has_committee() ? phase.bound.data() : nullptr, field_.has_novelty() ? phase.novelty.data() : nullptr,
            phase.energies[index], phase.kT[index], m.result->state.reference_energy, &pairs_};
}

// B A O A of BAOAB, from before_ to now_; the last B waits for the new forces.
void Group::integrate(const Member& m, std::uint64_t step) {
    const double half = 0.5 * settings_.timestep;
    const bool thermostat = settings_.friction > 0.0;
    const Walker& walker = m.result->state;
    if (thermostat) {
        draws_.resize(3 * static_cast<std::size_t>(m.n));
        fill_normal(walker.seed, walker.id, step, 3 * m.n, draws_.data());
    }
    for (int i = 0; i < m.n; ++i) {
        const int a = m.base + i;
        for (int c = 3 * a; c < 3 * a + 3; ++c) {
            double v = before_.velocities[c] + half_kick_[a] * before_.forces[c];
            double x = before_.positions[c] + half * v;
            if (thermostat) v = keep_ * v + noise_[a] * draws_[c - 3 * m.base];
            x += half * v;
            now_.velocities[c] = v;
            now_.positions[c] = x;
        }
    }
}

// The last B, and the kinetic temperature; at the start of a block only the latter.
void Group::final_kick(bool kick) {
    for (std::size_t w = 0; w < members_.size(); ++w) {
        const Member& m = members_[w];
        double twice_kinetic = 0.0;
        for (int a = m.base; a < m.base + m.n; ++a) {
            for (int c = 3 * a; c < 3 * a + 3; ++c) {
                if (kick) now_.velocities[c] += half_kick_[a] * now_.forces[c];
                twice_kinetic += now_.velocities[c] * now_.velocities[c] * m.result->state.masses[a - m.base];
            }
        }
        now_.kT[w] = twice_kinetic / (3.0 * m.n);
    }
}

// A list serves until an atom has moved by half the skin from where it was when the list was built.
void Group::refresh_lists() {
    bool changed = pairs_.first.empty();
    const double allowed = 0.25 * settings_.skin * settings_.skin;
    for (std::size_t w = 0; w < members_.size(); ++w) {
        Member& m = members_[w];
        std::vector<double>& origin = m.result->state.list_positions;
        const double* x = now_.positions.data() + 3 * m.base;
        bool stale = origin.empty();
        for (int i = 0; !stale && i < m.n; ++i) {
            const double a = x[3 * i] - origin[3 * i], b = x[3 * i + 1] - origin[3 * i + 1],
                         c = x[3 * i + 2] - origin[3 * i + 2];
            stale = a * a + b * b + c * c > allowed;
        }
        if (stale) origin.assign(x, x + 3 * m.n);
        if (!stale && !m.pairs.first.empty()) continue;
        const int ends[2] = {0, m.n};
        m.pairs = build_pairs({1, ends, species_.data() + m.base, origin.data(), cells_.data() + 9 * w,
                               pbc_.data() + 3 * w}, r_list_);
        changed = true;
    }
    if (changed) lay_out();
}

void Group::lay_out() {
    std::vector<const PairList*> lists;
    for (const Member& m : members_) lists.push_back(&m.pairs);
    concatenate_pairs(lists, pairs_);
}

void Group::evaluate() {
    const Batch batch{static_cast<int>(members_.size()), first_atom_.data(), species_.data(), now_.positions.data(),
                      cells_.data(), pbc_.data()};
    ForceOutput out;
    out.energies = now_.energies.data();
    out.forces = now_.forces.data();
    if (field_.has_committee()) out.deviation = now_.bound.data();
    if (field_.has_novelty()) out.novelty = now_.novelty.data();
    field_.compute(batch, pairs_, out);
    if (!out.deviation) return;
    for (std::size_t a = 0; a < factor_.size(); ++a) now_.bound[a] = now_.bound[a] * factor_[a] + floor_[a];
}

void Group::keep_record(Member& member, const Moment& m, const Verdict& verdict) {
    BlockResult& r = *member.result;
    r.n_steps += 1;
    r.kT_sum += m.kT;
    r.n_over_label += verdict.is_label();
    for (std::size_t i = 0; i < r.bound_sum.size(); ++i) {
        const double bound = m.bound[m.base + i];
        r.bound_sum[i] += bound;
        r.bound_sum2[i] += bound * bound;
    }
    const Peak peak = largest(m, m.bound ? m.bound : m.novelty);
    if (peak.atom >= 0 && peak.value > member.worst) {
        member.worst = peak.value;
        r.worst = {};
        append(r.worst, m);
    }
    if (settings_.record_stride > 0 && m.step % settings_.record_stride == 0) append(r.samples, m);
    if (settings_.history_stride > 0 && m.step % settings_.history_stride == 0 && settings_.history_length > 0) {
        if (r.history.step.size() == settings_.history_length) r.history.drop_first();
        append(r.history, m);
    }
}

void Group::judge(Member& member, std::size_t w, std::uint64_t done) {
    BlockResult& r = *member.result;
    if (std::isnan(r.state.reference_energy) && std::isfinite(now_.energies[w])) {
        r.state.reference_energy = now_.energies[w];
    }
    const Moment m = moment(member, now_, w, member.start + done);
    const Verdict verdict = examine(m, *member.limits);
    r.event_step = m.step;
    if (verdict.stops()) {
        if (verdict.event != Event::NotFinite) append(r.event, m);
        // The first moment of a block has nothing before it.
        finish(member, verdict, done > 0 ? before_ : now_, w, m.step - (done > 0));
        return;
    }
    if (done > 0) keep_record(member, m, verdict);
    if (verdict.is_label()) {
        if (r.first_crossing.step.empty()) {
            r.crossing = verdict;
            append(r.first_crossing, m);
        }
        if (block_.stop_on_label) {
            append(r.event, m);
            finish(member, verdict, now_, w, m.step);
            return;
        }
    }
    if (done == block_.n_steps) finish(member, {Event::BlockEnd}, now_, w, m.step);
}

void Group::finish(Member& member, const Verdict& verdict, const Phase& phase, std::size_t w, std::uint64_t step) {
    BlockResult& r = *member.result;
    member.finished = true;
    r.verdict = verdict;
    r.event_step = verdict.stops() && verdict.event != Event::BlockEnd ? r.event_step : step;
    r.state.step = step;
    r.state.positions.assign(phase.positions.begin() + 3 * member.base,
                             phase.positions.begin() + 3 * (member.base + member.n));
    r.state.velocities.assign(phase.velocities.begin() + 3 * member.base,
                              phase.velocities.begin() + 3 * (member.base + member.n));
    append(r.last, moment(member, phase, w, step));
    // A walker sent back may be changed before it goes on; its list starts anew.
    if (r.event_step != step) r.state.list_positions.clear();
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
    }
    keep(species_, 1, true);
    for (auto* values : {&half_kick_, &noise_, &factor_, &floor_}) keep(*values, 1, true);
    keep(cells_, 9, false);
    keep(pbc_, 3, false);
    std::erase_if(members_, [](const Member& m) { return m.finished; });
    first_atom_.assign(1, 0);
    for (Member& m : members_) {
        m.base = first_atom_.back();
        first_atom_.push_back(m.base + m.n);
    }
    lay_out();
}

void Group::run() {
    const std::size_t n_atoms = species_.size();
    now_.forces.resize(3 * n_atoms);
    now_.bound.resize(n_atoms);
    now_.novelty.resize(n_atoms);
    now_.energies.resize(members_.size());
    now_.kT.resize(members_.size());
    before_ = now_;
    for (std::uint64_t done = 0; done <= block_.n_steps && !members_.empty(); ++done) {
        if (done > 0) {
            std::swap(now_, before_);
            for (const Member& m : members_) integrate(m, m.start + done - 1);
            drop_runaways(done);
            if (members_.empty()) return;
        }
        refresh_lists();
        evaluate();
        final_kick(done > 0);
        for (std::size_t w = 0; w < members_.size(); ++w) judge(members_[w], w, done);
        if (std::any_of(members_.begin(), members_.end(), [](const Member& m) { return m.finished; })) compact();
    }
}

}  // namespace thalweg
