// What a worker has entered so far: at once in this tab, and after a moment on the server.

import { post } from './post.js';

const PAUSE = 800;
const saved = document.getElementById('saved');

export class Draft {
  constructor(place, csrf, fromServer) {
    this.place = place;
    this.csrf = csrf;
    this.key = `draft ${place}`;
    this.fromServer = fromServer;
    this.stopped = false;
    this.sending = Promise.resolve();
  }

  // The tab's copy is the newer one where the server could not be reached, or the session had ended.
  restore(show) {
    const local = sessionStorage.getItem(this.key);
    const entered = local ? JSON.parse(local) : this.fromServer;
    if (Object.keys(entered).length) show(entered);
  }

  keep(entered) {
    if (this.stopped) return;
    this.entered = entered;
    sessionStorage.setItem(this.key, JSON.stringify(entered));
    saved.textContent = '';
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), PAUSE);
  }

  send() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const entered = this.entered;
    this.sending = this.sending.then(async () => {
      const { status } = await post(`${this.place}/draft`, this.csrf, entered);
      if (this.stopped) return;
      saved.textContent = status === 200 ? 'Draft saved' : 'Draft kept in this tab only';
    });
    return this.sending;
  }

  // Send no more drafts, so that none arrives after the answer; the tab's own copy stays.
  async hold() {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.sending;
  }

  // Send what is not yet sent.
  async flush() {
    this.stopped = true;
    if (this.timer) this.send();
    await this.sending;
  }

  resume() {
    this.stopped = false;
  }

  forget() {
    this.stopped = true;
    clearTimeout(this.timer);
    sessionStorage.removeItem(this.key);
  }
}
