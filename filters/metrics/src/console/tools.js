'use strict';
// Small tools: elements, texts, numbers.
// What the gateway tells goes into the page as text and attributes only; nothing here makes markup of it.

const $ = (id) => document.getElementById(id);

/** An element with attributes, a listener for `click`, and children, of which texts stay texts. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'click') node.addEventListener('click', value);
    else if (value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

/** The same in SVG, without listeners. */
function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Puts a text into an element; touches nothing where it is there already, so that nothing flickers. */
function say(node, text) {
  const told = String(text ?? '');
  if (node.textContent !== told) node.textContent = told;
}

/** Sets an attribute, or removes it for null; touches nothing where it is so already. */
function set(node, name, value) {
  if (value == null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

const show = (node, is) => { if (node.hidden === !!is) node.hidden = !is; };

/** A value and its unit, which is smaller. */
function measure(node, [value, unit]) {
  if (!node.firstElementChild) node.replaceChildren('', make('small'));
  if (node.firstChild.data !== value) node.firstChild.data = value;
  say(node.firstElementChild, unit);
}

/**
 * Makes the children of a list those of `items`, one for each key, in their order.
 * What is there stays and is updated, and so keeps its focus and what is open in it.
 */
function list(parent, items, keyOf, create, update) {
  const had = parent.kept ?? new Map();
  const focus = document.activeElement;
  const rows = new Map();
  items.forEach((item, index) => {
    let key = String(keyOf(item, index));
    while (rows.has(key)) key += '+';
    const node = had.get(key) ?? create(item);
    node.item = item;
    update?.(node, item);
    rows.set(key, node);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  parent.kept = rows;
  if (focus !== document.activeElement && focus.isConnected) focus.focus({ preventScroll: true });
}

/** A list of a name and a number each. */
function pairs(parent, entries) {
  list(parent, entries, ([name]) => name, () => make('li', {}, make('span'), make('b')), (node, [name, value, dot]) => {
    const [label, number] = node.children;
    if (dot && !node.dot) {
      node.dot = true;
      label.append(make('i', { class: `dot ${dot}` }), '');
    }
    if (dot) { if (label.lastChild.data !== name) label.lastChild.data = name; } else say(label, name);
    say(number, value);
  });
}

/** Facts with their names above them; those that are null are left out. */
function facts(parent, entries) {
  list(parent, entries.filter(([, value]) => value != null), ([name]) => name,
    () => make('div', {}, make('dt'), make('dd')),
    (node, [name, value]) => { say(node.firstChild, name); say(node.lastChild, value); });
}

/** Words in frames. */
const chips = (parent, words) =>
  list(parent, words, (word) => word.split(' · ')[0], () => make('span', { class: 'tag' }), say);

/** Shares of a whole, side by side: class and amount of each. */
function portions(parent, entries) {
  list(parent, entries.filter(([, amount]) => amount > 0), ([kind]) => kind,
    ([kind]) => make('span', { class: kind }), (node, [, amount]) => { node.style.flexGrow = amount; });
}

/** Fills a track to this share; null is nothing. */
const fill = (node, share) => { node.style.width = `${Math.min(1, Math.max(0, share ?? 0)) * 100}%`; };

// Numbers for people. What is not known is a dash.

const NONE = '–';
const grouped = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const count = (n) => n == null ? NONE : n < 1e6 ? grouped.format(n) : short.format(n);
const plural = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;

function rate(n) {
  if (n == null) return NONE;
  return n >= 100 ? count(Math.round(n)) : n >= 10 ? String(Math.round(n * 10) / 10) : n > 0 && n < 0.01 ? '<0.01' : String(Math.round(n * 100) / 100);
}

/** A share as [value, unit]. */
function share(n) {
  if (n == null) return [NONE, ''];
  const percent = n * 100;
  if (percent > 0 && percent < 0.1) return ['<0.1', '%'];
  if (percent > 99.9 && percent < 100) return ['>99.9', '%'];
  return [percent >= 10 || percent === 0 ? percent.toFixed(percent === 100 || percent === 0 ? 0 : 1) : percent.toFixed(1), '%'];
}

/** A duration as [value, unit]. */
function span(seconds) {
  if (seconds == null) return [NONE, ''];
  const millis = seconds * 1e3;
  if (millis === 0) return ['0', 'ms'];
  if (millis < 1) return [String(Math.max(1, Math.round(millis * 1e3))), 'µs'];
  if (millis < 10) return [millis.toFixed(1), 'ms'];
  if (millis < 1e3) return [String(Math.round(millis)), 'ms'];
  return seconds < 100 ? [seconds.toFixed(seconds < 10 ? 2 : 1), 's'] : [count(Math.round(seconds)), 's'];
}

const joined = ([value, unit]) => unit ? `${value} ${unit}` : value;

/** How long ago, or for how long: in the two largest units. */
function age(seconds) {
  if (seconds == null) return NONE;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min` + (s < 600 && s % 60 ? ` ${s % 60} s` : '');
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

function size(bytes) {
  if (bytes == null) return NONE;
  let unit = 0;
  while (bytes >= 1024 && unit < 4) { bytes /= 1024; unit += 1; }
  return `${unit && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}

/** The time of day of an instant; the date too if it is another day. */
function clock(instant) {
  const at = new Date(instant);
  if (isNaN(at)) return String(instant);
  const time = at.toLocaleTimeString('en-GB');
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString('en-CA')} ${time}`;
}

const words = (word) => String(word ?? '').replaceAll('_', ' ');
const sum = (values) => values.reduce((all, one) => all + one, 0);
