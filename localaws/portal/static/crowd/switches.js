// Checkbox, toggle, radio buttons and slider.

import { CrowdElement, Field, make } from './base.js';

// One input with its label; its answer is {value: whether it is chosen}.
class Switch extends Field {
  get kind() {
    return 'checkbox';
  }

  get value() {
    return this.text('value', 'on');
  }

  get checked() {
    return this.control.checked;
  }

  set checked(on) {
    this.control.checked = on;
    this.toggleAttribute('checked', on);
  }

  render() {
    this.control = make('input', {
      type: this.kind, checked: this.flag('checked'), disabled: this.flag('disabled'), onchange: () => this.chosen(),
    });
    this.decorate();
    this.message = make('p', { class: 'error', role: 'alert' });
    const label = this.textContent.trim() ? make('slot') : this.text('label', this.value);
    this.show(make('label', { class: 'choice' }, this.control, make('span', {}, label)), this.message);
  }

  decorate() {}

  chosen() {
    this.message.textContent = '';
    this.changed();
  }

  answer() {
    return { [this.value]: this.checked };
  }

  restore(value) {
    this.checked = value?.[this.value] === true;
  }

  problem() {
    const missing = this.flag('required') && !this.checked;
    this.message.textContent = missing ? 'Check this to go on.' : '';
    return this.message.textContent;
  }
}

export class CrowdCheckbox extends Switch {}

export class CrowdToggleButton extends Switch {
  decorate() {
    this.control.setAttribute('role', 'switch');
    if (this.flag('invalid')) this.control.setAttribute('aria-invalid', 'true');
  }
}

export class CrowdRadioButton extends Switch {
  get kind() {
    return 'radio';
  }

  // A radio button alone in its shadow root knows no others: the group clears them.
  chosen() {
    for (const other of this.peers) if (other !== this) other.checked = false;
    super.chosen();
  }

  get peers() {
    const group = this.closest('crowd-radio-group');
    return group ? group.buttons : [this];
  }
}

export class CrowdRadioGroup extends CrowdElement {
  render() {
    this.setAttribute('role', 'radiogroup');
    if (!this.hasAttribute('aria-label')) this.setAttribute('aria-label', this.text('label', 'Choose one'));
    this.show(make('div', { class: 'choices' }, make('slot')));
    this.addEventListener('keydown', (event) => this.move(event));
  }

  get buttons() {
    return [...this.querySelectorAll('crowd-radio-button')];
  }

  move(event) {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    const at = this.buttons.indexOf(event.target);
    if (!step || at < 0) return;
    event.preventDefault();
    this.chooseNth(((at + step + this.buttons.length) % this.buttons.length) + 1);
  }

  chooseNth(number) {
    const button = this.buttons[number - 1];
    if (!button || button.control.disabled) return false;
    button.control.focus();
    if (!button.checked) button.control.click();
    return true;
  }
}

export class CrowdSlider extends Field {
  render() {
    const [least, most, step] = [this.number('min', 0), this.number('max', 100), this.number('step', 1)];
    const start = this.number('value', least);
    // A slider always shows some value; whether it is the worker's shows by its having been moved.
    this.moved = this.hasAttribute('value');
    const label = this.text('label', this.name || 'Value');
    const setting = { min: String(least), max: String(most), step: String(step), disabled: this.flag('disabled'), 'aria-label': label };
    this.range = make('input', { type: 'range', ...setting, value: String(start), oninput: () => this.take(this.range.value) });
    this.shown = this.flag('editable')
      ? make('input', { type: 'number', ...setting, 'aria-label': `${label}, as a number`, value: String(start), oninput: () => this.take(this.shown.value) })
      : make('output', {}, this.moved ? String(start) : '–');
    this.range.style.cssText = 'flex: 1; min-width: 8rem; height: 44px; accent-color: var(--accent)';
    if (this.flag('editable')) this.shown.style.width = '6rem';
    this.message = make('p', { class: 'error', role: 'alert' });
    this.show(make('div', { class: 'row' }, make('span', { class: 'hint' }, String(least)), this.range, make('span', { class: 'hint' }, String(most)), this.shown), this.message);
    for (const event of ['pointerup', 'keyup']) this.range.addEventListener(event, () => this.take(this.range.value));
  }

  get value() {
    return Number(this.range.value);
  }

  take(value) {
    this.moved = true;
    this.range.value = value;
    if (this.flag('editable')) this.shown.value = this.range.value;
    else this.shown.textContent = this.range.value;
    this.message.textContent = '';
    this.changed();
  }

  answer() {
    return this.moved ? this.value : undefined;
  }

  restore(value) {
    if (Number.isFinite(Number(value))) this.take(String(value));
  }

  // Tab moves through a slider without meaning it.
  problem() {
    this.message.textContent = this.flag('required') && !this.moved ? 'Move the slider to your answer.' : '';
    return this.message.textContent;
  }
}
