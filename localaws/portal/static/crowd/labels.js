// The labels of an annotation: a row of radio buttons, each with its colour.

import { make } from './base.js';

// Light enough that dark text on them is read easily.
export const PALETTE = ['#8ecae6', '#f9c784', '#a7d7a0', '#e7a6c4', '#c9b6f2', '#f4e285', '#9fdcd3', '#f2a38f', '#c3c9d1'];

let palettes = 0;

const nameOf = (label) => (typeof label === 'object' ? String(label.label) : String(label));
const titleOf = (label) => (typeof label === 'object' ? String(label.fullDisplayName ?? label.longDisplayName ?? label.label) : String(label));

export function palette(given) {
  palettes += 1;
  const names = given.map(nameOf);
  const titles = Object.fromEntries(given.map((label) => [nameOf(label), titleOf(label)]));
  const colour = (label) => PALETTE[Math.max(0, names.indexOf(label)) % PALETTE.length];
  const inputs = names.map((name, index) => make('input', {
    type: 'radio', name: `label-${palettes}`, value: name, checked: index === 0,
  }));
  const rows = inputs.map((input, index) => {
    const swatch = make('span', { class: 'swatch' });
    swatch.style.background = colour(input.value);
    swatch.style.flex = 'none';
    const key = index < 9 ? make('kbd', { 'aria-hidden': 'true' }, String(index + 1)) : null;
    return make('label', { class: 'choice' }, input, swatch, make('span', {}, titles[input.value]), key);
  });
  return {
    element: make('fieldset', {}, make('legend', { class: 'hint' }, 'Label'), make('div', { class: 'tools' }, ...rows)),
    names,
    colour,
    title: (label) => titles[label] ?? label,
    get value() {
      return inputs.find((input) => input.checked)?.value;
    },
    choose(number) {
      if (!inputs[number - 1]) return false;
      inputs[number - 1].click();
      return true;
    },
  };
}
