/**
 * The metadata of an ONNX file, which onnxruntime-web runs without telling it.
 *
 * Such a file is a protobuf message: fields one after another, each a number and a kind
 * in front of its value (https://protobuf.dev/programming-guides/encoding/). Here all are
 * passed over but `ModelProto.metadata_props`, whose entries have a key and a value
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 */

const METADATA_PROPS = 14;
const KEY = 1;
const VALUE = 2;

/**
 * @param {Uint8Array} bytes of the file.
 * @returns {Map<string, string>} what the file says, by key.
 * @throws {RangeError} it is not a whole protobuf message.
 */
export function metadataOf(bytes) {
  const text = new TextDecoder();
  const found = new Map();
  for (const [field, content] of fields(bytes)) {
    if (field !== METADATA_PROPS) continue;
    const entry = new Map(fields(content));
    found.set(text.decode(entry.get(KEY)), text.decode(entry.get(VALUE)));
  }
  return found;
}

/** Number and content of each field; the content of one that is a number is empty. */
function* fields(bytes) {
  let place = 0;
  function varint() {
    let value = 0;
    // By a product: a shift would cut off what is beyond 32 bits.
    for (let scale = 1; ; scale *= 128) {
      if (place >= bytes.length) throw new RangeError('it ends within a number');
      const byte = bytes[place++];
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }
  const sizes = { 0: () => (varint(), 0), 1: () => 8, 2: varint, 5: () => 4 };
  while (place < bytes.length) {
    const tag = varint();
    const size = sizes[tag % 8];
    if (size === undefined || tag < 8) throw new RangeError('it has no such field');
    const length = size();
    if (place + length > bytes.length) throw new RangeError('it ends within a field');
    yield [Math.floor(tag / 8), bytes.subarray(place, place + length)];
    place += length;
  }
}
