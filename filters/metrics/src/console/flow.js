// What became of requests, as a picture: they come in at the left, and part into what was decided.

/** What may become of a request: in the order in which it is decided. */
const OUTCOMES = [
  ['limited', 'Limited', 'over a limit'],
  ['hit', 'Cache hit', 'a stored response'],
  ['stale', 'Stale', 'stored, but too old'],
  ['refused', 'Breaker refusal', 'the upstream is spared'],
  ['upstream', 'Upstream', 'from the service'],
  ['local', 'Local', 'by Envoy or another filter'],
  ['aborted', 'Aborted', 'the client left'],
];

/** A picture in `host`; call the result with the number of requests of each outcome. */
function river(host) {
  const SLOT = 38;   // a row's height, beside what it is wide for its share
  const WIDE = 130;  // all requests together, at least
  const BAR = 9;
  const bare = OUTCOMES.length * SLOT;
  const source = draw('rect', { x: 0, width: BAR, rx: 3, fill: 'var(--soft)' });
  const label = draw('text', { class: 'name', x: 0 }, 'Requests');
  const amount = draw('text', { x: 0 });
  const rows = OUTCOMES.map(([kind, name, why]) => ({
    kind,
    name,
    why,
    ribbon: draw('path', { class: kind }),
    mouth: draw('rect', { class: kind, width: BAR, rx: 3 }),
    title: draw('text', {}, name),
    value: draw('text', {}),
  }));
  const picture = draw('svg', { role: 'img' }, ...rows.map((row) => row.ribbon), source, label, amount,
    ...rows.flatMap(({ mouth, title, value }) => [mouth, title, value]));
  host.append(picture);
  let flow = null;

  function render() {
    const width = host.clientWidth;
    if (!width || !flow) return;
    const total = sum(rows.map(({ kind }) => flow[kind] ?? 0));
    const isNarrow = width < 560;
    const right = width - (isNarrow ? 142 : 262);
    // The picture is as high as its place, which is as high as what stands beside it.
    const height = Math.max(bare + WIDE, host.clientHeight);
    const all = height - bare;
    set(picture, 'height', height);
    set(picture, 'viewBox', `0 0 ${width} ${height}`);
    const first = bare / 2;
    set(source, 'y', first);
    set(source, 'height', all);
    for (const text of [label, amount]) set(text, 'visibility', isNarrow ? 'hidden' : 'visible');
    set(label, 'y', first - 25);
    set(amount, 'y', first - 9);
    say(amount, count(total));
    set(source, 'opacity', total ? 1 : 0.35);
    let from = first;
    let top = 0;
    for (const { kind, name, why, ribbon, mouth, title, value } of rows) {
      const n = flow[kind] ?? 0;
      const part = total ? n / total : 0;
      const wide = (total ? part : 1 / rows.length) * all;
      const drawn = n ? Math.max(1.5, wide) : 0;
      const middle = top + (SLOT + wide) / 2;
      const to = middle - drawn / 2;
      const bend = BAR + (right - BAR) / 2;
      set(ribbon, 'd', drawn
        ? `M${BAR} ${from}C${bend} ${from} ${bend} ${to} ${right} ${to}V${to + drawn}C${bend} ${to + drawn} ${bend} ${from + drawn} ${BAR} ${from + drawn}Z`
        : '');
      const shown = Math.max(drawn, 3);
      for (const [key, set_to] of [['x', right], ['y', middle - shown / 2], ['height', shown], ['opacity', n ? 1 : 0.35]]) set(mouth, key, set_to);
      set(title, 'class', n ? 'name' : 'name none');
      for (const text of [title, value]) set(text, 'x', right + BAR + 9);
      set(title, 'y', middle - 2);
      set(value, 'y', middle + 14);
      const told = n ? `${count(n)} · ${joined(share(part))}` : 'none';
      say(title, name);
      say(value, isNarrow ? told : `${told} · ${why}`);
      from += wide;
      top += SLOT + wide;
    }
    const parts = rows.filter(({ kind }) => flow[kind]).map(({ kind, name }) => `${name} ${count(flow[kind])}`);
    set(picture, 'aria-label', `Of ${plural(total, 'request')}: ${parts.join(', ') || 'nothing yet'}`);
  }

  new ResizeObserver(render).observe(host);
  return (next) => { flow = next; render(); };
}
