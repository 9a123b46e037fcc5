/**
 * The pad: strokes by mouse, pen, finger and keyboard, on a square sheet of SIDE units; undo, redo, clear.
 *
 * @typedef {{x: number, y: number, width: number}} Point in units of the sheet
 * @typedef {Point[]} Stroke
 * @typedef {{strokes: Stroke[], picture: ImageBitmap | null, file: Blob | null}} Drawing never changed, only replaced
 */

const SIDE = 280; // units of the sheet, and pixels of the picture that is sent
const STEP = 14, SMALL_STEP = 3; // of the keyboard's pen
/** @type {Drawing} */
const EMPTY = { strokes: [], picture: null, file: null };

export class Pad extends EventTarget {
  /** @type {Drawing[]} */ #past = [];
  /** @type {Drawing[]} */ #future = [];
  #drawing = EMPTY;
  /** @type {Stroke | null} */ #stroke = null;
  /** @type {number | null} */ #pointer = null;
  /** @type {Point | null} where the keyboard's pen is; null while it is not in use */ #pen = null;
  #canvas;
  /** Width of a stroke in units of the sheet. */ thickness = 18;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    super();
    this.#canvas = canvas;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#up(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#lift(true));
    document.addEventListener("themechange", () => this.#paint());
    new ResizeObserver(() => this.#paint()).observe(canvas);
  }

  get empty() {
    return this.#drawing.strokes.length === 0 && this.#drawing.picture === null && this.#drawing.file === null && !this.#stroke;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** Whether the keyboard's pen draws as it moves. */
  get penDown() {
    return this.#pen !== null && this.#stroke !== null;
  }

  undo() {
    this.#swap(this.#past, this.#future);
  }

  redo() {
    this.#swap(this.#future, this.#past);
  }

  clear() {
    this.#lift();
    if (!this.empty) this.#replace(EMPTY);
  }

  /** Show a picture in place of the drawing. @param {Blob} file @param {ImageBitmap | null} picture null: no preview */
  show(file, picture) {
    this.#lift();
    this.#replace({ strokes: [], picture, file });
  }

  /** What the pad shows as a file: the one that was opened, or the strokes as a PNG. @returns {Blob} */
  file() {
    if (this.#drawing.file) return this.#drawing.file;
    const bytes = atob(this.png().split(",")[1]); // toBlob would wait for the browser to be idle
    return new Blob([Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))], { type: "image/png" });
  }

  /** The pad as a PNG, black on white. @returns {string} a data: URL */
  png() {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SIDE, SIDE);
    this.#draw(context, "#000");
    return canvas.toDataURL("image/png");
  }

