#include "sample_file.hpp"

#include "small_model.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <initializer_list>

namespace thalweg::testing {
namespace {

void put(std::string& to, int value) { to += std::to_string(value); }

void put(std::string& to, double value) {
    char digits[32];
    to.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

template <class T>
void add(std::string& body, const char* name, const char* kind, std::initializer_list<std::size_t> shape,
         const std::vector<T>& values) {
    body.append(name).append(" ").append(kind);
    for (const std::size_t extent : shape) body.append(" ").append(std::to_string(extent));
    body += "\n";
    for (std::size_t k = 0; k < values.size(); ++k) {
        if (k > 0) body += " ";
        put(body, values[k]);
    }
    body += "\n";
}

void add_plan(std::string& body, const PlanSpec& spec) {
    std::vector<int> start{0}, index;
    std::vector<double> value;
    for (const auto& tensor : spec.tensors) {
        for (const CouplingTerm& t : tensor) {
            index.insert(index.end(), {t.m1, t.m2, t.M});
            value.push_back(t.c);
        }
        start.push_back(int(value.size()));
    }
    add(body, "r_cut", "real", {1}, std::vector<double>{spec.r_cut});
    add(body, "exponent", "int", {1}, std::vector<int>{spec.exponent});
    add(body, "recurrence", "real", {2, 2, 2, 3}, spec.recurrence);
    add(body, "radial_count", "int", {spec.radial_count.size()}, spec.radial_count);
    add(body, "nodes", "int", {spec.nodes.size() / 4, 4}, spec.nodes);
    add(body, "tensor_start", "int", {start.size()}, start);
    add(body, "tensor_index", "int", {value.size(), 3}, index);
    add(body, "tensor_value", "real", {value.size()}, value);
    add(body, "features", "int", {spec.scale.size(), 2}, spec.features);
    add(body, "scale", "real", {spec.scale.size()}, spec.scale);
}

void add_novelty(std::string& body, std::size_t p) {
    std::vector<double> components(2 * 2 * p, 0.0);
    for (std::size_t row = 0; row < 4; ++row) components[row * p + row % 2] = 1.0;
    add(body, "novelty_mean", "real", {2, p}, normals(2 * p, 23));
    add(body, "novelty_scale", "real", {2, p}, std::vector<double>(2 * p, 1.5));
    add(body, "novelty_components", "real", {2, 2, p}, components);
    add(body, "novelty_inv_lambda", "real", {2, 2}, std::vector<double>{4.0, 2.0, 3.0, 1.0});
    add(body, "novelty_inv_rest", "real", {2}, std::vector<double>{0.5, 0.25});
    add(body, "novelty_fewest_neighbors", "int", {2}, std::vector<int>{2, 3});
}

}  // namespace

std::string sample_body() {
    const PlanSpec spec = small_plan();
    const std::size_t p = spec.scale.size();
    std::string body = "thalweg-potential 2\nelements text 2\nSi\nO\n";
    add(body, "numbers", "int", {2}, std::vector<int>{14, 8});
    add_plan(body, spec);
    add(body, "weights", "real", {2, p}, normals(2 * p, 21));
    add(body, "member_deltas", "real", {3, 2, p}, normals(6 * p, 22));
    add(body, "reference_energies", "real", {2}, std::vector<double>{0.3, -0.2});
    add(body, "zbl_inner", "real", {2, 2}, std::vector<double>{0.8, 0.7, 0.7, 0.6});
    add(body, "zbl_outer", "real", {2, 2}, std::vector<double>{1.6, 1.4, 1.4, 1.2});
    add_novelty(body, p);
    add(body, "confidence", "real", {1}, std::vector<double>{0.95});
    add(body, "bound_factors", "real", {2}, std::vector<double>{1.75, 1.5});
    add(body, "bound_floors", "real", {2}, std::vector<double>{0.01, 0.02});
    return body + "provenance text 1\n{\"oracle\": \"none\"}\n";
}

std::string sealed(const std::string& body) {
    std::uint32_t crc = 0xFFFFFFFFu;  // bit by bit, where the reader uses a table
    for (const char byte : body) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    char digits[9];
    std::snprintf(digits, sizeof digits, "%08x", crc ^ 0xFFFFFFFFu);
    return body + "end crc32 " + digits + "\n";
}

}  // namespace thalweg::testing
