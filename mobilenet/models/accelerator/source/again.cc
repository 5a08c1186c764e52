// A convolution with a norm after it, computed again where others read what they kept: for
// short sums whose results no cache holds. There arithmetic costs less than memory.
//
// Forward, the first pass takes the norm's sums and the second writes y, both of the
// product. Backward there is one pass over x and g. With u = before * factor + shift and
// z = g * slope(u), the gradient of `before` is d = z * factor + before * slope + offset,
// whose last two are known only after it. But they are linear in x, since before = x w:
//   x^T d = (x^T z) factor + (x^T x) w slope + sum(x) offset
//   d w^T = z (factor w^T) + x (w slope w^T) + offset w^T
// where x^T z, x^T x and the sums add up meanwhile; z (factor w^T) is written in the pass,
// and the rest is added to it afterwards.

#include "norms.h"
#include "patches.h"

namespace {

constexpr int64_t kBlock = 96;  // rows that stay in the first-level cache

int64_t wide(int64_t depth) { return (depth + kVector - 1) / kVector * kVector; }

// The pixels of a pointwise convolution; as `Patches`.
struct Flat {
  const float* x;
  int64_t rows, channels;

  int64_t items() const { return std::min<int64_t>(32, rows); }
  int64_t depth() const { return channels; }
  int64_t pixels() const { return rows; }

  template <typename F>
  void each(int64_t item, const F& f) const {
    int64_t end = rows * (item + 1) / items();
    for (int64_t m = rows * item / items(); m < end; m += kBlock)
      f(Runs::of(x + m * channels, channels), m, std::min(kBlock, end - m));
  }
};

// The patches of a full convolution, next to each other: its sums are short, and whole
// vectors of a patch take less than the ends of its runs. What lies after a patch, up to
// `wide`, is not a number that means something, and is not used.
struct ShortPatches {
  Patches patches;

  int64_t items() const { return patches.items(); }
  int64_t depth() const { return patches.depth(); }
  int64_t pixels() const { return patches.pixels(); }

  template <typename F>
  void each(int64_t item, const F& f) const {
    int64_t step = wide(depth());
    std::vector<float> row(patches.w.out_columns * step + kWide);
    patches.each(item, [&](const Runs& x, int64_t pixel, int64_t count) {
      float* to = row.data();
      for (int64_t m = 0; m < count; ++m, to += step)
        for (int64_t i = 0; i < x.runs; ++i)
          for (int64_t k = 0; k < x.run; k += kWide)
            Broad::at(to + i * x.run + k) =
                Broad::at(x.first + m * x.step + i * x.gap + k);
      f(Runs{row.data(), step, depth()}, pixel, count);
    });
  }
};

// The kernel with the norm in it.
std::vector<float> folded(const Norm& norm, const float* kernel, int64_t depth) {
  std::vector<float> w(kernel, kernel + depth * norm.channels);
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t c = 0; c < norm.channels; ++c) w[k * norm.channels + c] *= norm.factor[c];
  return w;
}