  #changed() {
    this.#paint();
    this.dispatchEvent(new Event("change"));
  }

  /** @param {Drawing} drawing */
  #replace(drawing) {
    this.#past.push(this.#drawing);
    this.#future = [];
    this.#drawing = drawing;
    this.#changed();
  }

  /** @param {Drawing[]} from @param {Drawing[]} to */
  #swap(from, to) {
    this.#lift();
    const drawing = from.pop();
    if (!drawing) return;
    to.push(this.#drawing);
    this.#drawing = drawing;
    this.#changed();
  }

  /** End the stroke under way and keep it; with `leave` the keyboard's pen goes away too. */
  #lift(leave = false) {
    const stroke = this.#stroke;
    this.#stroke = this.#pointer = null;
    if (leave) this.#pen = null;
    if (stroke) this.#replace({ ...EMPTY, strokes: [...this.#drawing.strokes, stroke] });
    else this.#paint();
  }

  /** @param {Point} point */
  #begin(point) {
    // A stroke on an opened picture begins a new drawing; undo brings the picture back.
    if (this.#drawing.file) this.#replace(EMPTY);
    this.#stroke = [point];
    this.#changed();
  }

  /** @param {PointerEvent} event @returns {Point} */
  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    const pressed = event.pointerType === "pen" && event.pressure > 0; // a pen without pressure says 0.5
    return {
      x: ((event.clientX - box.left) / box.width) * SIDE,
      y: ((event.clientY - box.top) / box.height) * SIDE,
      width: this.thickness * (pressed ? 0.5 + event.pressure : 1),
    };
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (this.#pointer !== null || event.button !== 0) return; // a second finger, another button
    this.#lift(true);
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.#begin(this.#point(event));
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) this.#stroke.push(this.#point(each));
    this.#changed();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (event.pointerId === this.#pointer) this.#lift();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ways || event.key === " ") {
      event.preventDefault(); // the page does not scroll
      this.#pen ??= { x: SIDE / 2, y: SIDE / 4, width: this.thickness };
      if (event.key === " ") {
        if (this.#stroke) this.#lift();
        else this.#begin({ ...this.#pen, width: this.thickness });
        this.dispatchEvent(new Event("pen"));
        return;
      }
      const step = event.shiftKey ? SMALL_STEP : STEP;
      const [right, down] = ways[event.key].map((way) => way * step);
      const inside = (/** @type {number} */ at) => Math.min(SIDE, Math.max(0, at));
      this.#pen = { x: inside(this.#pen.x + right), y: inside(this.#pen.y + down), width: this.thickness };
      if (this.#stroke) {
        this.#stroke.push(this.#pen);
        this.#changed();
      } else this.#paint();
    } else if (event.key === "Delete" || event.key === "Backspace") this.clear();
  }

  #paint() {
    const side = Math.round(this.#canvas.clientWidth * devicePixelRatio);
    if (this.#canvas.width !== side) this.#canvas.width = this.#canvas.height = side;
    const context = this.#canvas.getContext("2d");
    context.setTransform(side / SIDE, 0, 0, side / SIDE, 0, 0);
    context.clearRect(0, 0, SIDE, SIDE);
    const { color, accentColor } = getComputedStyle(this.#canvas);
    this.#draw(context, color);
    if (this.#pen) {
      context.beginPath();
      context.arc(this.#pen.x, this.#pen.y, 9, 0, 2 * Math.PI);
      context.moveTo(this.#pen.x - 14, this.#pen.y);
      context.lineTo(this.#pen.x + 14, this.#pen.y);
      context.moveTo(this.#pen.x, this.#pen.y - 14);
      context.lineTo(this.#pen.x, this.#pen.y + 14);
      context.lineWidth = this.#stroke ? 4 : 2;
      context.strokeStyle = accentColor;
      context.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {string} ink */
  #draw(context, ink) {
    const { picture, strokes } = this.#drawing;
    if (picture) {
      const scale = SIDE / Math.max(picture.width, picture.height);
      const [width, height] = [picture.width * scale, picture.height * scale];
      /** @type {[number, number, number, number]} */
      const place = [(SIDE - width) / 2, (SIDE - height) / 2, width, height];
      context.fillStyle = "#fff"; // what is transparent lies on white, as the service reads it
      context.fillRect(...place);
      context.drawImage(picture, ...place);
    }
    context.strokeStyle = context.fillStyle = ink;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.#stroke ? [...strokes, this.#stroke] : strokes) line(context, stroke);
  }
}

/** Draw a smooth line: curves between the middles of neighbouring points. @param {CanvasRenderingContext2D} context @param {Stroke} stroke */
function line(context, stroke) {
  const middle = (/** @type {Point} */ a, /** @type {Point} */ b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
  const [first] = stroke, last = stroke[stroke.length - 1];
  context.beginPath(); // the dot that a stroke is before it moves
  context.arc(first.x, first.y, first.width / 2, 0, 2 * Math.PI);
  context.fill();
  /** @type {{x: number, y: number}} */ let from = first;
  for (let at = 1; at < stroke.length; at++) {
    const to = stroke[at] === last ? last : middle(stroke[at], stroke[at + 1]);
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.quadraticCurveTo(stroke[at].x, stroke[at].y, to.x, to.y);
    context.lineWidth = stroke[at].width;
    context.stroke();
    from = to;
  }
}
