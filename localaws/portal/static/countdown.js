// The time that is left for a task, by this computer's clock from the moment at which the page came.

const pad = (number) => String(number).padStart(2, '0');

export function show(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

const WARNINGS = [[300, 'Five minutes are left for this task.'], [60, 'One minute is left for this task.']];

export function countdown(element, seconds, { warn, over }) {
  const end = Date.now() + seconds * 1000;
  const due = WARNINGS.filter(([at]) => at < seconds);
  const timer = setInterval(() => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    element.textContent = show(left);
    element.classList.toggle('short', left <= 60);
    while (due.length && left <= due[0][0]) warn(due.shift()[1]);
    if (left > 0) return;
    clearInterval(timer);
    // The server's clock decides: a moment later, it agrees.
    setTimeout(over, 1200);
  }, 250);
}
