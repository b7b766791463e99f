// The frame that is open: its message, and what belongs to it.

import { Away } from './api.js';
import { byId, element, setText } from './dom.js';
import { bytes, count, exactTime, milliseconds } from './format.js';
import { coloured, pretty } from './json.js';
import { missingKin } from './kin.js';

/** So many answers or notifications are listed. */
const LISTED = 50;

export class Detail {
  frame = null;
  #text = '';

  /** `go` is told the frame to open instead, `added` frames that were fetched. */
  constructor(api, frames, { go, added, closed }) {
    Object.assign(this, { api, frames, go, added, closed });
    this.pane = byId('detail');
    byId('detail-close').addEventListener('click', () => this.close());
    byId('detail-copy').addEventListener('click', () => this.#copy());
  }

  get isOpen() {
    return this.frame !== null;
  }

  async open(frame) {
    if (frame === this.frame) return;
    this.frame = frame;
    this.pane.hidden = false;
    setText(byId('detail-title'), frame.title);
    this.#showMessage(frame);
    this.showKin();
    await this.#fetchKin(frame);
  }

  close() {
    if (!this.isOpen) return;
    const hadFocus = this.pane.contains(document.activeElement);
    this.frame = null;
    this.pane.hidden = true;
    this.closed(hadFocus);
  }

  /** What belongs to it may come later. */
  showKin() {
    if (!this.frame) return;
    const nodes = this.#kin(this.frame);
    const place = byId('detail-kin');
    // Where nothing changed, a button that has the focus keeps it.
    if (place.textContent !== nodes.map((node) => node.textContent).join('')) place.replaceChildren(...nodes);
  }

  #showMessage(frame) {
    const { message } = frame;
    this.#text = frame.isJson ? pretty(message) : (message ?? '');
    byId('detail-message').replaceChildren(frame.isJson ? coloured(this.#text) : this.#text);
    byId('detail-message').scrollTop = 0;
  }

  async #fetchKin(frame) {
    try {
      const found = await missingKin(this.api, this.frames, frame);
      if (found.length > 0) this.added(found);
    } catch (error) {
      // The page says when the simulator is away.
      if (!(error instanceof Away)) console.error(error);
    }
    if (frame === this.frame) this.showKin();
  }

  #kin(frame) {
    const lines = [this.#facts(frame)];
    if (frame.op === 'query') lines.push(this.#answers(frame));
    if (frame.sort === 'answer') lines.push(this.#query(frame));
    if (frame.op === 'notification') lines.push(this.#acknowledgement(frame));
    if (frame.acknowledges.length > 0) lines.push(this.#acknowledged(frame));
    return lines;
  }

  #facts(frame) {
    const facts = [exactTime(frame.at)];
    if (frame.link !== null) facts.push(`link ${frame.link}`);
    if (frame.kind !== undefined) facts.push(`${frame.kind} frame`, bytes(frame.bytes));
    if (frame.isCut) facts.push('only its beginning is shown');
    return element('p', { class: 'quiet' }, facts.join(' · '));
  }

  #answers(query) {
    const answers = this.frames.effectsOf(query);
    if (answers.length === 0) return element('p', {}, 'No answer yet.');
    const last = answers.at(-1);
    const end = last.isLast ? `all in ${milliseconds(last.at - query.at)}` : 'not ended yet';
    return element('p', {}, `Answers, ${end}: `, ...this.#links(answers, (answer) => `${answer.status} after ${milliseconds(answer.at - query.at)}`));
  }

  #query(answer) {
    const [query] = this.frames.causesOf(answer);
    if (!query) return element('p', {}, 'Its query is not kept any more.');
    return element('p', {}, `Answer after ${milliseconds(answer.at - query.at)} to `, ...this.#links([query], () => 'the query'));
  }

  #acknowledgement(notification) {
    const [status] = this.frames.effectsOf(notification);
    if (!status) return element('p', {}, 'Not acknowledged yet.');
    return element('p', {}, `Acknowledged after ${milliseconds(status.at - notification.at)} by `, ...this.#links([status], () => `status ${status.status}`));
  }

  #acknowledged(status) {
    const known = this.frames.causesOf(status);
    const links = this.#links(known, (notification) => `${milliseconds(status.at - notification.at)} late`);
    const unknown = status.acknowledges.length - Math.min(known.length, LISTED);
    const more = unknown > 0 ? ` and ${count(unknown)} more` : '';
    return element('p', {}, `For ${count(status.acknowledges.length)} of the notifications: `, ...links, more);
  }

  /** Buttons to frames, each with what is to be said of it. */
  #links(frames, text) {
    return frames.slice(0, LISTED).flatMap((frame) => [
      element('button', { type: 'button', class: 'link', onclick: () => this.go(frame) }, `#${frame.number} ${text(frame)}`),
      ' ',
    ]);
  }

  async #copy() {
    const button = byId('detail-copy');
    const done = await copied(this.#text, byId('detail-message'));
    button.textContent = done ? 'Copied' : 'Selected';
    setTimeout(() => setText(button, 'Copy'), 1500);
  }
}

/** Whether it is in the clipboard; a browser has none for pages of another machine without TLS. */
async function copied(text, node) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(node);
    return false;
  }
}
