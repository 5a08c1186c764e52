/**
 * A file of `python main.py --job=export --format=onnx`, ready to classify photos.
 *
 *     import * as ort from 'onnxruntime-web';
 *     import { open } from './classifier.js';
 *     const classifier = await open(ort, bytes, 'finetune-float32.onnx');
 *     const { answers } = await classifier.classify(imageData);
 *
 * How photos are prepared, the class names, what the answer is and at which temperature
 * it is read: all of it stands in the file.
 */

import { metadataOf } from './metadata.js';
import { CHOICES, prepare } from './preprocess.js';

const SAID = 'mobilenet-jax'; // the key of what the file says of itself, as JSON
const NAMES = 'display_names'; // class names for people, where they differ
const WRITE_ONE =
  'write one with python main.py --job=export --workdir=RUN --format=onnx';

/** Whose message is one line for the person in front of the page. */
export class Refused extends Error {}

/**
 * Opens a file.
 *
 * @param {object} ort the module onnxruntime-web.
 * @param {Uint8Array} bytes of the file.
 * @param {string} name of the file, for messages.
 * @returns {Promise<Classifier>}
 * @throws {Refused} it is damaged, not ours, or asks for what there is not here.
 */
export async function open(ort, bytes, name) {
  const { said, names } = contentOf(bytes, name);
  try {
    const session = await ort.InferenceSession.create(bytes);
    return new Classifier(ort, session, said, names);
  } catch (error) {
    throw new Refused(`${name} cannot be run by onnxruntime: ${firstLine(error)}`);
  }
}

class Classifier {
  /** said: as `mobilenet/export/program.py` writes it. names: one per class. */
  constructor(ort, session, said, names) {
    Object.assign(this, { ort, session, said, names });
  }

  /**
   * Names what is in one photo.
   *
   * @param {ImageData} photo upright.
   * @param {number} most answers, at most.
   * @returns {Promise<object>} answers: [{name, probability}], the most probable first;
   *   remarks: what the decision says of them, lines; preparing, computing: milliseconds.
   * @throws {Refused} the answer is no probabilities of the classes.
   */
  async classify(photo, most = 5) {
    const { said, names, session, ort } = this;
    const side = said.resolution;
    const started = performance.now();
    const image = prepare(photo, said.contract, side);
    const prepared = performance.now();
    const given = new ort.Tensor('float32', image, [1, 3, side, side]);
    const made = await session.run({ [session.inputNames[0]]: given });
    const computed = performance.now();
    const probabilities = read(Array.from(made[session.outputNames[0]].data), said);
    if (probabilities.length !== names.length || !probabilities.every(Number.isFinite)) {
      throw new Refused(`the network does not answer with ${names.length} probabilities`);
    }
    const answers = names.map((name, place) => ({ name, probability: probabilities[place] }));
    const remarks = remarksOn(probabilities, said);
    answers.sort((one, other) => other.probability - one.probability); // keeps ties
    return {
      answers: answers.slice(0, most),
      remarks,
      preparing: prepared - started,
      computing: computed - prepared,
    };
  }

  /** Frees the memory of the network. */
  async release() {
    await this.session.release();
  }
}

/** What a file says of itself, checked: {said, names}. */
function contentOf(bytes, name) {
  let found;
  try {
    found = metadataOf(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Refused(`${name} is no whole ONNX file; ${WRITE_ONE}`);
  }
  if (!found.has(SAID)) {
    throw new Refused(`${name} does not say how photos are prepared for it; ${WRITE_ONE}`);
  }
  const said = JSON.parse(found.get(SAID));
  if ((said.task ?? 'classification') !== 'classification') {
    throw new Refused(`${name} is a file for ${said.task}; this page names one class`);
  }
  for (const [field, choices] of Object.entries(CHOICES)) {
    const value = said.contract[field];
    if (!choices.includes(value)) {
      throw new Refused(`${name}: ${field} ${value} is none of ${choices.join(', ')}`);
    }
  }
  const names = found.has(NAMES) ? JSON.parse(found.get(NAMES)) : said.class_names;
  return { said, names };
}

/** The network's answer as probabilities, at the decision's temperature. */
function read(answer, said) {
  if (said.answer === 'probabilities') return answer;
  const temperature = said.decision?.temperature ?? 1;
  const largest = Math.max(...answer);
  const powers = answer.map((logit) => Math.exp((logit - largest) / temperature));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** What the decision says, as `--job=predict` does: none of the classes, or flagged. */
function remarksOn(probabilities, { decision, class_names: names }) {
  const remarks = [];
  if (!decision) return remarks;
  if (Math.max(...probabilities) < decision.accept) {
    remarks.push(`None of these: no class has ${percent(decision.accept)}.`);
  }
  if (decision.threshold !== null) {
    const probability = probabilities[names.indexOf(decision.positive)];
    if (probability >= decision.threshold) {
      const from = percent(decision.threshold);
      remarks.push(`Flagged as ${decision.positive}: it has ${from} or more.`);
    }
  }
  return remarks;
}

export function percent(share) {
  return `${(100 * share).toFixed(1)}\u00a0%`; // never on two lines
}

export function firstLine(error) {
  return String(error?.message ?? error).split('\n')[0];
}
