// What was counted of all requests: numbers, charts, flow, statuses, routes, errors, health.

const CLASSES = [
  ['2xx', 'successful'], ['3xx', 'redirected'], ['4xx', 'the client’s fault'], ['5xx', 'failed'],
  ['1xx', 'informational'], ['none', 'no answer sent'], ['_other', 'unknown to HTTP'],
];
const PERIODS = ['in the last minute', 'in the last five minutes', 'since the last reset'];

/** What the metrics filter said last. */
const latest = {};
let drawRate, drawTime, drawFlow;

/** The radio button that is chosen. */
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value;

function showPerformance(body) {
  latest.performance = body;
  const found = slots(body);
  const known = body.since_reset_seconds / body.slice_seconds;
  drawRate(found.length && Array.from(found, (slice, slot) => {
    const back = SLOTS - 1 - slot;
    const length = back ? body.slice_seconds : slice?.began_seconds_ago ?? 0;
    // The slice that has just begun says nothing yet, and before the reset nothing was counted.
    if (length < 2 || back > known) return [null, null];
    return [(slice?.requests ?? 0) / length, (slice?.errors ?? 0) / length];
  }));
  drawTime(Array.from(found, (slice) => {
    const time = slice?.latency_seconds;
    return [time?.p50, time?.p95, time?.p99].map((value) => value ?? null);
  }));
  showPeriod();
  showRoutes();
}

/** The numbers of the period that is chosen. */
function showPeriod() {
  if (!latest.performance) return;
  const period = Number(chosen('period'));
  const found = latest.performance.windows[period] ?? latest.performance.since_reset;
  const { requests, flow, latency_seconds: time } = found;
  const when = PERIODS[period];
  measure($('rate'), [rate(found.requests_per_second), '/ s']);
  say($('rate-of'), plural(requests, 'request'));
  measure($('ratio'), share(found.error_ratio));
  set($('ratio'), 'class', `value ${found.error_ratio > 0.05 ? 'bad' : found.errors ? 'warn' : ''}`);
  say($('ratio-of'), `${count(found.errors)} of ${count(requests)}`);
  measure($('p95'), span(time.p95));
  // A line may end between the two, and nowhere else.
  say($('p95-of'), ['p50', 'p99'].map((name) => `${name} ${joined(span(time[name]))}`.replaceAll(' ', '\u00a0')).join(' · '));
  measure($('limited'), [count(flow.limited), '']);
  say($('limited-of'), requests ? `${joined(share(flow.limited / requests))} of requests` : '');
  const cached = flow.hit + flow.stale;
  measure($('cached'), share(requests ? cached / requests : null));
  say($('cached-of'), `${count(cached)} of ${count(requests)}`);
  say($('flow-of'), `${plural(requests, 'request')} ${when}`);
  drawFlow(flow);
  const classes = CLASSES.map(([name, meaning]) => [name, meaning, found.by_class[name] ?? 0]).filter(([, , n]) => n);
  show($('classes'), classes.length);
  portions($('classes'), classes.map(([name, , n]) => [`c${name}`, n]));
  pairs($('class-list'), classes.map(([name, meaning, n]) =>
    [`${/^\d/.test(name) ? `${name} ` : ''}${meaning}`, `${count(n)} · ${joined(share(n / requests))}`, `c${name}`]));
}

function showStats(body) {
  latest.stats = body;
  const tagged = (counts) => Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([name, n]) => `${name} · ${count(n)}`);
  say($('in-flight'), body.in_flight == null ? '' : ` · ${count(body.in_flight)} in flight`);
  chips($('codes'), tagged(body.by_status));
  chips($('methods'), tagged(body.by_method));
  facts($('decisions'), Object.entries(body.decisions).map(([filter, all]) => [filter,
    Object.entries(all).sort((a, b) => b[1] - a[1]).map(([word, n]) => `${words(word)} ${count(n)}`).join(', ')]));
  for (const id of ['codes', 'methods', 'decisions']) show($(id).parentElement, $(id).children.length);
  show($('e-status'), !body.requests);
  say($('about'), `Counting for ${age(body.since_reset_seconds)}, up for ${age(body.uptime_seconds)}. ` +
    `Quantiles are within ${joined(share(body.quantile_error))}. Requests of operators are in no number.`);
  showRoutes();
}

