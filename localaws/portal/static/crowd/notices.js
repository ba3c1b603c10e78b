// Elements that show something and answer nothing: button, alert, card and toast.

import { CrowdElement, make } from './base.js';

const MARKS = { success: 'Done: ', error: 'Error: ', warning: 'Warning: ', info: '' };
const COLOURS = { success: '--good', error: '--danger', warning: '--warn', info: '--accent' };

export class CrowdButton extends CrowdElement {
  render() {
    const icon = this.text('icon-url');
    const picture = icon ? make('img', { src: icon, alt: '', height: 20 }) : null;
    const label = make('span', {}, make('slot'));
    this.control = make(
      'button',
      { type: 'button', class: this.text('variant') === 'primary' ? 'primary' : '', disabled: this.disabled },
      ...(this.text('icon-align') === 'right' ? [label, picture] : [picture, label]),
    );
    this.control.style.width = '100%';
    this.show(this.control);
    // The click itself goes on to the host, where the template's author listens.
    this.control.addEventListener('click', () => this.act());
  }

  get disabled() {
    return this.flag('disabled') || this.flag('loading');
  }

  set disabled(off) {
    this.toggleAttribute('disabled', off);
    if (this.control) this.control.disabled = off;
  }

  act() {
    const form = this.closest('form');
    if (this.text('form-action') === 'submit') form?.requestSubmit();
    else if (this.text('form-action') === 'reset') form?.reset();
    else if (this.hasAttribute('href')) {
      const link = make('a', { href: this.text('href'), target: this.text('target') });
      this.append(link);
      link.click();
      link.remove();
    }
  }
}

export class CrowdAlert extends CrowdElement {
  render() {
    const type = this.text('type', 'info');
    const box = make('div', { class: 'target', role: type === 'error' ? 'alert' : 'status' }, make('strong', {}, MARKS[type] ?? ''), make('slot'));
    box.style.cssText = `border-left: 4px solid var(${COLOURS[type] ?? '--accent'}); font-size: 1rem`;
    if (this.flag('dismissible')) {
      box.append(make('button', { type: 'button', class: 'plain', onclick: () => this.remove() }, 'Dismiss'));
    }
    this.show(box);
  }
}

export class CrowdCard extends CrowdElement {
  render() {
    const image = this.text('image');
    const heading = this.text('heading');
    this.show(make(
      'div', { class: 'target' },
      image ? make('img', { src: image, alt: heading }) : null,
      heading ? make('h2', {}, heading) : null,
      make('slot'),
    ));
  }
}

export class CrowdToast extends CrowdElement {
  render() {
    const box = make('div', { class: 'target', role: 'status' }, this.text('text'), make('slot'));
    box.style.cssText = 'position: fixed; bottom: 1rem; left: 1rem; z-index: 10; max-width: 90vw';
    this.show(box);
    const lasts = this.number('duration', 3000);
    if (lasts > 0) setTimeout(() => this.remove(), lasts);
  }
}
