// Matrix products of blocks that fit a cache, for the pointwise and the full convolution.

#pragma once

#include "common.h"

namespace {

constexpr int kHeight = 6, kWidth = 2;  // of a tile: 6 rows and 2 vectors fill the registers
constexpr int64_t kPanel = kWidth * kVector;  // columns that are worked on together

// Copies a matrix (depth, columns) panel by panel, so that a tile reads it in one stream;
// a panel of the matrix packed begins at its first column times the depth.
std::vector<float> pack(const float* matrix, int64_t depth, int64_t columns) {
  std::vector<float> packed(depth * columns);
  for (int64_t c = 0; c < columns; c += kPanel) {
    int64_t n = std::min(kPanel, columns - c);
    for (int64_t k = 0; k < depth; ++k)
      std::memcpy(packed.data() + c * depth + k * n, matrix + k * columns + c, 4 * n);
  }
  return packed;
}

// A tile's sums stay in registers over the whole depth.
template <int R, int V, typename Act>
inline void product_tile(const float* x, const float* panel, const float* bias, float* out,
                         int64_t depth, int64_t columns) {
  Vector sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = bias ? at(bias + v * kVector) : Vector{};
  for (int64_t k = 0; k < depth; ++k) {
    Vector w[V];
    for (int v = 0; v < V; ++v) w[v] = at(panel + (k * V + v) * kVector);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[r][v] += x[r * depth + k] * w[v];
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v)
      at(out + r * columns + v * kVector) = Act::value(sum[r][v]);
}

// out = Act(x w + bias), x (rows, depth) and w packed; a panel serves all rows before the
// next is read. No bias where it is null.
template <typename Act>
void product_block(const float* x, const float* packed, const float* bias, float* out,
                   int64_t rows, int64_t depth, int64_t columns) {
  for (int64_t c = 0; c < columns; c += kPanel) {
    const float *panel = packed + c * depth, *shift = bias ? bias + c : nullptr;
    auto tile = [&](auto height, int64_t r) {
      const float* from = x + r * depth;
      float* to = out + r * columns + c;
      if (columns - c >= kPanel)
        product_tile<height(), kWidth, Act>(from, panel, shift, to, depth, columns);
      else
        product_tile<height(), 1, Act>(from, panel, shift, to, depth, columns);
    };
    int64_t r = 0;
    for (; r + kHeight <= rows; r += kHeight)
      tile(std::integral_constant<int, kHeight>{}, r);
    for (; r < rows; ++r) tile(std::integral_constant<int, 1>{}, r);
  }
}

template <int R, int V>
inline void outer_tile(const float* x, const float* g, float* sums, int64_t rows,
                       int64_t depth, int64_t columns) {
  Vector sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = at(sums + r * columns + v * kVector);
  for (int64_t m = 0; m < rows; ++m) {
    Vector w[V];
    for (int v = 0; v < V; ++v) w[v] = at(g + m * columns + v * kVector);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[r][v] += x[m * depth + r] * w[v];
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) at(sums + r * columns + v * kVector) = sum[r][v];
}

// sums += x^T g, x (rows, depth) and g (rows, columns): a tile of the sums is kept in
// registers over all rows.
void outer_block(const float* x, const float* g, float* sums, int64_t rows, int64_t depth,
                 int64_t columns) {
  for (int64_t c = 0; c < columns; c += kPanel) {
    auto tile = [&](auto height, int64_t k) {
      float* to = sums + k * columns + c;
      if (columns - c >= kPanel)
        outer_tile<height(), kWidth>(x + k, g + c, to, rows, depth, columns);
      else
        outer_tile<height(), 1>(x + k, g + c, to, rows, depth, columns);
    };
    int64_t k = 0;
    for (; k + kHeight <= depth; k += kHeight)
      tile(std::integral_constant<int, kHeight>{}, k);
    for (; k < depth; ++k) tile(std::integral_constant<int, 1>{}, k);
  }
}

}  // namespace
