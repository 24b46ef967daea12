// Charts of the last five minutes: drawn once, then only their points move.

const SLOTS = 60;
const PAD = { left: 54, right: 8, top: 8, bottom: 18 };
const LEVELS = 6;

/** The next round number from which an axis is easily read. */
function round(max) {
  if (!(max > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  return [1, 2, 5, 10].find((step) => step * power >= max * 0.999) * power;
}

/** The levels of an axis from nothing. */
function evenly(all) {
  const max = round(Math.max(0, ...all));
  return [0, max / 2, max];
}

/** The powers of ten around all values: what is a hundred times as much as another value leaves that one in sight. */
function byPowers(all) {
  const found = all.filter((value) => value > 0);
  if (!found.length) return [];
  const first = Math.floor(Math.log10(Math.min(...found)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...found)) - 0.001));
  const step = Math.ceil((last - first) / (LEVELS - 1));
  return Array.from({ length: Math.ceil((last - first) / step) + 1 }, (_, index) => 10 ** (first + index * step));
}

/**
 * A chart in `host`, with its legend in `legend`.
 * `series`: name, class, whether its area is filled; of what is rare, zeros are not drawn. `told` writes a value, `unit`
 * goes behind it in the legend; `scale` makes the levels of the axis. Call the result with a value of each series for
 * each slot, the oldest first; null is a gap.
 */
function chart(host, legend, title, series, told, scale, unit = '') {
  const lines = series.map(({ kind }) => draw('path', { class: kind }));
  const areas = series.map(({ kind, isFilled }) => isFilled ? draw('path', { class: `area ${kind}` }) : null);
  const cross = draw('line', { class: 'cross', visibility: 'hidden' });
  const grid = Array.from({ length: LEVELS }, () => ({
    line: draw('line', { class: 'grid' }), text: draw('text', { 'text-anchor': 'end' }),
  }));
  const then = draw('text', {}, '5 min ago');
  const now = draw('text', { 'text-anchor': 'end' }, 'now');
  const picture = draw('svg', { role: 'img' }, ...grid.flatMap(({ line, text }) => [line, text]), then, now,
    ...areas.filter(Boolean), ...lines, cross);
  host.append(picture);
  const values = series.map(({ name, kind }) => {
    const value = make('b');
    legend.append(make('span', {}, make('i', { class: `dot ${kind}` }), `${name} `, value));
    return value;
  });
  let points = [];
  let chosen = null;

  function render() {
    const width = host.clientWidth;
    const height = 122;
    if (!width || !points.length) return;
    set(picture, 'viewBox', `0 0 ${width} ${height}`);
    const all = points.flat().filter((value) => value != null);
    const levels = scale(all);
    const [low, high] = [levels[0], levels.at(-1)];
    const isEven = scale === evenly;
    const inner = [width - PAD.left - PAD.right, height - PAD.top - PAD.bottom];
    const x = (slot) => PAD.left + slot / (SLOTS - 1) * inner[0];
    const part = (value) => isEven ? value / high : Math.log(Math.max(low, value) / low) / Math.log(high / low);
    const y = (value) => PAD.top + (1 - part(value)) * inner[1];
    grid.forEach(({ line, text }, index) => {
      // Nothing known is nothing to measure: then there is a ground line alone.
      const value = levels[index];
      const isThere = !index || (value != null && all.length);
      for (const node of [line, text]) set(node, 'visibility', isThere ? 'visible' : 'hidden');
      if (!isThere) return;
      const level = (value == null ? PAD.top + inner[1] : y(value)).toFixed(1);
      for (const [name, value] of [['x1', PAD.left], ['x2', width - PAD.right], ['y1', level], ['y2', level]]) set(line, name, value);
      set(text, 'x', PAD.left - 7);
      set(text, 'y', Number(level) + 4);
      say(text, value == null ? '' : told(value).replace(/\.0+\b/, ''));
    });
    set(then, 'x', PAD.left);
    set(now, 'x', width - PAD.right);
    for (const text of [then, now]) set(text, 'y', height - 3);
    series.forEach((_, index) => {
      let line = '';
      let area = '';
      let start = null;
      for (let slot = 0; slot <= SLOTS; slot += 1) {
        const value = points[slot]?.[index];
        const isSilent = series[index].isRare && ![slot - 1, slot, slot + 1].some((near) => points[near]?.[index]);
        if (value != null && !isSilent) {
          const here = `${x(slot).toFixed(1)} ${y(value).toFixed(1)}`;
          line += start === null ? `M${here}h.01` : `L${here}`;
          area += start === null ? `M${x(slot).toFixed(1)} ${y(0)}L${here}` : `L${here}`;
          start ??= slot;
        } else if (start !== null) {
          area += `L${x(slot - 1).toFixed(1)} ${y(0)}Z`;
          start = null;
        }
      }
      set(lines[index], 'd', line);
      if (areas[index]) set(areas[index], 'd', area);
    });
    const slot = chosen ?? points.findLastIndex((point) => point.some((value) => value != null));
    set(cross, 'visibility', chosen === null ? 'hidden' : 'visible');
    if (chosen !== null) {
      for (const name of ['x1', 'x2']) set(cross, name, x(chosen).toFixed(1));
      set(cross, 'y1', PAD.top);
      set(cross, 'y2', height - PAD.bottom);
    }
    values.forEach((value, index) => say(value, told(points[slot]?.[index]) + unit));
    const latest = series.map(({ name }, index) => `${name} ${told(points[slot]?.[index])}`).join(', ');
    set(picture, 'aria-label', `${title} of the last five minutes; latest: ${latest}; at most ${told(Math.max(0, ...all))}`);
  }

  picture.addEventListener('pointermove', (event) => {
    const box = picture.getBoundingClientRect();
    const part = (event.clientX - box.left - PAD.left) / (box.width - PAD.left - PAD.right);
    chosen = Math.min(SLOTS - 1, Math.max(0, Math.round(part * (SLOTS - 1))));
    render();
  });
  picture.addEventListener('pointerleave', () => { chosen = null; render(); });
  new ResizeObserver(render).observe(host);
  return (next) => { points = next; render(); };
}

/** The slices of the last five minutes, one for each slot, the oldest first; undefined where nothing was counted. */
function slots({ history, slice_seconds: length }) {
  const found = Array(SLOTS);
  for (const slice of history) {
    const back = Math.floor(slice.began_seconds_ago / length);
    if (back < SLOTS) found[SLOTS - 1 - back] = slice;
  }
  return found;
}
