// What a group keeps of each moment, and how a walker leaves it.
#include "group.hpp"

#include <algorithm>
#include <cmath>

namespace thalweg {

void Group::keep_record(Member& member, const Moment& m, const Verdict& verdict) {
    BlockResult& r = *member.result;
    r.n_steps += 1;
    r.kT_sum += m.kT;
    r.n_over_label += verdict.is_label();
    if (m.bound || m.novelty) {
        r.n_scored += 1;
        for (std::size_t i = 0; m.bound && i < r.bound_sum.size(); ++i) {
            const double bound = m.bound[m.base + i];
            r.bound_sum[i] += bound;
            r.bound_sum2[i] += bound * bound;
        }
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

void Group::keep_log(BlockResult& r, const Moment& m) {
    append(r.log, m, r.state.masses, r.state.is_periodic());
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
    if (done > 0 ? is_logged(m.step) : settings_.log_stride > 0 && block_.n_steps == 0) keep_log(r, m);
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
    r.state.step = step;
    const auto range = [&](const std::vector<double>& values) {
        const auto from = values.begin() + 3 * member.base;
        return std::vector<double>(from, from + 3 * member.n);
    };
    r.state.positions = range(phase.positions);
    r.state.velocities = range(phase.velocities);
    std::copy_n(phase.cells.begin() + 9 * w, 9, r.state.cell.begin());
    append(r.last, moment(member, phase, w, step));
    // A walker sent back may be changed before it goes on; its list starts anew.
    if (r.event_step != step) r.state.list_positions.clear();
}

}  // namespace thalweg
