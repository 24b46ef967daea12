// What the breakers do, and an operator's hand on them.

const STATES = {
  closed: ['good', 'Closed'], recovering: ['warn', 'Recovering'], shedding: ['warn', 'Shedding'],
  half_open: ['warn', 'Half-open'], open: ['bad', 'Open'],
};
const HELD = { force_open: 'held open', force_closed: 'held closed', disable: 'switched off', metrics_only: 'only counting' };
const TIMES = [['', 'Until it is released'], ['1m', 'One minute'], ['10m', 'Ten minutes'], ['1h', 'One hour']];

const named = ({ rule, scope }) => scope ? `${rule} / ${scope}` : rule;

function showBreakers({ total, breakers }) {
  const open = breakers.filter(({ state }) => state === 'open').length;
  const unwell = breakers.filter(({ state }) => state !== 'closed').length;
  say($('breakers-of'), total > breakers.length ? `the first ${count(breakers.length)} of ${count(total)}` : plural(total, 'breaker'));
  measure($('open'), open ? [count(open), 'open'] : unwell ? [count(unwell), 'not closed'] : [total ? 'Closed' : NONE, '']);
  set($('open'), 'class', `value ${open ? 'bad' : unwell ? 'warn' : total ? 'good' : ''}`);
  say($('open-of'), unwell ? `of ${count(total)}` : total ? plural(total, 'breaker') : 'none met yet');
  show($('e-breakers'), !total);
  show($('breaker-rows').closest('.scroll'), total);
  list($('breaker-rows'), breakers, ({ id }) => id, newBreaker, showBreaker);
}

function newBreaker() {
  const button = (name, press) => make('button', { type: 'button', click: (event) => press(event.currentTarget.closest('tr').item) }, name);
  return make('tr', {},
    make('th', { scope: 'row' }, make('span'), make('p', { class: 'soft small mono' })),
    make('td', { 'data-head': 'State' }, make('div', {}, make('span'), make('p', { class: 'small' }), make('p', { class: 'soft small' }))),
    make('td', { 'data-head': 'Window' }, make('div', {}, make('span'), make('div', { class: 'parts thin' }), make('p', { class: 'soft small' }))),
    make('td', { 'data-head': 'Last failures' }, make('div', {}, make('span', { class: 'soft' }, 'none'),
      make('details', {}, make('summary', { class: 'small' }), make('ol', { class: 'small' })))),
    make('td', {}, make('div', { class: 'act' }, button('Trip …', (one) => hold(one, 'force_open')),
      button('Hold closed …', (one) => hold(one, 'force_closed')), button('Release', release), button('Reset', reset))));
}

function showBreaker(node, one) {
  const [title, state, window, last, acts] = node.children;
  const [kind, word] = STATES[one.state] ?? ['soft', words(one.state)];
  say(title.firstChild, named(one));
  say(title.lastChild, one.scope ? '' : one.id.slice(0, 12));
  const [pill, held, since] = state.firstChild.children;
  set(pill, 'class', `pill ${kind}`);
  say(pill, word);
  const rest = one.held?.rest_seconds;
  say(held, one.held ? `${HELD[one.held.control] ?? words(one.held.control)}${rest == null ? '' : `, ${age(rest)} more`}` : '');
  const next = one.next_probe_seconds;
  say(since, [`for ${age(one.since_seconds)}`, one.state === 'open' && next != null && !one.held ? next ? `next probe in ${age(next)}` : 'a probe is due' : '',
    one.probes ? `probes: ${count(one.probes.out)} out, ${count(one.probes.succeeded)} well` : '',
    one.share_passing != null ? `${joined(share(one.share_passing))} pass` : ''].filter(Boolean).join(', '));
  const { ended, failed, slow, shed } = one.window;
  const [tally, bar, more] = window.firstChild.children;
  say(tally, ended ? `${count(failed)} of ${count(ended)} failed` : one.state === 'open' ? 'empty since it opened' : 'nothing counted');
  show(bar, ended);
  portions(bar, [['refused', failed], ['hit', ended - failed]]);
  say(more, [slow ? `${count(slow)} slow` : '', shed ? `${count(shed)} shed` : '', one.openings > 1 && one.state !== 'closed' ? `opened ${count(one.openings)} times in a row` : ''].filter(Boolean).join(', '));
  const failures = one.last_failures;
  const [none, details] = last.firstChild.children;
  show(none, !failures.length);
  show(details, failures.length);
  say(details.firstChild, failures[0] ? because(failures[0]) : '');
  list(details.lastChild, failures, (failure) => failure.at, () => make('li'),
    (row, failure) => say(row, `${clock(failure.at)} ${because(failure)}, ${joined(span(failure.duration_seconds))}${failure.route ? `, route ${failure.route}` : ''}`));
  const [trip, close, letGo, anew] = acts.firstChild.children;
  for (const [button, verb] of [[trip, 'Trip'], [close, 'Hold closed'], [letGo, 'Release'], [anew, 'Reset']]) set(button, 'aria-label', `${verb}: ${named(one)}`);
  letGo.disabled = !one.held;
}

const because = (failure) => [failure.status ? `status ${failure.status}` : 'no answer',
  failure.grpc_status != null ? `gRPC ${failure.grpc_status}` : '', failure.slow && !failure.failed ? 'slow' : '', failure.reason]
  .filter(Boolean).join(', ');

function showEvents({ events }) {
  show($('changes'), events.length);
  list($('events'), [...events].reverse(), (event) => `${event.at} ${event.id} ${event.to}`, () => make('li', {}, make('span'), make('span', { class: 'soft' })),
    (node, event) => {
      const [kind, to] = STATES[event.to] ?? ['', words(event.to)];
      const causes = Object.entries(event).filter(([name]) => !['at', 'rule', 'per', 'scope', 'id', 'from', 'to', 'by'].includes(name))
        .map(([name, value]) => `${words(name)} ${words(value).replace(/s\d+ms$/, 's')}`);
      say(node.firstChild, [`${named(event)}: ${event.from === event.to ? to : `${(STATES[event.from] ?? ['', words(event.from)])[1]} → ${to}`}`, ...causes, event.by ? `by ${event.by}` : '']
        .filter(Boolean).join(', '));
      say(node.lastChild, clock(event.at));
      set(node, 'data-kind', kind);
    });
}

/** The parameters that mean this breaker. */
const only = ({ rule, id }) => ({ rule, id });
const THEN = ['breakers', 'events'];

async function hold(one, mode) {
  const [title, text, verb, done] = mode === 'force_open'
    ? [`Trip ${named(one)}?`, 'All its requests are refused, or answered by the cache or the fallback, whatever the upstream does.', 'Trip', 'tripped']
    : [`Hold ${named(one)} closed?`, 'All its requests go to the upstream, however many of them fail.', 'Hold closed', 'held closed'];
  const time = await sure(title, text, verb, mode === 'force_open', 'For how long', TIMES);
  if (time === null) return;
  const parameters = time ? { mode, for: time, ...only(one) } : { mode, ...only(one) };
  await act(at(`${session.settings.breakers}/control`, parameters), 'PUT', `${named(one)} is ${done}.`, THEN);
}

const release = (one) => act(at(`${session.settings.breakers}/control`, only(one)), 'DELETE', `${named(one)} is released.`, THEN);

const reset = (one) => act(at(`${session.settings.breakers}/reset`, only(one)), 'POST', `${named(one)} is reset.`, THEN);
