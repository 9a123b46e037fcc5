/** What the network sees, and what its layers make of it: the steps to 28×28, and the feature maps. */

import { $, element } from "./words.js";

const GAP = 3; // pixels of the screen between two maps

/**
 * @typedef {{title: string, picture: string}} Step its picture is a data: URL
 * @typedef {{layer: string, height: number, width: number, channels: number, picture: string}} Layer
 *   its picture is a grey sheet of the maps, row after row
 */

/** @type {WeakMap<Element, object>} the newest that was asked to be shown in each list */
const newest = new WeakMap();

/**
 * Show figures in a list, all of them at once when all pictures are decoded. Nothing flickers: figures stay.
 * @template {{picture: string}} T
 * @param {Element} list @param {string} tag @param {T[]} figures
 * @param {(canvas: HTMLCanvasElement, picture: HTMLImageElement, figure: T, at: number) => string} draw gives the caption
 */
async function show(list, tag, figures, draw) {
  newest.set(list, figures);
  const pictures = await Promise.all(
    figures.map(async ({ picture }) => {
      const image = new Image();
      image.src = picture;
      await image.decode();
      return image;
    }),
  );
  if (newest.get(list) !== figures) return; // an answer came in meanwhile
  while (list.children.length > figures.length) list.lastElementChild.remove();
  figures.forEach((figure, at) => {
    const item = list.children[at] ?? list.appendChild(empty(tag));
    const canvas = item.querySelector("canvas");
    const caption = draw(canvas, pictures[at], figure, at);
    item.querySelector(".caption").textContent = caption;
    canvas.setAttribute("aria-label", caption);
  });
}

/** @param {string} tag @returns {HTMLElement} a figure with nothing in it yet */
function empty(tag) {
  const item = element(tag), canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  item.append(canvas, element("p", "", "caption"));
  return item;
}

/** @param {{image?: number[][] | null, steps?: Step[]}} answer */
export async function showSteps({ image, steps = [] }) {
  const last = image ? [{ title: "28×28 squares: all that the network sees", picture: enlarged(image) }] : [];
  const before = image ? steps.slice(0, -1) : steps; // the last step is the image itself: it is shown enlarged
  await show($("steps"), "li", [...before, ...last], (canvas, picture, { title }) => {
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    canvas.getContext("2d").drawImage(picture, 0, 0);
    return title;
  });
}

/** @param {number[][]} rows 0 to 255 @returns {string} a data: URL */
function enlarged(rows) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = rows.length;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(rows.length, rows.length);
  rows.flat().forEach((value, at) => pixels.data.set([value, value, value, 255], 4 * at));
  context.putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}

/** @param {Layer[]} layers */
export async function showMaps(layers) {
  const list = $("maps");
  const colours = scale(list);
  await show(list, "figure", layers, (canvas, picture, layer, at) => {
    tiles(canvas, coloured(picture, colours), layer);
    const { height, width, channels } = layer;
    const what = height * width > 1 ? `${channels} maps of ${height}×${width}` : `${channels} numbers`;
    return `Layer ${at + 1}: ${what}`;
  });
}

/** @param {Element} list @returns {number[][]} 256 colours from cold over warm to hot, as the theme has them */
function scale(list) {
  const style = getComputedStyle(list);
  const hex = (/** @type {string} */ name) => style.getPropertyValue(name).trim().slice(1).match(/../g).map((two) => parseInt(two, 16));
  const [cold, warm, hot] = [hex("--cold"), hex("--warm"), hex("--hot")];
  const between = (/** @type {number[]} */ a, /** @type {number[]} */ b, /** @type {number} */ share) => a.map((from, at) => from + (b[at] - from) * share);
  return Array.from({ length: 256 }, (_, value) => (value < 160 ? between(cold, warm, value / 160) : between(warm, hot, (value - 160) / 95)));
}

/** @param {HTMLImageElement} picture grey @param {number[][]} colours @returns {HTMLCanvasElement} */
function coloured(picture, colours) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set(colours[pixels.data[at]], at);
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Lay the maps out in rows. @param {HTMLCanvasElement} canvas @param {HTMLCanvasElement} sheet @param {Layer} layer */
function tiles(canvas, sheet, { height, width, channels }) {
  let columns = Math.ceil(Math.sqrt(1.5 * channels));
  while (channels % columns) columns++; // full rows
  const gap = GAP * devicePixelRatio;
  const wide = Math.floor((canvas.clientWidth * devicePixelRatio + gap) / columns - gap);
  const high = Math.round((wide * height) / width);
  canvas.width = columns * (wide + gap) - gap;
  canvas.height = (channels / columns) * (high + gap) - gap;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const across = sheet.width / width;
  const place = (/** @type {number} */ at, /** @type {number} */ columns, /** @type {number} */ x, /** @type {number} */ y) =>
    /** @type {[number, number]} */ ([(at % columns) * x, Math.floor(at / columns) * y]);
  for (let at = 0; at < channels; at++) {
    const from = place(at, across, width, height), to = place(at, columns, wide + gap, high + gap);
    context.drawImage(sheet, ...from, width, height, ...to, wide, high);
  }
}
