// RMSprop, the weights and their averages, in one pass over all parameters.

#include "common.h"

namespace {

// Of a parameter, which has an array of its own; its place in the optimizer's vectors is
// begin ... begin + count.
struct Slice {
  const float *gradient, *weights, *averages;
  float *to_weights, *to_averages;
  int64_t begin, count;
};

// Slices of all parameters, each short enough for many threads. Averages may be missing.
bool cut(const ffi::RemainingArgs& arrays, const ffi::RemainingRets& results,
         std::vector<Slice>& slices) {
  int64_t parameters = arrays.size() - results.size(), begin = 0;
  bool averaged = static_cast<int64_t>(results.size()) > parameters;
  for (int64_t n = 0; n < parameters; ++n) {
    auto g = arrays.get<Array>(n), w = arrays.get<Array>(parameters + n);
    auto a = arrays.get<Array>(averaged ? 2 * parameters + n : n);
    auto to_w = results.get<Array>(n), to_a = results.get<Array>(averaged ? parameters + n : n);
    if (!g || !w || !a || !to_w || !to_a) return false;
    int64_t size = g->element_count();
    for (int64_t i = 0; i < size; i += kChunk)
      slices.push_back({g->typed_data() + i, w->typed_data() + i,
                        averaged ? a->typed_data() + i : nullptr,
                        (*to_w)->typed_data() + i,
                        averaged ? (*to_a)->typed_data() + i : nullptr, begin + i,
                        std::min(kChunk, size - i)});
    begin += size;
  }
  return true;
}

void keep(const float* from, float* to, int64_t count) {
  if (to && from != to) std::memcpy(to, from, 4 * count);
}

// TensorFlow's rule, with a momentum that has the rate in it. Every array may be written
// where it was read. arrays: gradients, weights, averages; results: weights, averages.
// Nothing changes unless it is `good`, which is not 0.
ffi::Error rmsprop(ffi::ThreadPool pool, Array good, Array rate, Array average_decay,
                   Array squares, Array steps, ffi::RemainingArgs arrays,
                   Result to_squares, Result to_steps, ffi::RemainingRets results,
                   float decay, float momentum, float epsilon) {
  std::vector<Slice> slices;
  if (!cut(arrays, results, slices)) return unknown("parameters are float32");
  bool is_good = *good.typed_data() != 0;
  float lr = *rate.typed_data(), old = *average_decay.typed_data();
  parallel(pool, slices.size(), [&](int64_t item) {
    const Slice& p = slices[item];
    const float *square = squares.typed_data() + p.begin, *step = steps.typed_data() + p.begin;
    float* to_square = to_squares->typed_data() + p.begin;
    float* to_step = to_steps->typed_data() + p.begin;
    if (!is_good) {
      keep(square, to_square, p.count);
      keep(step, to_step, p.count);
      keep(p.weights, p.to_weights, p.count);
      keep(p.averages, p.to_averages, p.count);
      return;
    }
    auto update = [&](int64_t i) {
      float g = p.gradient[i], mean = (1 - decay) * (g * g) + decay * square[i];
      float change = momentum * step[i] - lr * (g / __builtin_sqrtf(mean + epsilon));
      to_square[i] = mean;
      to_step[i] = change;
      return p.to_weights[i] = p.weights[i] + change;
    };
    if (p.averages) {
#pragma GCC ivdep
      for (int64_t i = 0; i < p.count; ++i) {
        float w = update(i);
        p.to_averages[i] = w + old * (p.averages[i] - w);
      }
    } else {
#pragma GCC ivdep
      for (int64_t i = 0; i < p.count; ++i) update(i);
    }
  });
  return ffi::Error::Success();
}

}  // namespace

KERNEL(rmsprop, IN IN IN IN IN.RemainingArgs() OUT OUT.RemainingRets()
                    .Attr<float>("decay").Attr<float>("momentum") EPSILON);
