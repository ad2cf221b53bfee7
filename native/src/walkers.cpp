#include "thalweg/walkers.hpp"

#include "barostat.hpp"
#include "group.hpp"
#include "thalweg/check.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <mutex>
#include <string>
#include <thread>

namespace thalweg {
namespace {

// Walkers of a group share force calls; a few hundred atoms fill the lanes and still fit the cache.
constexpr int kGroupAtoms = 256;

void check_limits(const Limits& limits) {
    const std::size_t n = limits.species_factor.size();
    check(limits.species_floor.size() == n, "limits: species_floor must have one entry per species");
    check(limits.min_distance.size() == n * n, "limits: min_distance must have shape (n_species, n_species)");
}

void check_walker(const Walker& walker, const MdSettings& settings, const Limits& limits) {
    const std::size_t n = walker.species.size();
    const std::string who = "walker " + std::to_string(walker.id) + ": ";
    check(n > 0, who + "no atoms in it");
    check(walker.masses.size() == n && walker.positions.size() == 3 * n && walker.velocities.size() == 3 * n,
          who + "species, masses, positions and velocities differ in their number of atoms");
    check(walker.fixed.empty() || walker.fixed.size() == 3 * n, who + "fixed must be empty or (n_atoms, 3)");
    for (std::size_t c = 0; c < walker.fixed.size(); ++c) {
        check(walker.fixed[c] <= 1, who + "fixed must hold 0 or 1");
        check(!walker.fixed[c] || walker.velocities[c] == 0.0, who + "a fixed component has a velocity");
    }
    check(settings.barostat.coupling == Coupling::None || walker.fixed.empty(),
          who + "constant pressure moves every atom with the cell, and some are fixed");
    check(settings.barostat.coupling == Coupling::None || (walker.is_periodic() && volume_of(walker.cell.data()) > 0),
          who + "constant pressure needs a cell that is periodic in three directions");
    check(walker.list_positions.empty() || walker.list_positions.size() == 3 * n,
          who + "list_positions must be empty or (n_atoms, 3)");
    const int n_species = static_cast<int>(limits.species_factor.size());
    check(std::all_of(walker.species.begin(), walker.species.end(), [&](int s) { return 0 <= s && s < n_species; }),
          who + "a species index lies outside the limits' tables");
    check(std::all_of(walker.masses.begin(), walker.masses.end(), [](double m) { return std::isfinite(m) && m > 0; }),
          who + "masses must be positive");
    check(std::isfinite(walker.kT) && walker.kT >= 0, who + "temperature must be finite and not negative");
}

void check_settings(const MdSettings& settings) {
    check(std::isfinite(settings.timestep) && settings.timestep > 0, "advance: timestep must be positive");
    check(std::isfinite(settings.friction) && settings.friction >= 0, "advance: friction must not be negative");
    check(std::isfinite(settings.skin) && settings.skin >= 0, "advance: skin must not be negative");
    const Barostat& barostat = settings.barostat;
    if (barostat.coupling == Coupling::None) return;
    check(std::isfinite(barostat.pressure), "advance: pressure must be finite");
    check(std::isfinite(barostat.mobility) && barostat.mobility > 0, "advance: the barostat's mobility must be positive");
}

// Consecutive walkers by group: (first, last + 1).
std::vector<std::pair<std::size_t, std::size_t>> divide(const std::vector<Walker>& walkers,
                                                        const MdSettings& settings, int n_threads) {
    const std::size_t share = (walkers.size() + n_threads - 1) / n_threads;
    std::vector<std::pair<std::size_t, std::size_t>> groups;
    int atoms = 0;
    for (std::size_t w = 0; w < walkers.size(); ++w) {
        const bool full = groups.empty() || atoms + walkers[w].n_atoms() > kGroupAtoms ||
                          groups.back().second - groups.back().first >= share ||
                          !in_phase(settings, walkers[w].step, walkers[groups.back().first].step);
        if (full) {
            groups.emplace_back(w, w);
            atoms = 0;
        }
        groups.back().second = w + 1;
        atoms += walkers[w].n_atoms();
    }
    return groups;
}

// Asks block.poll from the thread that called, at most every kPollInterval; every group sees its answer.
class Watch {
public:
    explicit Watch(const Block& block) : block_(block) {}

    bool stops(std::uint64_t done) {
        if (stopped_ || !block_.poll || std::this_thread::get_id() != owner_) return stopped_;
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < kPollInterval) return false;
        last_ = now;
        try {
            stopped_ = block_.poll(done);
        } catch (...) {
            stopped_ = true;
            throw;
        }
        return stopped_;
    }

private:
    static constexpr auto kPollInterval = std::chrono::milliseconds(100);
    const Block& block_;
    const std::thread::id owner_ = std::this_thread::get_id();
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
    std::atomic<bool> stopped_{false};
};

// Runs task(0) .. task(n - 1) on n_threads threads; the first exception is thrown again here.
template <class Task>
void run_parallel(std::size_t n, int n_threads, const Task& task) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex mutex;
    const auto work = [&] {
        for (std::size_t k = next++; k < n; k = next++) {
            try {
                task(k);
            } catch (...) {
                const std::lock_guard<std::mutex> lock(mutex);
                if (!failure) failure = std::current_exception();
            }
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t t = 1; t < std::min<std::size_t>(n, n_threads); ++t) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace

std::vector<BlockResult> advance(const ForceField& field, const std::vector<Walker>& walkers,
                                 const MdSettings& settings, const std::vector<Limits>& limits, const Block& block) {
    check(limits.size() == 1 || limits.size() == walkers.size(), "advance: needs one set of limits, or one per walker");
    check_settings(settings);
    check(block.n_threads > 0, "advance: n_threads must be positive");
    std::for_each(limits.begin(), limits.end(), check_limits);
    const auto limits_of = [&](std::size_t w) -> const Limits& { return limits[limits.size() == 1 ? 0 : w]; };
    for (std::size_t w = 0; w < walkers.size(); ++w) check_walker(walkers[w], settings, limits_of(w));

    std::vector<BlockResult> results(walkers.size());
    const auto groups = divide(walkers, settings, block.n_threads);
    Watch watch(block);
    const Group::Stop stop = [&watch](std::uint64_t done) { return watch.stops(done); };
    run_parallel(groups.size(), block.n_threads, [&](std::size_t g) {
        Group group(field, settings, block, stop);
        for (std::size_t w = groups[g].first; w < groups[g].second; ++w) group.add(walkers[w], limits_of(w), results[w]);
        group.run();
    });
    return results;
}

}  // namespace thalweg
