// The keyboard of a task: 1 to 9 choose, Enter submits.

const TYPING = 'input:not([type=radio]):not([type=checkbox]):not([type=range]):not([type=submit]):not([type=button]), textarea, select';
const OWN_ENTER = 'textarea, button, a[href], select, summary, [contenteditable]';

const form = () => document.querySelector('crowd-form');

// The chooser that has the focus; else the first one that has no answer yet, else the first.
function chooser() {
  const all = [...document.querySelectorAll('*')].filter((element) => typeof element.chooseNth === 'function' && element.shadowRoot);
  const focused = all.find((element) => element.contains(document.activeElement));
  return focused ?? all.find((element) => element.answer?.() === undefined) ?? all[0];
}

// Act on a key; whether anything came of it.
export function press(key) {
  if (/^[1-9]$/.test(key)) return chooser()?.chooseNth(Number(key)) ?? false;
  if (key !== 'Enter' || document.querySelector('dialog[open]')) return false;
  form()?.submit();
  return true;
}

export function listen() {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    if (!(target instanceof Element)) return;
    const own = event.key === 'Enter' ? target.matches(OWN_ENTER) : target.matches(TYPING);
    if (!own && press(event.key)) event.preventDefault();
  });
}
