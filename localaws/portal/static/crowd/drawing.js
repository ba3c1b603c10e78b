// Shapes on a picture: the elements that ask for boxes, points, lines and polygons.
//
// All are lists of corners. A corner is placed by a click or, with the picture focused, by Space at a cross that the
// arrow keys move (Shift: ten pixels), so that no mouse is needed.

import { Field, make } from './base.js';
import { instructions } from './instructions.js';
import { palette } from './labels.js';
import { parse, parseList } from './lenient.js';

const SVG = 'http://www.w3.org/2000/svg';

function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

const HELP = 'Picture. Arrow keys move the cross, Shift moves it faster, Space places a point, F finishes a shape, Backspace takes the last one back.';

// corners: how many a shape has, Infinity where the worker finishes it; key: the name of the list in the answer.
export class Annotator extends Field {
  get corners() {
    return 2;
  }

  get least() {
    return this.corners === Infinity ? 2 : this.corners;
  }

  get closed() {
    return false;
  }

  render() {
    this.shapes = [];
    this.open = [];
    this.cross = { x: 0, y: 0 };
    this.size = null;
    this.tools = make('div', {});
    this.canvas = svg('svg', { class: 'canvas', tabindex: '0', role: 'application', 'aria-label': HELP });
    this.list = make('ul', { class: 'shapes', 'aria-label': 'What you have drawn' });
    this.message = make('p', { class: 'error', role: 'alert' });
    this.finishButton = make('button', { type: 'button', onclick: () => this.finish() }, 'Finish shape');
    const undo = make('button', { type: 'button', onclick: () => this.undo() }, 'Undo');
    const aside = instructions(this);
    const main = make('div', {}, make('h2', {}, this.text('header', 'Mark the picture')), this.tools, this.canvas,
      make('div', { class: 'row' }, this.corners === Infinity ? this.finishButton : null, undo), this.message, this.list, make('slot'));
    this.show(make('div', { class: aside ? 'layout with-aside' : 'layout' }, main, aside));
    this.labels = parseList(this.text('labels'));
    this.listen();
    this.load();
  }

  get labels() {
    return this.given ?? [];
  }

  set labels(list) {
    this.given = list;
    this.palette = palette(list);
    this.tools.replaceChildren(...(list.length ? [this.palette.element] : []));
  }

  load() {
    const picture = new Image();
    picture.addEventListener('load', () => {
      this.size = { width: picture.naturalWidth, height: picture.naturalHeight };
      this.cross = { x: Math.round(this.size.width / 2), y: Math.round(this.size.height / 2) };
      this.canvas.setAttribute('viewBox', `0 0 ${this.size.width} ${this.size.height}`);
      const initial = this.text('initial-value');
      if (initial) this.restore({ [this.key]: parse(initial) });
      if (this.pending) this.restore(this.pending);
      this.draw();
    });
    picture.addEventListener('error', () => {
      this.message.textContent = 'The picture could not be loaded, so it cannot be annotated: release or decline the task.';
    });
    picture.src = this.text('src');
  }

  listen() {
    this.canvas.addEventListener('pointerdown', (event) => this.pressed(event));
    this.canvas.addEventListener('pointerup', (event) => this.released(event));
    this.canvas.addEventListener('pointermove', (event) => this.hover(event));
    this.canvas.addEventListener('keydown', (event) => this.pressedKey(event));
  }

  // Pixels of the picture under the pointer.
  place(event) {
    const matrix = this.canvas.getScreenCTM();
    if (!matrix || !this.size) return null;
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    return this.within({ x: Math.round(point.x), y: Math.round(point.y) });
  }

  within({ x, y }) {
    return { x: Math.max(0, Math.min(this.size.width, x)), y: Math.max(0, Math.min(this.size.height, y)) };
  }

  pressed(event) {
    const point = this.place(event);
    if (!point) return;
    this.canvas.focus();
    event.preventDefault();
    this.started = point;
    this.add(point);
  }

