// Nodes of the page. What connectors send is untrusted, so it becomes text only, never markup.

export const byId = (id) => document.getElementById(id);

/** An element with properties (`class`, `on...` and attributes) and children (nodes or text). */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Touches the page only where something changed: the state comes five times a second. */
export function setText(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Says something, or hides the place where it would be said. */
export function say(node, text) {
  setText(node, text ?? '');
  node.hidden = !text;
}

export function isTextField(node) {
  return node.matches?.('input:not([type=radio]):not([type=checkbox]), textarea, select') ?? false;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Makes Ctrl+Enter (or Cmd+Enter) in a text send its form. */
export function submitsWithControlEnter(text) {
  text.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    text.form.requestSubmit();
  });
}

/** Runs `task` once before the next picture, however often it is asked for. */
export function beforeNextPicture(task) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      task();
    });
  };
}
