// crowd-form: gathers the answer of all fields in it, and says what is missing.

import { Field, make } from './base.js';

const CHOICES = new Set(['checkbox', 'radio']);
const IGNORED = new Set(['submit', 'button', 'reset', 'image', 'file']);

// The answer of a native control, as AWS shapes it; undefined where there is nothing to say.
function nativeAnswer(control) {
  if (CHOICES.has(control.type)) return { [control.value]: control.checked };
  if (control.type === 'select-multiple') return [...control.selectedOptions].map((option) => option.value);
  return control.value === '' ? undefined : control.value;
}

function nativeRestore(control, value) {
  if (CHOICES.has(control.type)) control.checked = value?.[control.value] === true;
  else if (control.type === 'select-multiple') {
    for (const option of control.options) option.selected = value?.includes?.(option.value) ?? false;
  } else if (typeof value === 'string') control.value = value;
}

function flatten(value, path = '', into = {}) {
  for (const [key, item] of Object.entries(value)) {
    const name = path ? `${path}.${key}` : key;
    if (item !== null && typeof item === 'object' && !Array.isArray(item)) flatten(item, name, into);
    else into[name] = item;
  }
  return into;
}

export class CrowdForm extends HTMLElement {
  connectedCallback() {
    if (this.form) return;
    this.form = make('form', {});
    this.form.append(...this.childNodes);
    this.note = make('p', { class: 'form-problem', role: 'alert' });
    this.form.append(this.note);
    if (!this.hasSubmit) this.form.append(make('div', { class: 'form-end' }, this.makeSubmit()));
    this.append(this.form);
    this.form.addEventListener('change', () => this.say(''));
  }

  get hasSubmit() {
    return this.form.querySelector('crowd-button[form-action="submit"], button[type="submit"], button:not([type]), input[type="submit"]') !== null;
  }

  makeSubmit() {
    const button = document.createElement('crowd-button');
    button.setAttribute('form-action', 'submit');
    button.setAttribute('variant', 'primary');
    button.textContent = 'Submit';
    return button;
  }

  get fields() {
    return [...this.form.querySelectorAll('*')].filter((element) => element instanceof Field);
  }

  get natives() {
    const controls = [...this.form.querySelectorAll('input, select, textarea')];
    return controls.filter((control) => control.name && !control.disabled && !IGNORED.has(control.type));
  }

  get value() {
    return this.gather((field) => field.answer());
  }

  get draft() {
    return this.gather((field) => field.draft());
  }

  // {name: value} of all fields; boxes of one name share an object.
  gather(read) {
    const found = [
      ...this.fields.filter((field) => field.answerName).map((field) => [field.answerName, read(field)]),
      ...this.natives.map((control) => [control.name, nativeAnswer(control)]),
    ];
    const answer = {};
    for (const [name, value] of found) {
      if (value === undefined) continue;
      const merge = name in answer && typeof value === 'object' && typeof answer[name] === 'object' && !Array.isArray(value);
      answer[name] = merge ? { ...answer[name], ...value } : value;
    }
    return answer;
  }

  get submission() {
    return this.getAttribute('answer-format') === 'flatten-objects' ? flatten(this.value) : this.value;
  }

  restore(draft) {
    for (const field of this.fields) if (field.answerName in draft) field.restore(draft[field.answerName]);
    for (const control of this.natives) if (control.name in draft) nativeRestore(control, draft[control.name]);
  }

  // Whether all may be submitted; else the first fault is shown and its field has the focus.
  check() {
    const faults = this.fields.map((field) => [field, field.problem()]).filter(([, problem]) => problem);
    this.say(faults.length ? faults[0][1] : '');
    if (faults.length) faults[0][0].focusFirst();
    return faults.length === 0;
  }

  say(text) {
    this.note.textContent = text;
  }

  set busy(on) {
    for (const button of this.form.querySelectorAll('crowd-button[form-action="submit"], button[type="submit"]')) button.disabled = on;
  }

  submit() {
    this.form.requestSubmit();
  }
}
