// The frames and incidents that the timeline has, oldest first, and which of them belong together.

/** So many are kept here; the simulator keeps more, for the recording. */
export const MOST = 5000;
/** And so many characters of them. */
const MOST_TEXT = 32 * 1_048_576;

export class Frames {
  constructor() {
    this.clear();
  }

  clear() {
    this.all = [];
    this.characters = 0;
    this.queries = new Map(); // by address
    this.answers = new Map(); // by address, a list
    this.notifications = new Map(); // by number
    this.acknowledgements = new Map(); // by the number of the notification
  }

  get youngest() {
    return this.all.at(-1)?.number ?? 0;
  }

  /** Whether it was new; frames found later than their neighbours go where they belong. */
  add(frame) {
    let place = this.all.length;
    while (place > 0 && compared(this.all[place - 1], frame) > 0) place -= 1;
    if (place > 0 && compared(this.all[place - 1], frame) === 0) return false;
    if (place === this.all.length) this.all.push(frame);
    else this.all.splice(place, 0, frame);
    this.characters += frame.text.length;
    this.#pair(frame);
    return true;
  }

  /** Drops the oldest beyond the bound, and says which. */
  trim() {
    let [gone, characters] = [Math.max(0, this.all.length - MOST), this.characters];
    for (const frame of this.all.slice(0, gone)) characters -= frame.text.length;
    while (characters > MOST_TEXT && gone < this.all.length) characters -= this.all[gone++].text.length;
    const oldest = this.all.splice(0, gone);
    for (const frame of oldest) this.#forget(frame);
    this.characters = characters;
    return oldest;
  }

  /** The query or the notification that `frame` is about. */
  causesOf(frame) {
    if (frame.sort === 'answer') return present([this.queries.get(frame.address)]);
    return present(frame.acknowledges.map((number) => this.notifications.get(number)));
  }

  /** The answers or the acknowledgement that `frame` got. */
  effectsOf(frame) {
    if (frame.op === 'query') return this.answers.get(frame.address) ?? [];
    return frame.op === 'notification' ? present([this.acknowledgements.get(frame.number)]) : [];
  }

  /** All that belong to `frame`, without itself. */
  kinOf(frame) {
    const causes = this.causesOf(frame);
    const kin = new Set([...causes, ...causes.flatMap((cause) => this.effectsOf(cause)), ...this.effectsOf(frame)]);
    kin.delete(frame);
    return kin;
  }

  /** How long it took, in ms, as far as that is known: from the query to this answer, to the end, to the acknowledgement. */
  took(frame) {
    const [cause] = this.causesOf(frame);
    if (cause) return frame.at - cause.at;
    const last = this.effectsOf(frame).at(-1);
    return last && (frame.op !== 'query' || last.isLast) ? last.at - frame.at : null;
  }

  #pair(frame) {
    if (frame.op === 'query') this.queries.set(frame.address, frame);
    if (frame.op === 'notification') this.notifications.set(frame.number, frame);
    if (frame.sort === 'answer') this.#pairAnswer(frame);
    for (const number of frame.acknowledges) this.acknowledgements.set(number, frame);
  }

  #pairAnswer(frame) {
    const answers = this.answers.get(frame.address) ?? [];
    answers.push(frame);
    if (answers.at(-2)?.number > frame.number) answers.sort((one, other) => one.number - other.number);
    this.answers.set(frame.address, answers);
  }

  #forget(frame) {
    if (frame.op === 'query') this.queries.delete(frame.address);
    this.notifications.delete(frame.number);
    for (const number of frame.acknowledges) this.acknowledgements.delete(number);
    const answers = frame.sort === 'answer' ? this.answers.get(frame.address) : null;
    if (!answers) return;
    answers.splice(answers.indexOf(frame), 1);
    if (answers.length === 0) this.answers.delete(frame.address);
  }
}

const compared = (one, other) => one.number - other.number || one.turn - other.turn;

const present = (list) => list.filter((item) => item !== undefined);
