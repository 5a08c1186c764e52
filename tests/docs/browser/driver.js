/** Does what cases.json asks for and sends what comes out to the test's server. */

import { readPhoto } from '/browser/photo.js';
import { prepare } from '/browser/preprocess.js';

const send = (name, body) => fetch(`/answers/${name}`, { method: 'POST', body });
const blobOf = async (place) => await (await fetch(place)).blob();

/** A photo's file to its pixels, RGBA. */
async function decoded({ name, photo }) {
  const { pixels } = await readPhoto(await blobOf(photo));
  await send(name, pixels.data);
}

/** Pixels, RGBA, to the network's input. */
async function prepared({ name, pixels, width, height, contract, side }) {
  const data = new Uint8ClampedArray(await (await blobOf(pixels)).arrayBuffer());
  await send(name, prepare({ data, width, height }, contract, side));
}

/** The page with an address, and what it says after each of some steps. */
async function shown({ page = '/browser/index.html', query, steps }) {
  const frame = document.createElement('iframe');
  frame.src = page + query;
  document.body.replaceChildren(frame);
  await new Promise((done) => frame.addEventListener('load', done));
  for (const { name, picked = {}, dropped = [] } of steps) {
    for (const [id, place] of Object.entries(picked)) {
      await pick(frame.contentWindow, id, place);
    }
    if (dropped.length) await drop(frame.contentWindow, dropped);
    await settled(frame.contentDocument);
    await send(name, JSON.stringify(saidBy(frame.contentDocument)));
  }
}

async function pick(page, id, place) {
  const input = page.document.getElementById(id);
  input.files = (await transfer(page, [place])).files;
  input.dispatchEvent(new page.Event('change'));
}

async function drop(page, places) {
  const dataTransfer = await transfer(page, places);
  const event = new page.DragEvent('drop', { dataTransfer, cancelable: true });
  page.document.dispatchEvent(event);
}

async function transfer(page, places) {
  const moved = new page.DataTransfer();
  for (const place of places) {
    const blob = await blobOf(place);
    moved.items.add(new page.File([blob], place.split('/').at(-1), { type: blob.type }));
  }
  return moved;
}

/** Waits until the page has had nothing to do for a moment. */
async function settled(page) {
  const busy = () => page.getElementById('page').getAttribute('aria-busy') === 'true';
  for (let idle = 0; idle < 3; idle = busy() ? 0 : idle + 1) {
    await new Promise((done) => setTimeout(done, 10));
  }
}

function saidBy(page) {
  const lines = (id) => [...page.getElementById(id).children].map((p) => p.textContent);
  return {
    answers: [...page.querySelectorAll('#answers li')].map((row) => [
      row.querySelector('span').textContent,
      Number(row.querySelector('data').value),
      row.querySelector('data').textContent,
    ]),
    errors: lines('errors'),
    remarks: lines('remarks'),
    status: page.getElementById('status').textContent,
    facts: page.getElementById('facts').textContent,
    alt: page.getElementById('shown').alt,
  };
}

try {
  const cases = await (await fetch('/cases.json')).json();
  for (const [does, kind] of [[decoded, 'decoded'], [prepared, 'prepared'], [shown, 'shown']]) {
    for (const one of cases[kind]) await does(one);
  }
  await send('done', '');
} catch (error) {
  await send('failed', String(error.stack));
}
