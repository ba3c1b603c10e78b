// Look for new tasks every minute, while the page is in view and nothing in it has the focus.
const MINUTE = 60000;

setInterval(() => {
  const idle = document.activeElement === document.body || document.activeElement === null;
  if (!document.hidden && idle) location.reload();
}, MINUTE);