function showRoutes() {
  const { stats, performance } = latest;
  if (!stats || !performance) return;
  const routes = chosen('order') === 'slow' ? performance.slowest_routes : stats.routes;
  list($('routes'), routes, ({ route }) => route, () => make('tr', {},
    make('th', { scope: 'row' }), ...['', '', ' rare', '', ' rare'].map((rare) => make('td', { class: `number${rare}` }, make('span', { class: 'rare' }), make('span'))),
    make('td', { class: 'rare' }, make('div', { class: 'parts thin' }))), (node, { route, requests, errors, error_ratio, latency_seconds: time, flow }) => {
    const [name, all, failed, p50, p95, p99, decided] = node.children;
    say(name, route);
    say(all, count(requests));
    say(failed.firstChild, errors ? `${count(errors)} · ` : '');
    say(failed.lastChild, errors ? joined(share(error_ratio)) : '0');
    for (const [cell, value] of [[p50, time.p50], [p95, time.p95], [p99, time.p99]]) say(cell, joined(span(value)));
    const parts = OUTCOMES.filter(([kind]) => flow[kind]);
    portions(decided.firstChild, parts.map(([kind]) => [kind, flow[kind]]));
    const told = parts.map(([kind, word]) => `${word} ${count(flow[kind])}`).join(', ');
    set(decided.firstChild, 'title', told);
    set(decided.firstChild, 'role', 'img');
    set(decided.firstChild, 'aria-label', told);
  });
  const others = stats.requests_of_other_routes;
  const rest = stats.routes_known - stats.routes.length;
  say($('routes-of'), ['since reset', rest > 0 ? `${plural(rest, 'more route')}` : '', others ? `${plural(others, 'request')} of routes beyond the bound` : '']
    .filter(Boolean).join(', '));
  show($('e-routes'), !routes.length);
  show($('routes').closest('.scroll'), routes.length);
}

function showErrors({ failures, max, latest: kept }) {
  say($('errors-of'), failures ? `${plural(failures, 'failure')} since reset, the last ${max} are kept` : '');
  list($('error-rows'), kept, (one) => `${one.time} ${one.method} ${one.route} ${one.status}`, () => make('tr', {},
    make('td', { 'data-head': 'Time' }), make('td', { 'data-head': 'Request' }, make('span', {}, make('b'), ' ', make('span'))),
    make('td', { 'data-head': 'Status' }), make('td', { 'data-head': 'Duration' }),
    make('td', { 'data-head': 'Reason' }, make('div', {}, make('code'), make('p', { class: 'soft small' })))), (node, one) => {
    const [time, what, status, duration, why] = node.children;
    say(time, clock(one.time));
    set(time, 'title', one.time);
    say(what.firstChild.firstChild, one.method);
    say(what.firstChild.lastChild, one.route);
    say(status, one.status || 'none');
    say(duration, joined(span(one.duration_seconds)));
    say(why.firstChild.firstChild, one.details || NONE);
    const more = [...one.flags.map(words), one.address, one.user_agent].filter(Boolean).join(' · ');
    say(why.firstChild.lastChild, more);
    show(why.firstChild.lastChild, more);
  });
  show($('e-errors'), !kept.length);
  show($('error-rows').closest('.scroll'), kept.length);
}

function showHealth(body) {
  const isReady = body.status === 'ready';
  set($('ready'), 'class', `pill ${isReady ? 'good' : 'bad'}`);
  say($('ready'), isReady ? 'Ready' : 'Not ready');
  list($('reasons'), body.reasons ?? [], (reason) => reason, () => make('li'), say);
  const { envoy, memory, version, uptime_seconds: uptime, cache, checks } = body;
  facts($('health-facts'), [
    ['Up for', age(uptime)], ['Weir', version], ['Envoy', envoy && `${envoy.version}, ${envoy.state.toLowerCase()}`],
    ['Memory in use', memory && size(memory.allocated_bytes)], ['Memory reserved', memory && size(memory.physical_bytes)],
    ['Stored responses', cache && `${count(cache.entries)}, ${size(cache.bytes)}`],
    ['Clusters asked', checks?.clusters_age_seconds != null ? `${age(checks.clusters_age_seconds)} ago` : null],
    ['Last trouble in asking', checks?.last_failure],
  ]);
  const clusters = body.clusters ?? [];
  show($('cluster-table'), clusters.length);
  list($('clusters'), clusters, ({ cluster }) => cluster, () => make('tr', {},
    make('th', { scope: 'row' }), make('td', {}, make('span')), make('td', {}, make('span'), make('ul', { class: 'small soft' }))), (node, one) => {
    const [name, ready, hosts] = node.children;
    say(name, one.cluster);
    set(ready.firstChild, 'class', `pill ${one.ready ? 'good' : 'bad'}`);
    say(ready.firstChild, one.ready ? 'Ready' : 'Not ready');
    say(hosts.firstChild, one.known ? `${count(one.hosts_healthy)} of ${count(one.hosts_total)} healthy` : 'unknown to Envoy');
    const ill = (one.hosts ?? []).filter(({ healthy }) => !healthy);
    list(hosts.lastChild, ill, ({ address }) => address, () => make('li'),
      (row, host) => say(row, `${host.address}: ${host.troubles.map(words).join(', ')}`));
  });
}

async function resetStatistics() {
  if (!await sure('Reset the statistics?', 'The numbers, charts and errors of this page begin anew, for everybody who looks at them. Prometheus keeps its own.', 'Reset statistics', true)) return;
  await act(`${prefix}/reset`, 'POST', (body) => `Reset. ${plural(body.reset.requests, 'request')} forgotten.`, ['performance', 'stats', 'errors']);
}
