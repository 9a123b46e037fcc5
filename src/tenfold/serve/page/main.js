/** The page: wires the pad, the answer and the panels together. */

import { Asker, makeBars, showAnswer } from "./answer.js";
import { Handwriting } from "./handwriting.js";
import { showMaps, showSteps } from "./maps.js";
import { Pad } from "./pad.js";
import { ask } from "./service.js";
import { $, percent, setKind } from "./words.js";

const pad = new Pad($("pad"));
const asker = new Asker(pad);

// The answer

asker.addEventListener("answer", async (event) => {
  const answer = /** @type {CustomEvent} */ (event).detail;
  showAnswer(answer);
  const gone = answer === null || answer.verdict === "refused";
  if (!gone && !answer.steps) return; // what the network sees comes a moment later
  const { image = null, steps = [], maps = [] } = answer ?? {};
  $("sees").hidden = steps.length === 0 && image === null;
  $("layers").hidden = maps.length === 0;
  if (!$("sees").hidden) await showSteps({ image, steps });
  if (!$("layers").hidden) await showMaps(maps);
});

// The pad and its tools

pad.addEventListener("change", () => {
  $("hint").hidden = !pad.empty;
  $("undo").disabled = !pad.canUndo;
  $("redo").disabled = !pad.canRedo;
  $("clear").disabled = pad.empty;
});
pad.addEventListener("pen", () => ($("spoken").textContent = pad.penDown ? "Pen down." : "Pen up."));
$("undo").addEventListener("click", () => pad.undo());
$("redo").addEventListener("click", () => pad.redo());
$("clear").addEventListener("click", () => pad.clear());

document.addEventListener("themechange", () => asker.again()); // the maps have the theme's colours

const thickness = $("thickness");
const setThickness = () => (pad.thickness = 3 * thickness.valueAsNumber);
thickness.addEventListener("input", setThickness);
setThickness(); // browsers keep it over a reload

$("pad").addEventListener("keydown", (event) => {
  if (event.key === "+") thickness.stepUp(2);
  else if (event.key === "-") thickness.stepDown(2);
  setThickness();
});
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "y" || (key === "z" && event.shiftKey)) pad.redo();
  else if (key === "z") pad.undo();
  else return;
  event.preventDefault();
});

// Pictures that are opened, dropped, pasted

/** @param {DataTransfer | null} data */
const pictureIn = (data) => [...(data?.files ?? [])].find((file) => file.type.startsWith("image/"));

/** @param {File | undefined} file */
async function open(file) {
  if (!file) return;
  const picture = await createImageBitmap(file).catch(() => null); // TIFF: the service reads it, the browser does not
  pad.show(file, picture);
}

const chooser = $("file");
$("choose").addEventListener("click", () => chooser.click());
chooser.addEventListener("change", () => {
  open(chooser.files[0]);
  chooser.value = ""; // the same file can be opened again
});
document.addEventListener("paste", (event) => open(pictureIn(event.clipboardData)));
document.addEventListener("dragover", (event) => {
  event.preventDefault(); // else the browser leaves the page for the picture
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  open(pictureIn(event.dataTransfer));
});

// What the model is

/** @returns {Promise<any>} what the service says of the model that answers now */
async function describe() {
  const model = await ask("model");
  const scores = (model.scores ?? []).map((/** @type {any} */ score) => {
    const [low, high] = score.interval.map((/** @type {number} */ end) => percent(end, 2));
    const asked = `${score.total.toLocaleString("en")} ${score.split} pictures of ${model.dataset}`;
    return `${percent(score.accuracy, 2)} of ${asked} right (95% interval ${low} to ${high})`;
  });
  $("model").textContent = [`The model: ${model.name}, a network ${model.network}`, ...scores].join("; ") + ".";
  return model;
}

const model = await describe();
setKind(model.classes);
makeBars(model.classes);
showAnswer(null);
if (model.handwriting) await new Handwriting(pad, asker, describe).start(model.classes);
else $("own-hint").hidden = false;