  // Dragging is a second corner where two make a shape; a click without movement waits for the next one.
  released(event) {
    const point = this.place(event);
    if (!point || !this.started || this.corners !== 2 || this.open.length !== 1) return;
    if (Math.hypot(point.x - this.started.x, point.y - this.started.y) > 3) this.add(point);
    this.started = null;
  }

  hover(event) {
    const point = this.place(event);
    if (!point) return;
    this.cross = point;
    if (this.open.length) this.draw();
  }

  pressedKey(event) {
    if (!this.size) return;
    const step = event.shiftKey ? 10 : 1;
    const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [0, 0];
    if (dx || dy) this.cross = this.within({ x: this.cross.x + dx, y: this.cross.y + dy });
    else if (event.key === ' ') this.add({ ...this.cross });
    else if (event.key === 'f' || event.key === 'F') this.finish();
    else if (event.key === 'Backspace') this.undo();
    else return;
    event.preventDefault();
    this.draw();
  }

  add(point) {
    this.open.push(point);
    if (this.open.length === this.corners) this.finish();
    this.draw();
  }

  finish() {
    if (this.open.length < this.least) return;
    this.shapes.push({ label: this.palette.value ?? '', vertices: this.open });
    this.open = [];
    this.changed();
    this.draw();
  }

  undo() {
    if (this.open.length) this.open.pop();
    else this.shapes.pop();
    this.changed();
    this.draw();
  }

  draw() {
    if (!this.size) return;
    const { width, height } = this.size;
    const thin = Math.max(width, height) / 300;
    const open = this.open.length ? [this.outline([...this.open, this.cross], '#1c5f8c', thin, false)] : [];
    const { x, y } = this.cross;
    const cross = svg('path', { d: `M${x - 6 * thin} ${y}H${x + 6 * thin}M${x} ${y - 6 * thin}V${y + 6 * thin}`, stroke: '#d1182b', 'stroke-width': thin / 2 });
    this.canvas.replaceChildren(
      svg('image', { href: this.text('src'), width, height }),
      ...this.shapes.map((shape) => this.outline(shape.vertices, this.palette.colour(shape.label), thin, true)), ...open, cross,
    );
    this.list.replaceChildren(...this.shapes.map((shape, index) => this.row(shape, index)));
  }

  outline(vertices, colour, thin, done) {
    const stroke = { stroke: colour, 'stroke-width': thin, fill: done && this.closed ? colour : 'none', 'fill-opacity': 0.35 };
    if (vertices.length === 1) return svg('circle', { cx: vertices[0].x, cy: vertices[0].y, r: thin * 2, ...stroke, fill: colour, 'fill-opacity': 1 });
    return svg(this.closed ? 'polygon' : 'polyline', { points: vertices.map(({ x, y }) => `${x},${y}`).join(' '), ...stroke });
  }

  row(shape, index) {
    const name = `${this.palette.title(shape.label) || 'Shape'} ${index + 1}`;
    return make('li', {}, make('span', { class: 'name' }, name), make('button', {
      type: 'button', 'aria-label': `Remove ${name}`, onclick: () => this.drop(index),
    }, 'Remove'));
  }

  drop(index) {
    this.shapes.splice(index, 1);
    this.changed();
    this.draw();
  }

  chooseNth(number) {
    return this.palette.choose(number);
  }

  get value() {
    return this.answer() ?? {};
  }

  answer() {
    if (!this.size) return undefined;
    return { inputImageProperties: { height: this.size.height, width: this.size.width }, [this.key]: this.shapes.map((shape) => this.told(shape)) };
  }

  restore(value) {
    if (!this.size) {
      this.pending = value;
      return;
    }
    this.pending = null;
    this.shapes = (value?.[this.key] ?? []).map((item) => this.heard(item)).filter((shape) => shape.vertices.length >= this.least);
    this.draw();
  }

  told({ label, vertices }) {
    return { label, vertices };
  }

  heard({ label, vertices }) {
    return { label: label ?? '', vertices: vertices ?? [] };
  }

  problem() {
    return this.size ? '' : 'The picture could not be loaded, so there is nothing to submit.';
  }

  focusFirst() {
    this.canvas.focus();
  }
}
