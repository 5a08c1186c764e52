/**
 * A photo's pixels to what the network is given, as evaluation prepares them.
 *
 * The numbers are those of `input_pipeline/array_ops.py`, to float32 rounding. A
 * canvas would resize with a filter of its own choice, which differs between browsers.
 *
 * A resize is two tables of taps, one for rows and one for columns: for each new pixel
 * the places of the old ones that it is made of, and their weights. A crop takes a part
 * of a table, so that what is cut off is never computed.
 */

// TensorFlow looks its cubic weights up in a table with this many steps a pixel.
const CUBIC_STEPS = 1024;

const single = Math.fround; // where a double would take another pixel

/** What a contract may say; another value is refused before a photo is prepared. */
export const CHOICES = {
  resize: ['short_side', 'squash'],
  interpolation: ['bilinear', 'bicubic', 'nearest', 'area'],
  channel_order: ['rgb', 'bgr'],
};

/**
 * Prepares one photo.
 *
 * @param {{data: Uint8ClampedArray, width: number, height: number}} photo RGBA, as
 *   ImageData has it; alpha is dropped.
 * @param {object} contract as `mobilenet/weights/contract.py` describes it.
 * @param {number} side of the square that the network takes, px.
 * @returns {Float32Array} (3, side, side).
 */
export function prepare(photo, contract, side) {
  const rows = taps(photo.height, photo, contract, side);
  const columns = taps(photo.width, photo, contract, side);
  const swapped = contract.channel_order === 'bgr';
  const scale = contract.std.map((std) => 1 / (255 * std));
  const offset = contract.std.map((std, channel) => contract.mean[channel] / std);
  const result = new Float32Array(3 * side * side);
  const line = new Float32Array(4 * photo.width);
  rows.forEach((row, y) => {
    addRows(photo, row, line);
    columns.forEach(({ places, weights }, x) => {
      for (let channel = 0; channel < 3; channel++) {
        const stored = swapped ? 2 - channel : channel;
        let sum = 0;
        for (let tap = 0; tap < places.length; tap++) {
          sum += weights[tap] * line[4 * places[tap] + stored];
        }
        const place = (channel * side + y) * side + x;
        result[place] = sum * scale[channel] - offset[channel];
      }
    });
  });
  return result;
}

/** Sets a line (width, RGBA) to the sum of a photo's rows. */
function addRows(photo, { places, weights }, line) {
  line.fill(0);
  for (let tap = 0; tap < places.length; tap++) {
    const start = places[tap] * line.length;
    const weight = weights[tap];
    if (weight === 0) continue;
    for (let k = 0; k < line.length; k++) line[k] += weight * photo.data[start + k];
  }
}

/** The taps of the `side` rows or columns that are left of a side of `old` pixels. */
function taps(old, photo, contract, side) {
  const { interpolation, antialias, crop_fraction: fraction } = contract;
  const make = (antialias && WIDENED[interpolation]) || TAPS[interpolation];
  if (contract.resize === 'short_side') {
    const short = Math.trunc(side / fraction);
    const resized = Math.floor((short * old) / Math.min(photo.width, photo.height));
    const begin = halfToEven((resized - side) / 2);
    return make(old, resized).slice(begin, begin + side);
  }
  const begin = fraction < 1 ? centralBegin(old, fraction) : 0;
  const made = make(old - 2 * begin, side);
  for (const { places } of made) places.forEach((_, tap) => (places[tap] += begin));
  return made;
}

/** Where the central fraction of a side begins. */
function centralBegin(old, fraction) {
  const kept = single(old * single(Number(fraction.toPrecision(6))));
  return Math.trunc(single(old - kept) / 2);
}

function halfToEven(value) {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

const TAPS = {
  bilinear: (old, size) =>
    each(size, (pixel) => {
      const point = single(centre(pixel, old, size) - 0.5);
      const share = single(point - Math.floor(point));
      return tapsAt(Math.floor(point), [1 - share, share], old, clipped);
    }),
  bicubic: (old, size) =>
    each(size, (pixel) => {
      const point = single(centre(pixel, old, size) - 0.5);
      const left = Math.floor(point);
      const share = halfToEven(single(point - left) * CUBIC_STEPS) / CUBIC_STEPS;
      const weights = [-1, 0, 1, 2].map((step) => cubic(share - step));
      return tapsAt(left - 1, weights, old, inside);
    }),
  nearest: (old, size) =>
    each(size, (pixel) => tapsAt(Math.floor(centre(pixel, old, size)), [1], old, clipped)),
  area: (old, size) =>
    each(size, (pixel) => {
      const begin = pixel * (old / size);
      const end = (pixel + 1) * (old / size);
      const first = Math.floor(begin);
      const weights = each(Math.ceil(old / size) + 1, (step) => {
        const place = first + step;
        return Math.max(0, Math.min(place + 1, end) - Math.max(place, begin));
      });
      return tapsAt(first, weights, old, inside);
    }),
};

// The antialiased ones: the filter is as wide as a new pixel, where that is larger.
const WIDENED = { bilinear: widened(triangle, 1), bicubic: widened(cubic, 2) };

function widened(kernel, radius) {
  return (old, size) => {
    const stretch = Math.max(old / size, 1);
    return each(size, (pixel) => {
      const middle = centre(pixel, old, size);
      const first = Math.ceil(middle - radius * stretch - 0.5);
      const weights = each(Math.ceil(2 * radius * stretch) + 1, (step) =>
        kernel((first + step + 0.5 - middle) / stretch),
      );
      return tapsAt(first, weights, old, inside);
    });
  };
}

/** Where a new pixel's centre lies on the old ones, counted from pixel edges. */
function centre(pixel, old, size) {
  return single((pixel + 0.5) * single(old / size));
}

function triangle(x) {
  return Math.max(0, 1 - Math.abs(x));
}

/** Keys' cubic convolution with a = -1/2. */
function cubic(signed) {
  const x = Math.abs(signed);
  if (x <= 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

function each(count, make) {
  return Array.from({ length: count }, (_, place) => make(place));
}

/** Taps from the place `first` on; `edge` says what becomes of those outside. */
function tapsAt(first, weights, old, edge) {
  const places = weights.map((_, step) => first + step);
  return {
    places: Int32Array.from(places, (place) => Math.min(Math.max(place, 0), old - 1)),
    weights: Float32Array.from(edge(places, weights, old)),
  };
}

/** The pixel at the edge stands for those beyond it. */
function clipped(places, weights) {
  return weights;
}

/** Weights outside are dropped and the rest adds up to one. */
function inside(places, weights, old) {
  const kept = weights.map((weight, tap) =>
    places[tap] >= 0 && places[tap] < old ? weight : 0,
  );
  const sum = kept.reduce((total, weight) => total + weight, 0);
  return kept.map((weight) => weight / sum);
}
