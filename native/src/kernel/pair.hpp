// The pair stage: radial functions, spherical harmonics, A, and the way back to forces.
//
// Notation (l_max = L): u = D / r; Y_lm(u) = Q_l|m|(u_z) * Re or Im of (u_x + i u_y)^|m| (m >= 0: Re, m < 0: Im),
// orthonormal on the sphere; c_m, s_m = Re, Im of (u_x + i u_y)^m; R_n and D_n = dR_n/dr.
#pragma once

#include "vec.hpp"

namespace thalweg {
namespace {

template <int L>
struct Sizes {
    static constexpr int n_y = (L + 1) * (L + 1);
    static constexpr int n_q = (L + 1) * (L + 2) / 2;
    static constexpr int n_angular = 4 + n_q + 2 * (L + 1);  // u_x, u_y, u_z, 1/r, Q, c, s
};

// Tables of the slots of one chunk, slot by slot.
struct PairTables {
    V *R, *D;     // (slot, n_radial)
    V* Y;         // (slot, n_y)
    V* angular;   // (slot, n_angular)
};

// R and, where wanted, D of NB slots. Sums are ordered so that each step waits for one product of the step before.
template <bool Slopes, int NB>
inline void radial(const Tables& plan, const Real* recurrence, const V* r, V* R, V* D) {
    const int N = plan.n_radial;
    const Real inverse = 1 / plan.r_cut;
    const int envelope = (2 + plan.exponent) / plan.exponent;  // R_0 ~ y^envelope: C^2 at the cutoff
    V x[NB], dx[NB], R1[NB], R2[NB], D1[NB], D2[NB];
    for (int k = 0; k < NB; ++k) {
        const V t = (plan.r_cut - r[k]) * inverse;
        V power = splat(1);
        for (int e = 1; e < plan.exponent; ++e) power *= t;
        const V y = Real(2) * (power * t);
        x[k] = Real(1) - y;
        dx[k] = (Real(2) * Real(plan.exponent) * inverse) * power;
        V below = splat(1);  // y^(envelope - 1)
        for (int e = 1; e < envelope; ++e) below *= y;
        R1[k] = recurrence[0] * (below * y), R2[k] = V{}, D2[k] = V{};
        D1[k] = (-recurrence[0] * Real(envelope)) * below;
        R[k * N] = R1[k];
        if (Slopes) D[k * N] = D1[k] * dx[k];
    }
    for (int n = 1; n < N; ++n) {
        const Real a = recurrence[3 * n], b = recurrence[3 * n + 1], c = recurrence[3 * n + 2];
        for (int k = 0; k < NB; ++k) {
            const V f = a * x[k] + b;
            V Rn = c * R2[k];
            Rn += f * R1[k];
            R[k * N + n] = Rn;
            if (Slopes) {
                V Dn = c * D2[k];
                Dn += a * R1[k];
                Dn += f * D1[k];
                D[k * N + n] = Dn * dx[k];
                D2[k] = D1[k], D1[k] = Dn;
            }
            R2[k] = R1[k], R1[k] = Rn;
        }
    }
}

template <int L>
inline void angular(const Tables& plan, V x, V y, V z, V* table, V* Y) {
    V* Q = table + 4;
    V* c = Q + Sizes<L>::n_q;
    V* s = c + L + 1;
    c[0] = splat(1), s[0] = V{};
#pragma GCC unroll 16
    for (int m = 1; m <= L; ++m) {
        V re = c[m - 1] * x, im = c[m - 1] * y;
        re -= s[m - 1] * y;
        im += s[m - 1] * x;
        c[m] = re, s[m] = im;
    }
#pragma GCC unroll 16
    for (int l = 0; l <= L; ++l) {
        const int row = l * (l + 1) / 2, up = row - l, up2 = up - l + 1;
#pragma GCC unroll 16
        for (int m = 0; m < l; ++m) {
            V q = (plan.alpha[row + m] * z) * Q[up + m];
            if (m < l - 1) q += plan.beta[row + m] * Q[up2 + m];
            Q[row + m] = q;
        }
        Q[row + l] = splat(plan.diagonal[l]);
        V* Yl = Y + l * l + l;
        Yl[0] = Q[row];
#pragma GCC unroll 16
        for (int m = 1; m <= l; ++m) {
            Yl[m] = Q[row + m] * c[m];
            Yl[-m] = Q[row + m] * s[m];
        }
    }
}

// Tables of NB slots from their displacements, three vectors a slot.
template <int L, bool Slopes, int NB>
inline void fill_together(const Tables& plan, const Real* recurrence, const V* d, V* R, V* D, V* Y, V* angles) {
    V r[NB], inverse[NB];
    for (int k = 0; k < NB; ++k) {
        V r2 = d[3 * k] * d[3 * k];
        r2 += d[3 * k + 1] * d[3 * k + 1];
        r2 += d[3 * k + 2] * d[3 * k + 2];
        r[k] = root(r2);
        inverse[k] = Real(1) / r[k];
    }
    radial<Slopes, NB>(plan, recurrence, r, R, D);
    for (int k = 0; k < NB; ++k) {
        V* table = angles + k * Sizes<L>::n_angular;
        const V x = d[3 * k] * inverse[k], y = d[3 * k + 1] * inverse[k], z = d[3 * k + 2] * inverse[k];
        table[0] = x, table[1] = y, table[2] = z, table[3] = inverse[k];
        angular<L>(plan, x, y, z, table, Y + k * Sizes<L>::n_y);
    }
}

// Fills the tables of n slots, rounded up to kTogether.
template <int L, bool Slopes>
inline void fill_tables(const Tables& plan, const Real* recurrence, const V* d, int n, const PairTables& out) {
    for (int k = 0; k < n; k += kTogether)
        fill_together<L, Slopes, kTogether>(plan, recurrence, d + 3 * k, out.R + k * plan.n_radial,
                                            out.D + k * plan.n_radial, out.Y + k * Sizes<L>::n_y,
                                            out.angular + k * Sizes<L>::n_angular);
}

// A[b][m] += sum over slots of R[slot][b] * Y[slot][m].
template <int NB, int MB>
inline void outer_sum(V* A, int stride, const V* R, int r_stride, const V* Y, int y_stride, int n_slots) {
    V acc[NB][MB];
    for (int b = 0; b < NB; ++b)
        for (int m = 0; m < MB; ++m) acc[b][m] = A[b * stride + m];
    for (int k = 0; k < n_slots; ++k, R += r_stride, Y += y_stride)
        for (int b = 0; b < NB; ++b)
            for (int m = 0; m < MB; ++m) acc[b][m] += R[b] * Y[m];
    for (int b = 0; b < NB; ++b)
        for (int m = 0; m < MB; ++m) A[b * stride + m] = acc[b][m];
}

template <int MB>
inline void outer_sums(V* A, int stride, const V* R, int r_stride, const V* Y, int y_stride, int n_slots, int count) {
    int n = 0;
    if (MB == 1)
        for (; n + 8 <= count; n += 8) outer_sum<8, MB>(A + n * stride, stride, R + n, r_stride, Y, y_stride, n_slots);
    for (; n + 4 <= count; n += 4) outer_sum<4, MB>(A + n * stride, stride, R + n, r_stride, Y, y_stride, n_slots);
    if (count - n == 3) outer_sum<3, MB>(A + n * stride, stride, R + n, r_stride, Y, y_stride, n_slots);
    if (count - n == 2) outer_sum<2, MB>(A + n * stride, stride, R + n, r_stride, Y, y_stride, n_slots);
    if (count - n == 1) outer_sum<1, MB>(A + n * stride, stride, R + n, r_stride, Y, y_stride, n_slots);
}

// A of one neighbour element += the chunk's slots.
template <int L>
inline void accumulate(const Tables& plan, const int* channel_offset, const PairTables& t, int n_slots, V* v) {
    constexpr int n_y = Sizes<L>::n_y;
    for (int l = 0; l <= L; ++l) {
        const int dim = 2 * l + 1, count = plan.radial_count[l];
        V* A = v + channel_offset[l];
        const V* Y = t.Y + l * l;
        int m = 0;
        const auto go = [&]<int MB>() {
            outer_sums<MB>(A + m, dim, t.R, plan.n_radial, Y + m, n_y, n_slots, count);
            m += MB;
        };
        if (kManyRegisters && l == 2) go.template operator()<5>();
        else if (kManyRegisters && l == 3) go.template operator()<7>();
        else {
            while (m + 3 <= dim) go.template operator()<3>();
            if (dim - m == 2) go.template operator()<2>();
            if (dim - m == 1) go.template operator()<1>();
        }
    }
}

// G[k][m] = sum_n R[k][n] A_bar[n][m] for NB slots k; along[k] += sum_m Y[k][m] sum_n D[k][n] A_bar[n][m].
template <int NB, int MB>
inline void contract(const V* bar, int stride, const V* R, const V* D, int r_stride, int count, const V* Y, V* G,
                     int n_y, V* along) {
    V g[NB][MB] = {}, h[NB][MB] = {};
    for (int n = 0; n < count; ++n)
        for (int m = 0; m < MB; ++m) {
            const V x = bar[n * stride + m];
            for (int k = 0; k < NB; ++k) {
                g[k][m] += R[k * r_stride + n] * x;
                h[k][m] += D[k * r_stride + n] * x;
            }
        }
    for (int k = 0; k < NB; ++k)
        for (int m = 0; m < MB; ++m) {
            G[k * n_y + m] = g[k][m];
            along[k] += h[k][m] * Y[k * n_y + m];
        }
}

// The same for the kTogether slots of a group, NB at a time.
template <int NB, int MB>
inline void contract_group(const V* bar, int stride, const V* R, const V* D, int r_stride, int count, const V* Y, V* G,
                           int n_y, V* along) {
    static_assert(kTogether % NB == 0);
    for (int k = 0; k < kTogether; k += NB)
        contract<NB, MB>(bar, stride, R + k * r_stride, D + k * r_stride, r_stride, count, Y + k * n_y, G + k * n_y,
                         n_y, along + k);
}

// As many sums at once as the registers hold: 2 NB MB of them.
template <int L>
inline void contract_all(const Tables& plan, const int* channel_offset, const V* bar, const V* R, const V* D,
                         const V* Y, V* G, V* along) {
    constexpr int n_y = Sizes<L>::n_y, few = 2;
    const int stride = plan.n_radial;
    for (int l = 0; l <= L; ++l) {
        const int dim = 2 * l + 1, count = plan.radial_count[l];
        const V *b = bar + channel_offset[l], *y = Y + l * l;
        V* g = G + l * l;
        int m = 0;
        const auto go = [&]<int NB, int MB>() {
            contract_group<NB, MB>(b + m, dim, R, D, stride, count, y + m, g + m, n_y, along);
            m += MB;
        };
        if (l == 0) go.template operator()<kTogether, 1>();
        else if (kManyRegisters && l == 1) go.template operator()<kTogether, 3>();
        else if (kManyRegisters && l == 2) go.template operator()<few, 5>();
        else if (kManyRegisters && l == 3) go.template operator()<few, 7>();
        else {
            while (m + 3 <= dim) go.template operator()<few, 3>();
            if (dim - m == 2) go.template operator()<few, 2>();
            if (dim - m == 1) go.template operator()<few, 1>();
        }
    }
}

// d(sum_lm G_lm Y_lm)/dD of one slot, `along` being its part along D from the radial functions.
template <int L>
inline void slot_gradient(const Tables& plan, const V* table, const V* G, V along, V* out) {
    const V x = table[0], y = table[1], z = table[2], inverse = table[3];
    const V *Q = table + 4, *c = Q + Sizes<L>::n_q, *s = c + L + 1;
    V fx = V{}, fy = V{}, fz = V{};
#pragma GCC unroll 16
    for (int m = 0; m <= L; ++m) {
        V re = V{}, im = V{}, dre = V{}, dim = V{};
#pragma GCC unroll 16
        for (int l = m; l <= L; ++l) {
            const int q = l * (l + 1) / 2 + m;
            const V g = G[l * l + l + m], h = G[l * l + l - m];
            if (m > 0) {
                re += Q[q] * g;
                im += Q[q] * h;
            }
            if (l > m) {
                const V slope = plan.delta[q] * Q[q + 1];
                dre += slope * g;
                if (m > 0) dim += slope * h;
            }
        }
        fz += c[m] * dre;
        if (m > 0) {
            fz += s[m] * dim;
            re *= Real(m), im *= Real(m);
            fx += re * c[m - 1];
            fx += im * s[m - 1];
            fy += im * c[m - 1];
            fy -= re * s[m - 1];
        }
    }
    V radial_part = fx * x;
    radial_part += fy * y;
    radial_part += fz * z;
    const V shift = along - radial_part * inverse;
    out[0] = fx * inverse + shift * x;
    out[1] = fy * inverse + shift * y;
    out[2] = fz * inverse + shift * z;
}

// dY_lm along a displacement e of one slot; returns e . u.
template <int L>
inline V harmonic_tangent(const Tables& plan, const V* table, V ex, V ey, V ez, V* dY) {
    const V x = table[0], y = table[1], z = table[2], inverse = table[3];
    const V *Q = table + 4, *c = Q + Sizes<L>::n_q, *s = c + L + 1;
    const V along = ex * x + ey * y + ez * z;
    const V tx = (ex - along * x) * inverse, ty = (ey - along * y) * inverse, tz = (ez - along * z) * inverse;
    for (int m = 0; m <= L; ++m) {
        const V dc = m ? Real(m) * (c[m ? m - 1 : 0] * tx - s[m ? m - 1 : 0] * ty) : V{};
        const V ds = m ? Real(m) * (s[m ? m - 1 : 0] * tx + c[m ? m - 1 : 0] * ty) : V{};
        for (int l = m; l <= L; ++l) {
            const int q = l * (l + 1) / 2 + m;
            const V slope = l > m ? plan.delta[q] * Q[q + (l > m)] * tz : V{};
            dY[l * l + l + m] = Q[q] * dc + slope * c[m];
            if (m) dY[l * l + l - m] = Q[q] * ds + slope * s[m];
        }
    }
    return along;
}

// dA of one neighbour element += tangent of one slot.
template <int L>
inline void accumulate_tangent(const Tables& plan, const int* channel_offset, const V* R, const V* D, const V* Y,
                               const V* dY, V along, V* dv) {
    for (int l = 0; l <= L; ++l) {
        const int dim = 2 * l + 1;
        for (int n = 0; n < plan.radial_count[l]; ++n) {
            V* dA = dv + channel_offset[l] + n * dim;
            const V slope = D[n] * along;
            for (int m = 0; m < dim; ++m) dA[m] += slope * Y[l * l + m] + R[n] * dY[l * l + m];
        }
    }
}

}  // namespace
}  // namespace thalweg
