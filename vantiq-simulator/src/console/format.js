// Numbers, times and values as people read them.

const numbers = new Intl.NumberFormat('en');

export const count = (number) => numbers.format(number);

/** "1 frame", "1,234 frames". */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? '' : 's'}`;

export function milliseconds(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${ms >= 100 ? Math.round(ms) : ms.toFixed(ms < 1 ? 2 : 1)} ms`;
}

const padded = (number, width = 2) => String(number).padStart(width, '0');

/** The time of day, here. */
export function time(at) {
  const date = new Date(at);
  return `${padded(date.getHours())}:${padded(date.getMinutes())}:${padded(date.getSeconds())}`;
}

export const exactTime = (at) => `${time(at)}.${padded(Math.floor(at % 1000), 3)}`;

/** The time of day, with the date when that is not today's. */
export function moment(at) {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return today ? time(at) : `${date.getFullYear()}-${padded(date.getMonth() + 1)}-${padded(date.getDate())} ${time(at)}`;
}

export function bytes(number) {
  if (number < 10_240) return `${count(number)} B`;
  return number < 10_485_760 ? `${Math.round(number / 1024)} KiB` : `${Math.round(number / 1_048_576)} MiB`;
}

export const shortened = (text, most) => (text.length > most ? `${text.slice(0, most)}…` : text);
