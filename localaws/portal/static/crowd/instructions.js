// Instructions beside a task, in a dialog or behind a tab.

import { adopt, CrowdElement, make } from './base.js';

const opener = (text, dialog, link) => make('button', {
  type: 'button', class: link ? 'plain' : '', onclick: () => dialog.showModal(),
}, text);

const dialogOf = (heading, ...content) => {
  const dialog = make('dialog', { 'aria-label': heading });
  const close = make('button', { type: 'button', onclick: () => dialog.close() }, 'Close');
  dialog.append(make('h2', {}, heading), ...content, make('div', { class: 'row' }, close));
  return dialog;
};

// The column of <short-instructions>, with <full-instructions> in a dialog; null where a template gives neither.
export function instructions(host) {
  const short = adopt(host, 'short-instructions', 'short');
  const full = adopt(host, 'full-instructions', 'full');
  if (!short && !full) return null;
  const aside = make('aside', { 'aria-label': 'Instructions' }, make('strong', { class: 'title' }, short?.getAttribute('header') ?? 'Instructions'));
  if (short) aside.append(make('slot', { name: 'short' }));
  if (full && (full.textContent.trim() || full.querySelector('img'))) {
    const dialog = dialogOf(full.getAttribute('header') ?? 'Full instructions', make('slot', { name: 'full' }));
    aside.append(opener('View full instructions', dialog, true), dialog);
  }
  return aside;
}

// A form's own instructions stand outside of any element that takes them.
export class CrowdInstructions extends CrowdElement {
  render() {
    const text = this.text('link-text', 'View instructions');
    const parts = ['short-summary', 'detailed-instructions', 'positive-example', 'negative-example'];
    const headings = { 'positive-example': 'Good example', 'negative-example': 'Bad example' };
    const content = parts.map((tag) => {
      const found = [...this.querySelectorAll(`:scope > ${tag}`)];
      for (const child of found) child.slot = tag;
      if (!found.length) return null;
      return make('section', {}, headings[tag] ? make('strong', {}, headings[tag]) : null, make('slot', { name: tag }));
    });
    const dialog = dialogOf(text, ...content.filter(Boolean));
    this.show(opener(text, dialog, this.text('link-type') !== 'button'), dialog);
  }
}

export class CrowdModal extends CrowdElement {
  render() {
    const text = this.text('link-text', 'Open');
    this.dialog = dialogOf(text, make('slot'));
    this.show(opener(text, this.dialog, this.text('link-type') !== 'button'), this.dialog);
  }

  open() {
    this.dialog.showModal();
  }

  close() {
    this.dialog.close();
  }
}

export class CrowdTabs extends CrowdElement {
  render() {
    this.bar = make('div', { class: 'row', role: 'tablist', onkeydown: (event) => this.move(event) });
    this.show(this.bar, make('slot'));
    const tabs = [...this.querySelectorAll(':scope > crowd-tab')];
    this.buttons = tabs.map((tab, index) => make('button', {
      type: 'button', role: 'tab', 'aria-selected': 'false', onclick: () => this.select(index),
    }, tab.getAttribute('header') ?? `Tab ${index + 1}`));
    this.bar.append(...this.buttons);
    this.tabs = tabs;
    if (tabs.length) this.select(0);
  }

  move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = this.buttons.findIndex((button) => button.getAttribute('aria-selected') === 'true');
    this.select((at + step + this.buttons.length) % this.buttons.length);
  }

  select(index) {
    const inside = this.shadowRoot.activeElement;
    this.tabs.forEach((tab, at) => { tab.hidden = at !== index; });
    this.buttons.forEach((button, at) => {
      button.setAttribute('aria-selected', String(at === index));
      button.className = at === index ? 'primary' : '';
      button.tabIndex = at === index ? 0 : -1;
    });
    if (inside) this.buttons[index].focus();
  }
}

export class CrowdTab extends CrowdElement {
  render() {
    this.setAttribute('role', 'tabpanel');
    this.setAttribute('aria-label', this.text('header', 'Tab'));
    this.show(make('slot'));
  }
}
