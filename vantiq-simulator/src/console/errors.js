// Errors as a person reads them: the code, and the message with its parameters in place.

import { Refused } from './api.js';
import { element } from './dom.js';
import { shown } from './json.js';

/** Shows an error of a request in `place`; nothing when there is none. */
export function showError(place, error) {
  showErrors(place, error === null ? [] : listOf(error));
}

function listOf(error) {
  if (!(error instanceof Refused)) return [{ code: null, message: error.message }];
  return error.errors.length === 0 ? [{ code: null, message: error.message }] : error.errors;
}

/** Shows Vantiq's errors or the error a connector answered with, alone or in a list. */
export function showErrors(place, errors) {
  place.replaceChildren(...errors.map(shownError));
}

function shownError(error) {
  const code = error?.code ?? error?.messageCode;
  return element(
    'p',
    { class: 'error' },
    code ? element('code', {}, shown(code)) : null,
    code ? ' ' : null,
    messageOf(error),
  );
}

/** The message of an error, with its parameters in place. */
export function messageOf(error) {
  if (typeof error?.messageTemplate === 'string') return filled(error.messageTemplate, error.parameters ?? []);
  return typeof error?.message === 'string' ? error.message : shown(error ?? null);
}

/** What a parameter brings is not looked at again. */
function filled(template, parameters) {
  return template.replace(/\{(\d+)\}/g, (whole, number) => (number in parameters ? shown(parameters[number]) : whole));
}
