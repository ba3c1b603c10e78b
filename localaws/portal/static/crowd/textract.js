// crowd-textract-analyze-document: keys and values that were read from a document, to be corrected.

import { Field, make } from './base.js';
import { instructions } from './instructions.js';
import { parseList } from './lenient.js';

const isKey = (block) => block.blockType === 'KEY_VALUE_SET' && block.entityTypes?.includes('KEY');
const related = (block, type) => (block.relationships ?? []).filter((one) => one.type === type).flatMap((one) => one.ids ?? []);

export class CrowdTextract extends Field {
  get answerName() {
    return 'AWS/Textract/AnalyzeDocument/Forms/V1';
  }

  render() {
    this.blocks = parseList(this.text('initial-value')).filter((block) => typeof block === 'object');
    this.pairs = this.blocks.filter(isKey).map((key) => this.pair(key));
    this.extra = this.missing().map((key) => this.pair({ blockType: 'KEY_VALUE_SET', entityTypes: ['KEY'], id: `added-${key}`, text: key, relationships: [] }));
    const picture = make('img', { src: this.text('src'), alt: 'The document to review' });
    const rows = [...this.pairs, ...this.extra].map((pair) => pair.row);
    const aside = instructions(this);
    const main = make('div', {}, make('h2', {}, this.text('header', 'Review the document')), make('div', { class: 'target picture' }, picture),
      rows.length ? make('div', {}, ...rows) : make('p', { class: 'hint' }, 'No keys and values were found in the document.'));
    this.show(make('div', { class: aside ? 'layout with-aside' : 'layout' }, main, aside));
    this.shadowRoot.addEventListener('change', () => this.changed());
  }

  // Keys that the author holds for important and that no block has.
  missing() {
    const read = new Set(this.blocks.filter(isKey).map((block) => block.text));
    return parseList(this.text('keys')).map((key) => (typeof key === 'object' ? key.importantFormKey : String(key))).filter((key) => key && !read.has(key));
  }

  pair(key) {
    const value = this.blocks.find((block) => related(key, 'VALUE').includes(block.id));
    const input = make('input', { type: 'text', value: value?.text ?? '' });
    const wrong = make('input', { type: 'checkbox' });
    const row = make('div', { class: 'field' }, make('label', {}, make('span', { class: 'hint' }, key.text ?? 'Key'), input),
      make('label', { class: 'row' }, wrong, 'Not a key and its value'));
    return { key, value, input, wrong, row };
  }

  answer() {
    const kept = this.pairs.filter((pair) => !pair.wrong.checked);
    const added = this.extra.filter((pair) => !pair.wrong.checked && pair.input.value !== '');
    const blocks = kept.flatMap(({ key, value, input }) => (value ? [key, { ...value, text: input.value }] : [key]));
    for (const { key, input } of added) {
      const id = `${key.id}-value`;
      blocks.push({ ...key, relationships: [{ type: 'VALUE', ids: [id] }] });
      blocks.push({ blockType: 'KEY_VALUE_SET', entityTypes: ['VALUE'], id, text: input.value });
    }
    return { blocks };
  }

  draft() {
    return [...this.pairs, ...this.extra].map((pair) => ({ id: pair.key.id, text: pair.input.value, wrong: pair.wrong.checked }));
  }

  restore(value) {
    for (const saved of Array.isArray(value) ? value : []) {
      const pair = [...this.pairs, ...this.extra].find((one) => one.key.id === saved.id);
      if (pair) [pair.input.value, pair.wrong.checked] = [saved.text, saved.wrong];
    }
  }
}
