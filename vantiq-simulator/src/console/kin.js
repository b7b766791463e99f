// Frames that belong to another but were left out of the stream: the simulator is asked for them.

import { Frame } from './frame.js';

/** How many frames are looked through for one. */
const LOOKED_THROUGH = 5000;

/** The frames still kept that belong to `frame`, beyond those in `frames`. */
export async function missingKin(api, frames, frame) {
  if (frame.sort === 'answer' && frames.causesOf(frame).length === 0) return queryOf(api, frame);
  if (frame.op === 'query' && !frames.effectsOf(frame).at(-1)?.isLast) return answersTo(api, frame);
  if (frame.op === 'notification' && frames.effectsOf(frame).length === 0) return acknowledgementOf(api, frame);
  const missing = frame.acknowledges.filter((number) => !frames.notifications.has(number));
  // A status for hundreds of them is told by numbers; a few are fetched.
  const found = missing.slice(0, 10).map((number) => notification(api, frame, number));
  return (await Promise.all(found)).flat();
}

const queryOf = (api, { source, address }) =>
  find(api, { source, op: 'query' }, (frame) => frame.address === address, (frame) => frame.address === address);

function answersTo(api, { number, source, address }) {
  const isAnswer = (frame) => frame.sort === 'answer' && frame.address === address;
  const where = { after: number, source, direction: 'received' };
  return find(api, where, isAnswer, (frame) => isAnswer(frame) && frame.isLast);
}

function acknowledgementOf(api, { number, source }) {
  const isFor = (frame) => frame.acknowledges.includes(number);
  return find(api, { after: number, source, direction: 'sent' }, isFor, isFor);
}

function notification(api, { source }, number) {
  const isIt = (frame) => frame.number === number;
  return find(api, { after: number - 1, source, op: 'notification' }, isIt, () => true);
}

/** Those that are wanted, up to and with one that is the last. */
async function find(api, where, isWanted, isLast) {
  const given = Object.entries(where).filter(([, value]) => value !== null);
  const found = [];
  let looked = 0;
  for await (const text of api.lines('GET', `/simulator/frames?${new URLSearchParams(given)}`)) {
    const frame = new Frame(text, JSON.parse(text), 0);
    if (isWanted(frame)) found.push(frame);
    looked += 1;
    if (isLast(frame) || looked === LOOKED_THROUGH) break;
  }
  return found;
}
