// crowd-entity-annotation: labels on stretches of a text, word by word, by pointer or by keyboard.

import { Field, make } from './base.js';
import { instructions } from './instructions.js';
import { palette } from './labels.js';
import { parse, parseList } from './lenient.js';

export class CrowdEntityAnnotation extends Field {
  render() {
    this.entities = [];
    this.source = this.text('text');
    this.palette = palette(parseList(this.text('labels')));
    this.words = [...this.source.matchAll(/[\p{L}\p{N}\p{M}_'’-]+|[^\s\p{L}\p{N}\p{M}]/gu)]
      .map((found) => ({ start: found.index, end: found.index + found[0].length }));
    this.at = 0;
    this.anchor = null;
    this.body = make('div', { class: 'words', role: 'group', 'aria-label': 'Text. Arrow keys move, Shift extends, Enter labels.' });
    this.list = make('ul', { class: 'shapes', 'aria-label': 'Labelled text' });
    this.body.addEventListener('keydown', (event) => this.key(event));
    this.body.addEventListener('pointerdown', (event) => this.down(event));
    this.body.addEventListener('pointerover', (event) => this.over(event));
    this.body.addEventListener('pointerup', () => this.up());
    const aside = instructions(this);
    const main = make('div', {}, make('h2', {}, this.text('header', 'Label the text')), this.palette.element,
      make('div', { class: 'target' }, this.body), this.list, make('slot'));
    this.show(make('div', { class: aside ? 'layout with-aside' : 'layout' }, main, aside));
    this.draw();
    const initial = this.text('initial-value');
    if (initial) this.restore({ entities: parse(initial).entities ?? parse(initial) });
  }

  chooseNth(number) {
    return this.palette.choose(number);
  }

  answer() {
    return { entities: this.entities.map(({ startOffset, endOffset, label }) => ({ endOffset, label, startOffset })) };
  }

  restore(value) {
    this.entities = (value?.entities ?? []).filter((entity) => entity.endOffset <= this.source.length);
    this.draw();
  }

  get value() {
    return this.answer();
  }

  draw() {
    const focused = this.shadowRoot.activeElement?.classList.contains('word');
    let position = 0;
    const nodes = [];
    this.words.forEach((word, index) => {
      nodes.push(this.source.slice(position, word.start), this.word(word, index));
      position = word.end;
    });
    this.body.replaceChildren(...nodes, this.source.slice(position));
    this.list.replaceChildren(...this.entities.map((entity, index) => this.row(entity, index)));
    if (focused) this.spans[this.at]?.focus();
  }

  get spans() {
    return [...this.body.querySelectorAll('.word')];
  }

  word({ start, end }, index) {
    const entity = this.entities.find((one) => one.startOffset < end && one.endOffset > start);
    const span = make('span', {
      class: 'word', role: 'button', tabindex: index === this.at ? '0' : '-1', 'data-index': String(index),
    }, this.source.slice(start, end));
    span.tabIndex = index === this.at ? 0 : -1;
    span.setAttribute('aria-pressed', String(Boolean(entity)));
    if (entity) {
      span.classList.add('marked');
      span.style.background = this.palette.colour(entity.label);
    }
    return span;
  }

  row(entity, index) {
    const text = this.source.slice(entity.startOffset, entity.endOffset);
    const swatch = make('span', { class: 'swatch' });
    swatch.style.background = this.palette.colour(entity.label);
    return make('li', {}, swatch, make('span', { class: 'name' }, `${this.palette.title(entity.label)}: ${text}`), make('button', {
      type: 'button', 'aria-label': `Remove the label of ${text}`, onclick: () => this.remove(index),
    }, 'Remove'));
  }

  remove(index) {
    this.entities.splice(index, 1);
    this.draw();
    this.changed();
  }

  // Label the words from one to another; what was labelled there before gives way.
  mark(from, to) {
    const label = this.palette.value;
    if (!label) return;
    const startOffset = this.words[Math.min(from, to)].start;
    const endOffset = this.words[Math.max(from, to)].end;
    this.entities = this.entities.filter((one) => one.endOffset <= startOffset || one.startOffset >= endOffset);
    this.entities.push({ startOffset, endOffset, label });
    this.entities.sort((one, other) => one.startOffset - other.startOffset);
    this.draw();
    this.changed();
  }

  pick(to) {
    const [first, last] = [Math.min(this.anchor ?? to, to), Math.max(this.anchor ?? to, to)];
    this.spans.forEach((span, index) => {
      span.classList.toggle('picked', index >= first && index <= last);
      span.tabIndex = index === to ? 0 : -1;
    });
    this.at = to;
  }

  indexOf(event) {
    const word = event.target.closest?.('.word');
    return word ? Number(word.dataset.index) : null;
  }

  down(event) {
    const index = this.indexOf(event);
    if (index === null) return;
    event.target.releasePointerCapture?.(event.pointerId);
    this.dragging = true;
    this.anchor = index;
    this.pick(index);
  }

  over(event) {
    const index = this.indexOf(event);
    if (this.dragging && index !== null) this.pick(index);
  }

  up() {
    if (!this.dragging) return;
    this.dragging = false;
    const from = this.anchor;
    this.anchor = null;
    this.mark(from, this.at);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    if (step) {
      const to = Math.max(0, Math.min(this.words.length - 1, this.at + step));
      this.anchor = event.shiftKey ? this.anchor ?? this.at : null;
      this.pick(to);
      this.spans[to]?.focus();
    } else if (event.key === 'Enter' || event.key === ' ') {
      const from = this.anchor ?? this.at;
      this.anchor = null;
      this.mark(from, this.at);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

