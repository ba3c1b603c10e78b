// What changes in a page: its live sections, its logs, and the answer of an endpoint. All text goes into the page as text.
const SOON = 1500;
const MOST_LINES = 5000;

const root = document.getElementById("live");

function parsed(html) {
  // A document that is parsed so runs nothing and loads nothing.
  return new DOMParser().parseFromString(html, "text/html");
}

function open(section) {
  return [...section.querySelectorAll("details")].map((one) => one.open);
}

function replace(old, fresh) {
  if (old.innerHTML === fresh.innerHTML) return;
  const kept = open(old);
  old.replaceChildren(...fresh.childNodes);
  old.querySelectorAll("details").forEach((one, place) => { one.open = kept[place] ?? false; });
  follow(old);
}

async function refresh() {
  const address = new URL(location.href);
  address.searchParams.set("live", "1");
  const answer = await fetch(address);
  if (!answer.ok) return answer.status !== 403;
  const page = parsed(await answer.text()).getElementById("live");
  if (page === null) return false;
  replace(document.getElementById("status"), page.querySelector("#status"));
  for (const fresh of page.querySelectorAll("section[data-changes]")) {
    const old = document.getElementById(fresh.id);
    // A log that is shown adds its lines by itself.
    if (old !== null && old.querySelector("pre.log") === null) replace(old, fresh);
  }
  root.dataset.live = page.dataset.live;
  return page.dataset.live === "yes";
}

async function keepFresh() {
  // What comes a moment after the end, such as the last metrics, is looked for once more.
  let left = 2;
  while (left > 0) {
    await pause(2 * SOON);
    if (document.hidden) continue;
    try {
      left = (await refresh()) ? 2 : left - 1;
    } catch {
      // The server is away: it is asked again, a little later.
      await pause(2 * SOON);
    }
  }
}

function pause(milliseconds) {
  return new Promise((done) => { setTimeout(done, milliseconds); });
}

class Log {
  constructor(view) {
    this.view = view;
    this.events = new URL(view.dataset.events, location.href);
    this.live = view.dataset.live === "yes";
    this.state = view.parentElement.querySelector(".state");
    this.earlier = view.parentElement.querySelector(".earlier");
    this.forward = "";
    this.backward = "";
    this.lines = 0;
    this.earlier.addEventListener("click", () => this.older());
  }

  async ask(token) {
    const address = new URL(this.events);
    if (token) address.searchParams.set("token", token);
    const answer = await fetch(address);
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.message);
    return found;
  }

  lineNodes(events) {
    return events.map(([time, text]) => document.createTextNode(`${time}  ${text}\n`));
  }

  async newer() {
    const found = await this.ask(this.forward);
    const atEnd = this.view.scrollHeight - this.view.scrollTop - this.view.clientHeight < 40;
    this.view.append(...this.lineNodes(found.events));
    this.lines += found.events.length;
    while (this.lines > MOST_LINES) {
      this.view.firstChild.remove();
      this.lines -= 1;
    }
    if (atEnd) this.view.scrollTop = this.view.scrollHeight;
    if (!this.backward) {
      this.backward = found.backward;
      this.earlier.hidden = !found.full;
    }
    this.forward = found.forward;
    return found.events.length;
  }

  async older() {
    this.earlier.disabled = true;
    const found = await this.ask(this.backward);
    const below = this.view.scrollHeight - this.view.scrollTop;
    this.view.prepend(...this.lineNodes(found.events));
    this.view.scrollTop = this.view.scrollHeight - below;
    this.lines += found.events.length;
    this.backward = found.backward;
    this.earlier.hidden = found.events.length === 0 || this.lines >= MOST_LINES;
    this.earlier.disabled = false;
  }

  async follow() {
    // Of a job that has ended, the last lines may be on their way for some seconds.
    let left = 3;
    while (left > 0) {
      let count = 0;
      try {
        count = await this.newer();
        this.state.textContent = this.ongoing() ? "Live" : `${this.lines} lines`;
      } catch (error) {
        this.state.textContent = `The log cannot be read: ${error.message}`;
      }
      if (!this.ongoing() && count === 0) left -= 1;
      await pause(count > 0 && !this.live ? 0 : SOON);
      while (document.hidden) await pause(SOON);
    }
  }

  ongoing() {
    return this.live && root.dataset.live === "yes";
  }
}

async function invoke(event) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  const place = document.getElementById("answer");
  button.disabled = true;
  place.textContent = "Waiting for the endpoint…";
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const page = parsed(await answer.text());
    const fresh = page.getElementById("answer") ?? page.querySelector("main");
    place.replaceChildren(...fresh.childNodes);
  } catch (error) {
    place.textContent = `localaws did not answer: ${error.message}`;
  }
  button.disabled = false;
}

function follow(part) {
  part.querySelectorAll("pre.log").forEach((view) => new Log(view).follow());
}

follow(document);
document.querySelectorAll("form.tryit").forEach((form) => form.addEventListener("submit", invoke));
if (root?.dataset.live === "yes") keepFresh();
