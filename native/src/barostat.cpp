#include "barostat.hpp"

#include "thalweg/random.hpp"

#include <algorithm>
#include <cmath>

namespace thalweg {
namespace {

constexpr double kMostStrain = 0.2;
// Normals of the barostat lie behind those that any number of atoms may take.
constexpr std::uint64_t kFirstNormal = 2 * std::uint64_t{0xFFFFFF00};
constexpr int kTerms = 12;  // of the exponential's series: 0.2^13 / 13! is below rounding

constexpr Matrix3 kIdentity = {1, 0, 0, 0, 1, 0, 0, 0, 1};

Matrix3 exponential(const Matrix3& eta) {
    Matrix3 sum = kIdentity, term = kIdentity;
    for (int k = 1; k <= kTerms; ++k) {
        term = product(term.data(), eta.data());
        for (int e = 0; e < 9; ++e) sum[e] += (term[e] /= k);
    }
    return sum;
}

Matrix3 strain(const Barostat& barostat, const double* cell, const double* virial, const Walker& walker,
               double timestep, std::uint64_t step) {
    const double volume = volume_of(cell), kinetic = walker.n_atoms() * walker.kT;
    const double c = barostat.mobility / 3.0;
    const double noise = std::sqrt(2.0 * c * walker.kT * timestep / volume);
    double xi[6];
    fill_normal(walker.seed, walker.id, step, kFirstNormal, 6, xi);
    const auto drift = [&](int a, int b) {
        const double pressure = ((a == b ? kinetic : 0.0) - virial[3 * a + b]) / volume;
        return c * timestep * (pressure - (a == b ? barostat.pressure : 0.0));
    };
    Matrix3 eta{};
    if (barostat.coupling == Coupling::Isotropic) {
        const double even = (drift(0, 0) + drift(1, 1) + drift(2, 2)) / 3.0 + noise / std::sqrt(3.0) * xi[0];
        for (int a = 0; a < 3; ++a) eta[4 * a] = even;
        return eta;
    }
    for (int a = 0; a < 3; ++a) eta[4 * a] = drift(a, a) + noise * xi[a];
    if (barostat.coupling == Coupling::Axes) return eta;
    for (int k = 0; k < 3; ++k) {
        const int a = k == 0 ? 1 : 0, b = k == 2 ? 1 : 2;
        eta[3 * a + b] = eta[3 * b + a] = drift(a, b) + noise / std::sqrt(2.0) * xi[3 + k];
    }
    return eta;
}

}  // namespace

double volume_of(const double* h) {
    return std::abs(h[0] * (h[4] * h[8] - h[5] * h[7]) - h[1] * (h[3] * h[8] - h[5] * h[6]) +
                    h[2] * (h[3] * h[7] - h[4] * h[6]));
}

Matrix3 product(const double* a, const double* b) {
    Matrix3 out{};
    for (int i = 0; i < 3; ++i) {
        for (int j = 0; j < 3; ++j) out[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
    }
    return out;
}

Matrix3 inverse(const double* h) {
    Matrix3 out;
    for (int i = 0; i < 3; ++i) {
        const int a = (i + 1) % 3, b = (i + 2) % 3;
        for (int j = 0; j < 3; ++j) {
            const int c = (j + 1) % 3, d = (j + 2) % 3;
            out[3 * j + i] = h[3 * a + c] * h[3 * b + d] - h[3 * a + d] * h[3 * b + c];
        }
    }
    const double determinant = h[0] * out[0] + h[1] * out[3] + h[2] * out[6];
    for (double& entry : out) entry /= determinant;
    return out;
}

Matrix3 rescaling(const Barostat& barostat, const double* cell, const double* virial, const Walker& walker,
                  double timestep, std::uint64_t step) {
    const Matrix3 eta = strain(barostat, cell, virial, walker, timestep, step);
    const bool sane = std::all_of(eta.begin(), eta.end(), [](double e) { return std::abs(e) <= kMostStrain; });
    if (sane) return exponential(eta);
    Matrix3 none;
    none.fill(std::numeric_limits<double>::quiet_NaN());
    return none;
}

}  // namespace thalweg
