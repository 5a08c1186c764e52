/**
 * A photo's file to its pixels, as `input_pipeline/photo_reader.py` reads them.
 *
 * Upright by the EXIF orientation, which is what `createImageBitmap` does by default; no
 * option asks for it, because older browsers refuse its name. Colour profiles are passed
 * over: evaluation does not convert colours either.
 */

/**
 * @param {Blob} blob of a format that this browser knows.
 * @returns {Promise<{pixels: ImageData, transparent: boolean}>} transparent: some of it
 *   is, and counts as black.
 * @throws {DOMException} the browser cannot read it, or has no memory for it.
 */
export async function readPhoto(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none' });
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  // In the memory of the CPU, where pixels are read without rounding by a GPU.
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const pixels = context.getImageData(0, 0, width, height);
  return { pixels, transparent: hasAlpha(pixels.data) };
}

function hasAlpha(data) {
  for (let place = 3; place < data.length; place += 4) {
    if (data[place] < 255) return true;
  }
  return false;
}
