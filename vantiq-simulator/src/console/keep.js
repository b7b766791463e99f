// What outlives the page: kept by the browser for this origin, which is one port of one machine.

const PREFIX = 'vantiq-simulator.';

/** A browser may forbid to keep anything; then nothing outlives the page. */
function attempt(task) {
  try {
    return task();
  } catch {
    return null;
  }
}

export function recall(name, otherwise) {
  const text = attempt(() => localStorage.getItem(PREFIX + name));
  return text === null ? otherwise : (attempt(() => JSON.parse(text)) ?? otherwise);
}

export function keep(name, value) {
  attempt(() => localStorage.setItem(PREFIX + name, JSON.stringify(value)));
}
