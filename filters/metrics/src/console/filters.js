// What the limiter and the cache tell, and purges.

const PURGE_BY = {
  url: ['URL', 'https://example.com/news/1'],
  tag: ['Tag', 'news'],
  pattern: ['Pattern', 'https://example.com/news/**'],
  prefix: ['Prefix', 'https://example.com/news/'],
};

/** Everything there is to ask, as the gateway's settings say. */
function sources({ limits, cache, breakers, health }) {
  const notes = (id) => $(id).querySelectorAll('.note');
  const source = (name, path, every, show, note, isOwn = false) => ({ name, path, every, show, note, isOwn });
  const all = [
    source('performance', `${prefix}/performance?routes=10`, POLL, showPerformance, notes('s-flow')[0], true),
    source('stats', `${prefix}/stats?routes=10`, POLL, showStats, notes('s-status')[0], true),
    source('errors', `${prefix}/errors?limit=20`, POLL, showErrors, notes('errors')[0], true),
  ];
  if (health) all.push(source('health', `${health}/detailed`, POLL, showHealth, notes('health')[0]));
  if (limits) {
    all.push(source('rules', `${limits}/rules`, SLOWEST, showRules, notes('limits')[1]));
    all.push(source('top', `${limits}/top`, POLL, showTop, notes('limits')[0]));
  }
  if (cache) {
    all.push(source('cache', `${cache}/stats`, POLL, showCache, notes('cache')[0]));
    all.push(source('purges', `${cache}/purges`, 3 * POLL, showPurges, notes('cache')[1]));
  }
  if (breakers) {
    all.push(source('breakers', `${breakers}/breakers`, POLL, showBreakers, notes('breakers')[0]));
    all.push(source('events', `${breakers}/events?limit=8`, POLL, showEvents, notes('breakers')[1]));
  }
  for (const [id, is] of Object.entries({ health, limits, cache, breakers })) {
    show($(id), is);
    show(document.querySelector(`nav a[href="#${id}"]`), is);
  }
  show($('tile-open'), breakers);
  return all;
}

// === Limits ===

function showRules({ rules }) {
  latest.rules = rules;
  showLimits();
}

function showTop({ rules }) {
  latest.top = new Map(rules.map((found) => [found.rule, found]));
  showLimits();
}

function showLimits() {
  const { rules, top } = latest;
  if (!rules) return;
  const refusals = top ? sum([...top.values()].map((found) => found.refusals)) : 0;
  const longest = top ? Math.max(0, ...[...top.values()].map((found) => found.span_seconds)) : 0;
  // Counts go back as far as their window, though not beyond the start.
  const back = Math.min(longest, latest.stats?.uptime_seconds ?? longest);
  say($('limits-of'), top ? `${plural(refusals, 'refusal')} in the last ${age(back < 60 ? back : back - back % 60)}` : '');
  show($('e-rules'), !rules.length);
  list($('rules'), rules, ({ name }) => name, () => make('div', { class: 'rule' },
    make('div', { class: 'top' }, make('h3'), make('span', { class: 'tag' }), make('span', { class: 'soft small' })),
    make('p', { class: 'soft small' }), make('p', { class: 'chips' }), make('ul')), (node, rule) => {
    const [head, match, quotas, keys] = node.children;
    const found = top?.get(rule.name);
    say(head.children[0], rule.name);
    say(head.children[1], rule.mode === 'enforce' && rule.share ? `enforce ${rule.share}` : rule.mode);
    say(head.children[2], found?.refusals ? `${plural(found.refusals, 'refusal')}` : 'nobody refused');
    say(match, `${rule.match}, by ${rule.key}`);
    chips(quotas, rule.quotas.flatMap(({ plan, limits }) => limits.map((limit) => plan ? `${plan}: ${limit}` : limit)));
    const busiest = (found?.keys ?? []).slice(0, 5);
    const most = Math.max(1, ...busiest.map((key) => key.at_most));
    list(keys, busiest, ({ key }) => key.hash, () => make('li', { class: 'key' },
      make('code'), make('div', { class: 'track' }, make('div', { class: 'fill limited' })), make('b')), (row, { key, at_least, at_most }) => {
      const [name, track, number] = row.children;
      say(name, key.text ?? key.hash);
      set(name, 'title', key.text ?? `The hash of a key; show_keys: true would tell the key.`);
      fill(track.firstChild, at_most / most);
      say(number, at_least === at_most ? count(at_most) : `${count(at_least)}–${count(at_most)}`);
    });
  });
}

// === The cache ===

function showCache(body) {
  const { store } = body;
  const looked = body.hits + body.misses;
  say($('cache-of'), looked ? `${plural(body.hits, 'hit')}, ${plural(body.misses, 'miss', 'misses')}` : 'not asked yet');
  say($('hits'), joined(share(body.hit_ratio)));
  fill($('hits-fill'), body.hit_ratio);
  say($('bytes'), `${size(store.bytes)} of ${size(store.max_bytes)}`);
  fill($('bytes-fill'), store.max_bytes ? store.bytes / store.max_bytes : 0);
  say($('entries'), `${count(store.entries)} of ${count(store.max_entries)}`);
  fill($('entries-fill'), store.max_entries ? store.entries / store.max_entries : 0);
  const reasons = (counts) => Object.entries(counts ?? {}).sort((a, b) => b[1] - a[1]).slice(0, 3)
    .map(([why, n]) => `${words(why)} ${count(n)}`).join(', ');
  facts($('cache-facts'), [
    ['Stored', count(body.stored)], ['Served', size(body.bytes_served)],
    ['Not stored', reasons(body.not_stored) || 'nothing'], ['Evicted', reasons(body.evictions) || 'nothing'],
    ['Invalidated', body.invalidations ? count(body.invalidations) : null],
  ]);
}

function showPurges({ purges }) {
  show($('in-force'), purges.length);
  pairs($('purges'), purges.slice(0, 8).map(({ what, mode, ago_seconds: ago }) => [what, `${mode}, ${age(ago)} ago`]));
}

function purgeBy() {
  const [name, example] = PURGE_BY[$('purge-by').value];
  say($('purge-hint'), name);
  set($('purge-what'), 'placeholder', example);
}

async function purge(event) {
  event.preventDefault();
  const by = $('purge-by').value;
  const what = $('purge-what').value.trim();
  if (!what) return;
  const soft = $('purge-soft').checked;
  const text = soft ? 'What is stored stays, and counts as stale: it is validated before it is served again.'
    : 'What is stored is served to nobody any more. The next requests go to the upstream.';
  if (!await sure(`Purge by ${PURGE_BY[by][0]}: ${what}?`, text, soft ? 'Make it stale' : 'Purge', !soft)) return;
  const parameters = soft ? { [by]: what, soft } : { [by]: what };
  const told = ({ purged: [done] }) => done?.entries == null ? `Purged: ${by} ${what}`
    : `Purged ${done.entries === 1 ? '1 entry' : `${count(done.entries)} entries`}: ${by} ${what}`;
  const body = await act(at(`${session.settings.cache}/entries`, parameters), 'DELETE', told, ['cache', 'purges']);
  say($('purged'), body ? told(body) : '');
  if (body) $('purge-what').value = '';
}
