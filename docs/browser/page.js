/**
 * What happens on the page: files come in, answers or one line of error come out.
 *
 * A network and a photo are picked, dropped, or named in the page's address:
 * `?model=finetune-int8.onnx&photo=rose.jpg`.
 */

import { firstLine, open, percent, Refused } from './classifier.js';
import { readPhoto } from './photo.js';

const RUNTIME = 'onnxruntime-web'; // the import map in index.html says where it is
const at = (id) => document.getElementById(id);

const errors = { network: '', photo: '', answer: '' }; // a line each, or nothing

let runtime = null;
let classifier = null;
let photo = null; // {name, pixels, transparent}
let last = Promise.resolve();

/** Does one thing after another, so that a slow file never overtakes a later one. */
function next(kind, doing, step) {
  last = last.then(async () => {
    at('page').setAttribute('aria-busy', 'true');
    at('status').textContent = doing;
    at('answers').replaceChildren();
    at('remarks').replaceChildren();
    await told(kind, step);
    at('status').textContent = missing();
    await told('answer', classify);
    at('errors').replaceChildren(...Object.values(errors).filter(Boolean).map(paragraph));
    at('page').setAttribute('aria-busy', 'false');
  });
}

/** Does a step; what goes wrong is kept until the same kind of step goes right. */
async function told(kind, step) {
  errors[kind] = '';
  try {
    await step();
  } catch (error) {
    errors[kind] = firstLine(error);
    if (!(error instanceof Refused)) console.error(error);
  }
}

function missing() {
  if (classifier) return photo ? '' : 'Choose a photo.';
  return photo ? 'Choose a network.' : 'Choose a network and a photo.';
}

function takeNetwork(name, read) {
  next('network', `Loading ${name} …`, async () => {
    await classifier?.release();
    classifier = null;
    at('facts').textContent = '';
    const [blob, ort] = await Promise.all([read(), load()]);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    classifier = await open(ort, bytes, name);
    at('facts').textContent = facts(name, bytes.length, classifier.said);
  });
}

function takePhoto(name, read) {
  next('photo', `Reading ${name} …`, async () => {
    photo = null;
    URL.revokeObjectURL(at('shown').src);
    at('shown').removeAttribute('src');
    const blob = await read();
    try {
      photo = { name, ...(await readPhoto(blob)) };
    } catch (error) {
      console.error(error);
      throw new Refused(`${name} cannot be read here: save it as JPEG or PNG`);
    }
    at('shown').src = URL.createObjectURL(blob);
    at('shown').alt = name;
  });
}

/** The runtime, loaded once. */
async function load() {
  if (!runtime) {
    try {
      runtime = await import(RUNTIME);
    } catch {
      const place = import.meta.resolve(RUNTIME);
      throw new Refused(`${RUNTIME} cannot be loaded from ${place}: see index.html`);
    }
    runtime.env.logLevel = 'error';
  }
  return runtime;
}

async function classify() {
  if (!classifier || !photo) return;
  const found = await classifier.classify(photo.pixels);
  at('answers').replaceChildren(...found.answers.map(row));
  at('remarks').replaceChildren(...[...found.remarks, ...notes()].map(paragraph));
  const [{ name, probability }] = found.answers;
  const times = [found.preparing, found.computing].map((time) => `${time.toFixed(0)} ms`);
  at('status').textContent =
    `${photo.name}: ${name}, ${percent(probability)}. ` +
    `Prepared in ${times[0]}, computed in ${times[1]}.`;
}

function notes() {
  if (!photo.transparent) return [];
  return ['What is transparent in this photo counts as black.'];
}

function paragraph(text) {
  return Object.assign(document.createElement('p'), { textContent: text });
}

function row({ name, probability }) {
  const item = document.createElement('li');
  const label = Object.assign(document.createElement('span'), { textContent: name });
  const value = document.createElement('data');
  value.value = probability; // all digits, for whoever reads the page by a program
  value.textContent = percent(probability);
  const bar = Object.assign(document.createElement('div'), { className: 'bar' });
  bar.style.setProperty('--share', probability);
  item.append(label, value, bar);
  return item;
}

function facts(name, size, said) {
  const { resolution, contract, decision } = said;
  const how = {
    short_side: `central square, ${resolution} px`,
    squash: `squashed to ${resolution} px`,
  }[contract.resize];
  const temperature = decision ? `, temperature ${decision.temperature.toPrecision(3)}` : '';
  return (
    `${name}: ${said.model.name}, ${said.class_names.length} classes, ` +
    `${(size / 1e6).toFixed(1)} MB; ${how}, ${contract.interpolation}${temperature}.`
  );
}

function takeFiles(files) {
  for (const file of files) {
    const take = file.type.startsWith('image/') ? takePhoto : takeNetwork;
    take(file.name, async () => file);
  }
}

function takeAddress(take, address) {
  if (!address) return;
  const name = address.split('/').at(-1);
  take(name, async () => {
    try {
      const response = await fetch(address);
      if (!response.ok) throw new Error(`the server answers ${response.status}`);
      return await response.blob();
    } catch (error) {
      throw new Refused(`${address} cannot be fetched: ${firstLine(error)}`);
    }
  });
}

for (const [id, take] of [['model', takeNetwork], ['photo', takePhoto]]) {
  at(id).addEventListener('change', ({ target }) => {
    const [file] = target.files;
    if (file) take(file.name, async () => file);
  });
}
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  takeFiles(event.dataTransfer.files);
});
at('status').textContent = missing();
const asked = new URLSearchParams(location.search);
takeAddress(takeNetwork, asked.get('model'));
takeAddress(takePhoto, asked.get('photo'));
