// What all crowd elements share: a shadow root with the house style, and the protocol by which a form reads them.

import { sheet } from './style.js';

// An element with properties, attributes (keys with a hyphen, and role), listeners (onclick) and children.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'class') element.className = value;
    else if (key.includes('-') || key === 'role' || key === 'for' || key === 'slot') element.setAttribute(key, value === true ? '' : value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A slot for elements of a name: crowd elements take <short-instructions> and its like without a slot attribute.
export function adopt(host, tag, slot) {
  const child = host.querySelector(`:scope > ${tag}`);
  if (child) child.slot = slot;
  return child;
}

// Elements are rendered once, when they first enter a document: moving them about must not lose what was typed.
export class CrowdElement extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    this.attachShadow({ mode: 'open' });
    this.shadowRoot.adoptedStyleSheets = [sheet];
    this.render();
  }

  // An attribute that is a switch: present and not "false".
  flag(name) {
    return this.hasAttribute(name) && this.getAttribute(name) !== 'false';
  }

  text(name, fallback = '') {
    return this.getAttribute(name) ?? fallback;
  }

  number(name, fallback) {
    const value = Number.parseFloat(this.getAttribute(name));
    return Number.isFinite(value) ? value : fallback;
  }

  show(...children) {
    this.shadowRoot.replaceChildren(...children.filter(Boolean));
  }
}

// A crowd element that contributes to the answer.
//
// answer(): the value under the element's name, or undefined where there is nothing to say.
// restore(value): the inverse, of a draft.  problem(): why it cannot be submitted, or ''.
export class Field extends CrowdElement {
  get name() {
    return this.text('name');
  }

  set name(value) {
    this.setAttribute('name', value);
  }

  get answerName() {
    return this.name;
  }

  answer() {
    return undefined;
  }

  // What a draft keeps, where that is more than the answer.
  draft() {
    return this.answer();
  }

  restore() {}

  problem() {
    return '';
  }

  focusFirst() {
    this.shadowRoot.querySelector('input, textarea, button, [tabindex="0"]')?.focus();
  }

  changed() {
    this.dispatchEvent(new Event('change', { bubbles: true, composed: true }));
  }
}
