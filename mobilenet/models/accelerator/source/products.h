// Matrix products of blocks that fit a cache, for the pointwise and the full convolution.

#pragma once

#include "common.h"

namespace {

// A tile of the result stays in registers: so many rows by so many vectors.
#ifdef __AVX512VBMI2__
constexpr int kMost = 3;  // vectors that are worked on together
constexpr int tile_rows(int vectors) { return vectors == 3 ? 8 : vectors == 2 ? 12 : 16; }
#else
constexpr int kMost = 2;
constexpr int tile_rows(int vectors) { return vectors == 2 ? 6 : 12; }
#endif

// Calls f(first column, vectors, whether the last vector is half full) for each panel of
// columns; vectors and half are constants. There are multiples of eight columns.
template <typename F>
void each_panel(int64_t columns, const F& f) {
  using std::integral_constant;
  auto with_half = [&](int64_t first, auto vectors) {
    if (kWide > kVector && columns - first < vectors() * kWide)
      f(first, vectors, std::true_type{});
    else
      f(first, vectors, std::false_type{});
  };
  for (int64_t c = 0; c < columns;) {
    int64_t left = (columns - c + kWide - 1) / kWide;
    // Two of two rather than one of three and one of one.
    int64_t vectors = left == kMost + 1 && kMost > 2 ? 2 : std::min<int64_t>(left, kMost);
    if (vectors == 1) with_half(c, integral_constant<int, 1>{});
    else if (vectors == 2) with_half(c, integral_constant<int, 2>{});
    else with_half(c, integral_constant<int, kMost>{});
    c += vectors * kWide;
  }
}

template <bool Half>
inline Wide load(const float* p) {
  return Half ? half_at(p) : Broad::at(p);
}

template <bool Half>
inline void store(float* p, Wide value) {
  if constexpr (!Half) Broad::at(p) = value;
  else std::memcpy(p, &value, 4 * kVector);
}

// A (depth, columns) matrix, panel by panel, so that a tile reads it in one stream, and a
// bias; both with zeros up to whole vectors.
struct Packed {
  int64_t depth, columns;
  std::vector<float> weights, bias;

  Packed(const float* matrix, const float* shift, int64_t depth, int64_t columns)
      : Packed(depth, columns) {
    if (shift) std::copy(shift, shift + columns, bias.begin());
    each_panel(columns, [&](int64_t c, auto vectors, auto) {
      int64_t width = vectors() * kWide, n = std::min(width, columns - c);
      for (int64_t k = 0; k < depth; ++k)
        std::memcpy(weights.data() + c * depth + k * width, matrix + k * columns + c, 4 * n);
    });
  }

  // From a matrix (columns, depth), without a bias; a line of each row at a time.
  static Packed transposed(ffi::ThreadPool& pool, const float* matrix, int64_t depth,
                           int64_t columns) {
    Packed packed(depth, columns);
    constexpr int64_t step = 8 * kVector;
    parallel(pool, (depth + step - 1) / step, [&](int64_t item) {
      int64_t end = std::min(depth, (item + 1) * step);
      each_panel(columns, [&](int64_t c, auto vectors, auto) {
        int64_t width = vectors() * kWide, n = std::min(width, columns - c);
        float* panel = packed.weights.data() + c * depth;
        for (int64_t k = item * step; k < end; k += kVector)
          for (int64_t j = 0; j < n; ++j)
            for (int64_t i = k; i < std::min(k + kVector, end); ++i)
              panel[i * width + j] = matrix[(c + j) * depth + i];
      });
    });
    return packed;
  }

 private:
  Packed(int64_t depth, int64_t columns) : depth(depth), columns(columns) {
    int64_t whole = (columns + kWide - 1) / kWide * kWide;
    weights.resize(depth * whole);
    bias.resize(whole);
  }
};

// Rows of a matrix that lie in pieces: row r is the floats first + r * step + i * gap ...
// + run, for each i < runs. A pixel is one run; a patch of an image has one for each
// kernel row.
struct Runs {
  const float* first;
  int64_t step, run, runs = 1, gap = 0;

