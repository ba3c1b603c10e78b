// crowd-input and crowd-text-area: one line and several lines of text.

import { Field, make } from './base.js';

const KINDS = new Set(['text', 'email', 'number', 'password', 'search', 'tel', 'url', 'date', 'time', 'datetime-local']);

class Text extends Field {
  render() {
    this.control = this.makeControl();
    this.control.value = this.text('value');
    this.hint = make('p', { class: 'hint' });
    this.message = make('p', { class: 'error', role: 'alert' });
    const label = this.text('label', this.text('placeholder', this.name || 'Your answer'));
    this.show(make('label', { class: 'field' }, make('span', { class: 'name' }, label), this.control), this.hint, this.message);
    this.control.addEventListener('input', () => this.typed());
    this.typed();
    if (this.flag('auto-focus')) this.control.focus();
  }

  settings() {
    return {
      placeholder: this.text('placeholder'),
      required: this.flag('required'),
      disabled: this.flag('disabled'),
      maxLength: this.number('max-length', this.number('maxlength', undefined)),
      minLength: this.number('min-length', this.number('minlength', undefined)),
      'aria-required': this.flag('required') ? 'true' : undefined,
    };
  }

  typed() {
    this.message.textContent = this.flag('auto-validate') ? this.fault() : '';
    if (this.flag('char-counter')) this.hint.textContent = `${this.control.value.length} characters`;
    this.changed();
  }

  get value() {
    return this.shadowRoot ? this.control.value : this.text('value');
  }

  set value(text) {
    if (!this.shadowRoot) this.setAttribute('value', text ?? '');
    else {
      this.control.value = text ?? '';
      this.typed();
    }
  }

  // An empty input is absent from the answer, as on AWS.
  answer() {
    return this.control.value === '' || this.flag('disabled') ? undefined : this.control.value;
  }

  restore(value) {
    this.value = typeof value === 'string' ? value : '';
  }

  fault() {
    const text = this.control.value;
    if (text === '') return this.flag('required') ? this.text('error-message', 'Fill in this field.') : '';
    const shortest = this.number('min-length', this.number('minlength', 0));
    if (text.length < shortest) return this.text('error-message', `Write at least ${shortest} characters.`);
    if (!this.allowed(text)) return this.text('error-message', 'This does not have the form that is asked for.');
    return this.control.checkValidity() ? '' : this.control.validationMessage;
  }

  // A pattern of the template's author that is no regular expression allows everything: the worker cannot mend it.
  allowed(text) {
    const pattern = this.text('allowed-pattern');
    if (!pattern) return true;
    try {
      return new RegExp(`^(?:${pattern})*$`).test(text);
    } catch (error) {
      if (error instanceof SyntaxError) console.warn(`allowed-pattern of ${this.name}: ${error.message}`);
      return true;
    }
  }

  problem() {
    const found = this.flag('disabled') ? '' : this.fault();
    this.message.textContent = found;
    this.control.setAttribute('aria-invalid', String(found !== ''));
    return found;
  }
}

export class CrowdInput extends Text {
  makeControl() {
    const type = this.text('type', 'text');
    return make('input', { type: KINDS.has(type) ? type : 'text', ...this.settings() });
  }
}

export class CrowdTextArea extends Text {
  makeControl() {
    const area = make('textarea', { rows: this.number('rows', 3), ...this.settings() });
    const most = this.number('max-rows', 0);
    if (most) area.style.maxHeight = `${most * 1.5 + 1.5}em`;
    return area;
  }
}
