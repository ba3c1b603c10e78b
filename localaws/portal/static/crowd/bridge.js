// Between a task in its frame and the portal around it, by messages: the frame has an origin of its own.
//
// To the portal: ready, size {height}, draft {draft}, answer {answer}, link {href}, blocked {what}.
// From the portal: connect, restore {draft}, refused {message}, key {key}.

import { press } from './keys.js';

const framed = window.parent !== window;
const form = () => document.querySelector('crowd-form');

function tell(kind, more = {}) {
  // The portal's origin is not known in here; nothing in a message is secret from who embeds the task.
  if (framed) window.parent.postMessage({ crowd: kind, ...more }, '*');
}

let blocked;
let restored = false;

const size = () => tell('size', { height: Math.ceil(document.body.getBoundingClientRect().height) });

// Either side may be there first: the portal that comes later asks for what it has missed.
function introduce() {
  size();
  if (blocked !== undefined) tell('blocked', { what: blocked });
  tell('ready');
}

const handlers = {
  connect: introduce,
  // Once: an answer to a second introduction would undo what was entered since.
  restore: ({ draft }) => {
    if (restored) return;
    restored = true;
    form()?.restore(draft);
  },
  refused: ({ message }) => {
    form().busy = false;
    form().say(message);
  },
  key: ({ key }) => press(key),
};

function listenToPortal() {
  window.addEventListener('message', (event) => {
    if (event.source !== window.parent || !framed) return;
    handlers[event.data?.portal]?.(event.data);
  });
}

function submitted(event) {
  // Whoever listens nearer to the form, such as a template's author, has refused already.
  if (event.defaultPrevented) return;
  event.preventDefault();
  const crowd = event.target.closest('crowd-form');
  if (!crowd || !crowd.check()) return;
  const answer = crowd.submission;
  crowd.dispatchEvent(new CustomEvent('crowd-answer', { detail: answer, bubbles: true }));
  if (framed) crowd.busy = true;
  // Before the answer: if that cannot be taken now, it is the draft that comes back.
  tell('draft', { draft: crowd.draft });
  tell('answer', { answer });
}

function sendDrafts() {
  let waiting;
  const send = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => tell('draft', { draft: form()?.draft ?? {} }), 400);
  };
  for (const event of ['change', 'input']) document.addEventListener(event, send);
}

// Links lead out of the frame: the portal opens them, for http and https only.
function followLinks() {
  document.addEventListener('click', (event) => {
    const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement && node.hasAttribute('href'));
    if (!link || !framed || link.getAttribute('href').startsWith('#')) return;
    event.preventDefault();
    tell('link', { href: link.href });
  });
}

export function listenToPolicy() {
  document.addEventListener('securitypolicyviolation', (event) => {
    if (event.blockedURI.startsWith('https://assets.crowd.aws/crowd-html-elements')) return;
    blocked = event.blockedURI;
    tell('blocked', { what: blocked });
  });
}

export function connect() {
  document.addEventListener('submit', submitted);
  sendDrafts();
  followLinks();
  listenToPortal();
  new ResizeObserver(size).observe(document.body);
  introduce();
}
