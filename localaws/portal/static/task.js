// A task's page: the bridge to its frame, the countdown, the draft and the buttons.

import { countdown } from './countdown.js';
import { Draft } from './draft.js';
import { post } from './post.js';

const task = document.getElementById('task');
const frame = document.getElementById('frame');
const notice = document.getElementById('notice');
const { place, csrf } = task.dataset;
const draft = new Draft(place, csrf, JSON.parse(task.dataset.draft));
const LOOK = 5000;

const tell = (kind, more) => frame.contentWindow.postMessage({ portal: kind, ...more }, '*');

function say(text) {
  notice.textContent = text;
  notice.hidden = text === '';
}

// The server has a page for each way in which a task can end: loading this page again shows it.
const endedPage = () => location.reload();

const ENDED = new Set([401, 404, 410]);

async function submit({ answer }) {
  say('');
  await draft.hold();
  const { status, message } = await post(`${place}/answer`, csrf, answer);
  if (status === 200) {
    draft.forget();
    document.getElementById('next').requestSubmit();
  } else if (ENDED.has(status)) {
    endedPage();
  } else {
    draft.resume();
    tell('refused', { message: message || 'The portal cannot be reached. Your answer is still here: submit it again.' });
  }
}

const handlers = {
  ready: () => draft.restore((saved) => tell('restore', { draft: saved })),
  size: ({ height }) => {
    frame.style.height = `${Math.min(Math.max(height + 4, 240), 20000)}px`;
  },
  draft: ({ draft: entered }) => draft.keep(entered),
  answer: submit,
  link: ({ href }) => {
    // Only the web: javascript: and data: would run in the portal's own origin.
    if (/^https?:\/\//i.test(href)) window.open(href, '_blank', 'noopener,noreferrer');
  },
  blocked: () => say('Parts of this task are not shown: the portal runs no script of a template and loads nothing from other sites.'),
};

window.addEventListener('message', (event) => {
  if (event.source === frame.contentWindow) handlers[event.data?.crowd]?.(event.data);
});
// A frame that was there before this script has said so to nobody.
tell('connect');

// Keys that nothing on this page needs are meant for the task: on a button or a link, Enter is its own.
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const own = event.key === 'Enter' ? 'a, button, input, select, textarea' : 'input, select, textarea';
  if (/^([1-9]|Enter)$/.test(event.key) && !event.target.closest(own)) tell('key', { key: event.key });
});

document.getElementById('actions').addEventListener('submit', async (event) => {
  const form = event.currentTarget;
  const question = event.submitter?.dataset.ask;
  if (question) {
    if (window.confirm(question)) draft.forget();
    else event.preventDefault();
    return;
  }
  // A pause keeps what was entered: on the server, because the tab may be closed.
  event.preventDefault();
  await draft.flush();
  form.submit();
});

countdown(document.getElementById('clock'), Number(task.dataset.seconds), { warn: say, over: endedPage });

// Loops can be stopped, and others can have answered, while the page is open.
setInterval(async () => {
  if (document.hidden) return;
  const { status } = await post(`${place}/state`, csrf, {});
  if (ENDED.has(status)) endedPage();
}, LOOK);