template <typename Input>
ffi::Error normalized(ffi::ThreadPool& pool, const Input& input, const Array& kernel,
                      const Array& scale, const Array& bias, Result y, Result mean,
                      Result variance, std::string_view act, float epsilon) {
  int64_t depth = input.depth(), columns = scale.element_count();
  Packed packed(kernel.typed_data(), nullptr, depth, columns);
  Sums sums(input.items(), columns);
  parallel(pool, input.items(), [&](int64_t item) {
    std::vector<float> before;
    input.each(item, [&](const Runs& x, int64_t, int64_t count) {
      before.resize(count * columns);
      product_block<Linear>(x, packed, before.data(), count);
      sums.add_moments(item, before.data(), count);
    });
  });
  moments(sums.totals(), input.pixels(), mean->typed_data(), variance->typed_data());
  Norm norm(scale.typed_data(), bias.typed_data(), mean->typed_data(),
            variance->typed_data(), epsilon, columns);
  Packed w(folded(norm, kernel.typed_data(), depth).data(), norm.shift.data(), depth,
           columns);
  float* to = y->typed_data();
  bool known = with_activation(act, [&](auto a) {
    auto nothing = [](int64_t, float*, int64_t) {};
    if (Streamed::is_for(to, columns))
      run_products<decltype(a), Streamed>(pool, input, w, to, nothing);
    else
      run_products<decltype(a)>(pool, input, w, to, nothing);
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

// What adds up over an item's pixels, in one array: x^T z (wide, columns), x^T x (wide,
// wide), the sums of x (wide) and of z (columns, and as many zeros: `add_rows` has two
// sums).
struct Totals {
  int64_t items, wide, columns;
  std::vector<float> data;

  Totals(int64_t items, int64_t depth, int64_t columns)
      : items(items), wide(::wide(depth)), columns(columns), data(items * size()) {}

  int64_t size() const { return wide * columns + wide * wide + wide + 2 * columns; }
  float* xz(int64_t item) { return data.data() + item * size(); }
  float* xx(int64_t item) { return xz(item) + wide * columns; }
  float* x(int64_t item) { return xx(item) + wide * wide; }
  float* z(int64_t item) { return x(item) + wide; }

  void add(int64_t item, const Runs& x, const float* z, int64_t count) {
    int64_t depth = (x.run + 3) / 4 * 4;  // the height of a tile
    Strided<const float> of{x.first, x.step};
    outer_block(of, {z, columns}, {xz(item), columns}, count, depth, columns);
    outer_block(of, of, {xx(item), wide}, count, depth, wide);
    for (int64_t m = 0; m < count; ++m)
      for (int64_t k = 0; k < wide; k += kVector)
        Narrow::at(this->x(item) + k) += Narrow::at(of.at(m, k));
  }

  // All items' in the first's place.
  void add_up(ffi::ThreadPool& pool) {
    std::vector<float> total(size());
    ::add_up(pool, data.data(), items, size(), total.data());
    data = std::move(total);
  }
};

// z = g * slope of u = before * factor + shift, in u's place, and its sum.
template <typename Act>
void take_slope(float* u, const float* g, float* sums, int64_t rows, int64_t columns) {
  add_rows(0, rows, columns, sums, [&](auto lane, int64_t i, int64_t, auto& sum, auto&) {
    auto z = lane.at(g + i) * Act::slope(lane.at(static_cast<const float*>(u + i)));
    sum += z;
    lane.at(u + i) = z;
  });
}

// What the gradient of `before` has besides z * factor: before * slope + offset.
struct Rest {
  std::vector<double> slope, offset;

  // From the totals of a whole batch; writes the gradients of scale and bias.
  Rest(const Norm& norm, const float* mean, const float* kernel, int64_t depth,
       int64_t pixels, const float* xz, const float* z, float* d_scale, float* d_bias)
      : slope(norm.channels), offset(norm.channels) {
    for (int64_t c = 0; c < norm.channels; ++c) {
      double product = -double(mean[c]) * z[c];  // the sum of z * (before - mean)
      for (int64_t k = 0; k < depth; ++k)
        product += double(kernel[k * norm.channels + c]) * xz[k * norm.channels + c];
      product *= norm.inverse[c];
      d_scale[c] = product;
      d_bias[c] = z[c];
      slope[c] = -norm.factor[c] * norm.inverse[c] * product / pixels;
      offset[c] = -norm.factor[c] * double(z[c]) / pixels - slope[c] * mean[c];
    }
  }
};

// x^T d.
void write_kernel_gradient(const Norm& norm, const Rest& rest, Totals& totals,
                           const float* kernel, int64_t depth, float* d_kernel) {
  const float *xz = totals.xz(0), *xx = totals.xx(0), *x = totals.x(0);
  int64_t columns = norm.channels;
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t c = 0; c < columns; ++c) {
      double x_before = 0;
      for (int64_t i = 0; i < depth; ++i)
        x_before += double(xx[k * totals.wide + i]) * kernel[i * columns + c];
      d_kernel[k * columns + c] = double(xz[k * columns + c]) * norm.factor[c] +
                                  x_before * rest.slope[c] + x[k] * rest.offset[c];
    }
}

// dx += x (w slope w^T) + offset w^T.
void add_rest(ffi::ThreadPool& pool, const Flat& input, const Rest& rest,
              const float* kernel, int64_t columns, float* dx) {
  int64_t depth = input.depth();
  std::vector<float> of_x(depth * depth), constant(depth);
  for (int64_t k = 0; k < depth; ++k) {
    const float* row = kernel + k * columns;
    double sum = 0;
    for (int64_t c = 0; c < columns; ++c) sum += rest.offset[c] * row[c];
    constant[k] = sum;
    for (int64_t i = 0; i < depth; ++i) {
      sum = 0;
      for (int64_t c = 0; c < columns; ++c)
        sum += rest.slope[c] * kernel[i * columns + c] * row[c];
      of_x[i * depth + k] = sum;
    }
  }
  Packed packed(of_x.data(), constant.data(), depth, depth);
  parallel(pool, input.items(), [&](int64_t item) {
    std::vector<float> added;
    input.each(item, [&](const Runs& x, int64_t pixel, int64_t count) {
      added.resize(count * depth);
      product_block<Linear>(x, packed, added.data(), count);
      float* to = dx + pixel * depth;
      for (int64_t i = 0; i < count * depth; ++i) to[i] += added[i];
    });
  });
}

// dx is that of the pixels of a pointwise convolution, and null of another.
template <typename Input>
ffi::Error gradients(ffi::ThreadPool& pool, const Input& input, const Array& kernel,
                     const Array& scale, const Array& bias, const Array& mean,
                     const Array& variance, const Array& g, float* dx, Result d_kernel,
                     Result d_scale, Result d_bias, std::string_view act, float epsilon) {
  int64_t depth = input.depth(), columns = scale.element_count();
  Norm norm(scale.typed_data(), bias.typed_data(), mean.typed_data(),
            variance.typed_data(), epsilon, columns);
  std::vector<float> w = folded(norm, kernel.typed_data(), depth);
  Packed forward(w.data(), norm.shift.data(), depth, columns);
  Packed backward = Packed::transposed(pool, w.data(), columns, depth);
  Totals totals(input.items(), depth, columns);
  bool known = with_activation(act, [&](auto a) {
    parallel(pool, input.items(), [&](int64_t item) {
      std::vector<float> z;
      input.each(item, [&](const Runs& x, int64_t pixel, int64_t count) {
        z.resize(count * columns);
        product_block<Linear>(x, forward, z.data(), count);
        take_slope<decltype(a)>(z.data(), g.typed_data() + pixel * columns, totals.z(item),
                                count, columns);
        if (dx)
          product_block<Linear>(Runs::of(z.data(), columns), backward, dx + pixel * depth,
                                count);
        totals.add(item, x, z.data(), count);
      });
    });
  });
  if (!known) return unknown("unknown activation");
  totals.add_up(pool);
  Rest rest(norm, mean.typed_data(), kernel.typed_data(), depth, input.pixels(),
            totals.xz(0), totals.z(0), d_scale->typed_data(), d_bias->typed_data());
  write_kernel_gradient(norm, rest, totals, kernel.typed_data(), depth,
                        d_kernel->typed_data());
  if constexpr (std::is_same_v<Input, Flat>)
    add_rest(pool, input, rest, kernel.typed_data(), columns, dx);
  return ffi::Error::Success();
}

Flat flat(const Array& x, const Array& kernel) {
  int64_t depth = kernel.dimensions()[0];
  return {x.typed_data(), static_cast<int64_t>(x.element_count()) / depth, depth};
}

ffi::Error pointwise_norm_again(ffi::ThreadPool pool, Array x, Array kernel, Array scale,
                                Array bias, Result y, Result mean, Result variance,
                                std::string_view act, float epsilon) {
  return normalized(pool, flat(x, kernel), kernel, scale, bias, y, mean, variance, act,
                    epsilon);
}

ffi::Error pointwise_norm_again_gradients(ffi::ThreadPool pool, Array x, Array kernel,
                                          Array scale, Array bias, Array mean,
                                          Array variance, Array g, Result dx,
                                          Result d_kernel, Result d_scale, Result d_bias,
                                          std::string_view act, float epsilon) {
  return gradients(pool, flat(x, kernel), kernel, scale, bias, mean, variance, g,
                   dx->typed_data(), d_kernel, d_scale, d_bias, act, epsilon);
}

ffi::Error conv_norm_again(ffi::ThreadPool pool, Array x, Array kernel, Array scale,
                           Array bias, Result y, Result mean, Result variance,
                           int64_t stride, int64_t top, int64_t left, std::string_view act,
                           float epsilon) {
  Window w(x.dimensions(), kernel.dimensions(), y->dimensions(), stride, top, left);
  return normalized(pool, ShortPatches{{w, x.typed_data()}}, kernel, scale, bias, y, mean,
                    variance, act, epsilon);
}

// Of all but the images.
ffi::Error conv_norm_again_gradients(ffi::ThreadPool pool, Array x, Array kernel,
                                     Array scale, Array bias, Array mean, Array variance,
                                     Array g, Result d_kernel, Result d_scale,
                                     Result d_bias, int64_t stride, int64_t top, int64_t left,
                                     std::string_view act, float epsilon) {
  Window w(x.dimensions(), kernel.dimensions(), g.dimensions(), stride, top, left);
  return gradients(pool, ShortPatches{{w, x.typed_data()}}, kernel, scale, bias, mean,
                   variance, g, nullptr, d_kernel, d_scale, d_bias, act, epsilon);
}

}  // namespace

KERNEL(pointwise_norm_again, IN IN IN IN OUT OUT OUT ACT EPSILON);
KERNEL(pointwise_norm_again_gradients,
       IN IN IN IN IN IN IN OUT OUT OUT OUT ACT EPSILON);
KERNEL(conv_norm_again, IN IN IN IN OUT OUT OUT WINDOW ACT EPSILON);
KERNEL(conv_norm_again_gradients,
       IN IN IN IN IN IN IN OUT OUT OUT WINDOW ACT EPSILON);
