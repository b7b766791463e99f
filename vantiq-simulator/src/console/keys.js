// Keys that work wherever the focus is, except where they mean something else.

import { byId, isTextField } from './dom.js';

/** `actions` has what `/` and space do, and moving and closing for when nothing else has the focus. */
export function listen(actions) {
  const dialog = byId('keys-dialog');
  byId('keys').addEventListener('click', () => dialog.showModal());
  byId('keys-close').addEventListener('click', () => dialog.close());
  document.addEventListener('keydown', (event) => {
    const plain = !(event.ctrlKey || event.metaKey || event.altKey);
    if (!plain || event.defaultPrevented || document.querySelector('dialog[open]')) return;
    const action = actionOf(event, { ...actions, help: () => dialog.showModal() });
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function actionOf({ key, target }, actions) {
  if (key === 'Escape') return actions.close;
  if (isTextField(target)) return null;
  if (key === '/') return actions.filter;
  if (key === '?') return actions.help;
  if (key === ' ') return target.matches('button, summary, a, label, input') ? null : actions.pause;
  const moves = ['ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown'];
  return target === document.body && moves.includes(key) ? () => actions.move(key) : null;
}
