// crowd-classifier and its kin: one or several of a list of categories, for text or a picture.

import { adopt, Field, make } from './base.js';
import { instructions } from './instructions.js';
import { parseList, parseLoose } from './lenient.js';

// A category is a string, or an object of which name (or label, or text) is shown.
const title = (category) => (typeof category === 'object' ? String(category.name ?? category.label ?? category.text) : String(category));

let groups = 0;

class Choice extends Field {
  get multiple() {
    return false;
  }

  get categories() {
    return this.list ?? [];
  }

  set categories(list) {
    this.setAttribute('categories', JSON.stringify(list));
    if (this.shadowRoot) this.fill();
  }

  // Read anew at each call: the group element stays, its inputs are of the present categories.
  get inputs() {
    return [...this.shadowRoot.querySelectorAll('.choices input')];
  }

  render() {
    adopt(this, 'classification-target', 'target');
    this.group = make('fieldset', {}, make('legend', {}, this.text('header', 'Choose a category')));
    this.choices = make('div', { class: 'choices' });
    this.group.append(this.choices);
    this.message = make('p', { class: 'error', role: 'alert' });
    const aside = instructions(this);
    const main = make('div', {}, this.target(), this.group, this.message);
    this.show(make('div', { class: aside ? 'layout with-aside' : 'layout' }, main, aside));
    this.fill();
    this.shadowRoot.addEventListener('change', () => {
      this.message.textContent = '';
      this.changed();
    });
  }

  target() {
    return make('div', { class: 'target' }, make('slot', { name: 'target' }));
  }

  fill() {
    this.list = parseList(this.text('categories'));
    groups += 1;
    const entries = this.list.map((category, index) => this.choice(title(category), index, false));
    const exclusion = this.exclusion();
    if (exclusion) entries.push(this.choice(exclusion, this.list.length, true));
    this.choices.replaceChildren(...entries);
    const initial = parseLoose(this.text('initial-value', this.text('selected-values')));
    if (initial !== '') this.restore(Array.isArray(initial) ? { labels: initial } : initial);
  }

  choice(text, index, excludes) {
    const input = make('input', {
      type: this.multiple ? 'checkbox' : 'radio', name: `choice-${groups}`, value: text,
      onchange: () => this.settle(),
    });
    if (excludes) input.dataset.excludes = 'true';
    const key = index < 9 ? make('kbd', { 'aria-hidden': 'true' }, String(index + 1)) : null;
    return make('label', { class: 'choice' }, input, make('span', {}, text), key);
  }

  exclusion() {
    if (!this.multiple || !this.hasAttribute('exclusion-category')) return '';
    const given = parseLoose(this.text('exclusion-category'));
    return title(given) || 'None of the above';
  }

  // "None of these" takes the other choices back and bars them.
  settle() {
    const none = this.inputs.find((input) => input.dataset.excludes);
    if (!none) return;
    for (const input of this.inputs) {
      if (input === none) continue;
      if (none.checked) input.checked = false;
      input.disabled = none.checked;
      input.closest('label').classList.toggle('off', none.checked);
    }
  }

  chooseNth(number) {
    const input = this.inputs[number - 1];
    if (!input || input.disabled) return false;
    input.focus();
    input.click();
    return true;
  }

  get chosen() {
    return this.inputs.filter((input) => input.checked && !input.dataset.excludes).map((input) => this.list[this.inputs.indexOf(input)]);
  }

  problem() {
    const found = this.inputs.length && !this.inputs.some((input) => input.checked) ? 'Choose a category before you submit.' : '';
    this.message.textContent = found;
    return found;
  }

  select(labels) {
    const wanted = labels.map((label) => title(label));
    for (const input of this.inputs) input.checked = !input.dataset.excludes && wanted.includes(input.value);
  }
}

export class CrowdClassifier extends Choice {
  answer() {
    const [category] = this.chosen;
    return category === undefined ? undefined : { label: title(category) };
  }

  restore(value) {
    this.select([value?.label ?? value]);
  }
}

export class CrowdClassifierMultiSelect extends Choice {
  get multiple() {
    return true;
  }

  answer() {
    return this.inputs.some((input) => input.checked) ? { labels: this.chosen.map(title) } : undefined;
  }

  restore(value) {
    const labels = value?.labels ?? value;
    this.select(Array.isArray(labels) ? labels : [labels]);
    const none = this.inputs.find((input) => input.dataset.excludes);
    // An empty list of labels is what "none of these" answers.
    if (none && Array.isArray(labels) && labels.length === 0) none.checked = true;
    this.settle();
  }
}

// The picture of the attribute src in place of a slotted target.
const withPicture = (Base) => class extends Base {
  target() {
    const picture = make('img', { src: this.text('src'), alt: 'The picture to review' });
    const failed = make('p', { class: 'error', role: 'alert', hidden: true }, 'The picture could not be loaded.');
    picture.addEventListener('error', () => {
      picture.hidden = true;
      failed.hidden = false;
    });
    return make('div', { class: 'target picture' }, picture, failed);
  }
};

export class CrowdImageClassifier extends withPicture(CrowdClassifier) {}

export class CrowdImageClassifierMultiSelect extends withPicture(CrowdClassifierMultiSelect) {}

// Answers under AWS's own name for the review; no category chosen is an answer there: nothing applies.
export class CrowdRekognition extends withPicture(CrowdClassifierMultiSelect) {
  get answerName() {
    return 'AWS/Rekognition/DetectModerationLabels/Image/V3';
  }

  answer() {
    return { ModerationLabels: this.chosen };
  }

  restore(value) {
    super.restore({ labels: value?.ModerationLabels ?? value });
  }

  problem() {
    return '';
  }
}