  static Runs of(const float* matrix, int64_t depth) { return {matrix, depth, depth}; }
  int64_t depth() const { return runs * run; }
};

// Where a tile's results go: into the caches, or past them, which is for what is larger
// than they are and saves to read it before it is written. Streamed rows are whole vectors
// at whole vectors' addresses.
struct Cached {
  static void put(float* p, Wide value) { Broad::at(p) = value; }
  static void flush() {}
};
struct Streamed {
  static bool is_for(const float* p, int64_t columns) {
    return columns % kWide == 0 && reinterpret_cast<uintptr_t>(p) % sizeof(Wide) == 0;
  }
  static void put(float* p, Wide value) {
#if defined(__AVX512VBMI2__)
    _mm512_stream_ps(p, (__m512)value);
#elif defined(__AVX__)
    _mm256_stream_ps(p, (__m256)value);
#else
    Broad::at(p) = value;
#endif
  }
  // What was streamed is there for other threads.
  static void flush() {
#ifdef __SSE__
    _mm_sfence();
#endif
  }
};

// A tile's sums stay in registers over the whole depth.
template <int R, int V, bool Half, typename Act, typename To>
inline void product_tile(const Runs& x, const float* panel, const float* bias, float* out,
                         int64_t columns) {
  Wide sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = Broad::at(bias + v * kWide);
  for (int64_t i = 0; i < x.runs; ++i) {
    const float* from = x.first + i * x.gap;
    for (int64_t k = 0; k < x.run; ++k, panel += V * kWide) {
      Wide w[V];
      for (int v = 0; v < V; ++v) w[v] = Broad::at(panel + v * kWide);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sum[r][v] += from[r * x.step + k] * w[v];
    }
  }
  for (int r = 0; r < R; ++r) {
    float* to = out + r * columns;
    for (int v = 0; v < V - 1; ++v) To::put(to + v * kWide, Act::value(sum[r][v]));
    if constexpr (Half) store<Half>(to + (V - 1) * kWide, Act::value(sum[r][V - 1]));
    else To::put(to + (V - 1) * kWide, Act::value(sum[r][V - 1]));
  }
}

// Calls tile(its height, first row) for tiles that are as high as there are rows for.
template <int Height, typename Tile>
inline void each_tile(int64_t rows, const Tile& tile) {
  int64_t r = 0;
  for (; r + Height <= rows; r += Height) tile(std::integral_constant<int, Height>{}, r);
  for (; r + 4 <= rows; r += 4) tile(std::integral_constant<int, 4>{}, r);
  for (; r < rows; ++r) tile(std::integral_constant<int, 1>{}, r);
}

// out = Act(x w + bias), x (rows, depth); a panel serves all rows before the next is read.
template <typename Act, typename To = Cached>
void product_block(const Runs& x, const Packed& w, float* out, int64_t rows) {
  each_panel(w.columns, [&](int64_t c, auto vectors, auto half) {
    const float *panel = w.weights.data() + c * w.depth, *bias = w.bias.data() + c;
    each_tile<tile_rows(vectors())>(rows, [&](auto height, int64_t r) {
      Runs tile = x;
      tile.first += r * x.step;
      product_tile<height(), vectors(), half(), Act, To>(tile, panel, bias,
                                                         out + r * w.columns + c, w.columns);
    });
  });
}

// A matrix whose rows are `step` floats apart.
template <typename Float>
struct Strided {
  Float* first;
  int64_t step;
  Float* at(int64_t row, int64_t column) const { return first + row * step + column; }
};

template <int R, int V, bool Half>
inline void outer_tile(Strided<const float> x, Strided<const float> g, Strided<float> sums,
                       int64_t rows) {
  Wide sum[R][V];
  for (int r = 0; r < R; ++r) {
    const float* from = sums.at(r, 0);
    for (int v = 0; v < V - 1; ++v) sum[r][v] = Broad::at(from + v * kWide);
    sum[r][V - 1] = load<Half>(from + (V - 1) * kWide);
  }
  for (int64_t m = 0; m < rows; ++m) {
    const float *of = x.at(m, 0), *from = g.at(m, 0);
    Wide w[V];
    for (int v = 0; v < V - 1; ++v) w[v] = Broad::at(from + v * kWide);
    w[V - 1] = load<Half>(from + (V - 1) * kWide);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] += of[r] * w[v];
  }
  for (int r = 0; r < R; ++r) {
    float* to = sums.at(r, 0);
    for (int v = 0; v < V - 1; ++v) Broad::at(to + v * kWide) = sum[r][v];
    store<Half>(to + (V - 1) * kWide, sum[r][V - 1]);
  }
}

// sums += x^T g, x (rows, depth) and g (rows, columns): a tile of the sums is kept in
// registers over all rows.
inline void outer_block(Strided<const float> x, Strided<const float> g, Strided<float> sums,
                        int64_t rows, int64_t depth, int64_t columns) {
  each_panel(columns, [&](int64_t c, auto vectors, auto half) {
    each_tile<tile_rows(vectors())>(depth, [&](auto height, int64_t k) {
      outer_tile<height(), vectors(), half()>({x.at(0, k), x.step}, {g.at(0, c), g.step},
                                              {sums.at(k, c), sums.step}, rows);
    });
  });
}

// The same for rows in pieces, whose sums (depth, columns) have no gaps.
inline void outer_block(const Runs& x, const float* g, float* sums, int64_t rows,
                        int64_t columns) {
  for (int64_t i = 0; i < x.runs; ++i)
    outer_block({x.first + i * x.gap, x.step}, {g, columns},
                {sums + i * x.run * columns, columns}, rows, x.run, columns);
}

}  // namespace
