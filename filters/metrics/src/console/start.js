// What happens when the page is loaded, and what its buttons do.

const THEMES = ['auto', 'light', 'dark'];

function theme(name) {
  set(document.documentElement, 'data-theme', name === 'auto' ? null : name);
  say($('theme').lastChild, `: ${name}`);
  set($('theme'), 'aria-label', `Theme: ${name}`);
  try { localStorage.setItem('weir-theme', name); } catch { /* Then it is for this time only. */ }
}

function nextTheme() {
  const now = document.documentElement.dataset.theme ?? 'auto';
  theme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
}

let wanted = 'auto';
try { wanted = localStorage.getItem('weir-theme') ?? 'auto'; } catch { /* As the system has it. */ }
theme(THEMES.includes(wanted) ? wanted : 'auto');
say($('host'), location.host);
document.title = `Weir console · ${location.host}`;

drawRate = chart($('c-rate'), $('l-rate'), 'Requests per second', [
  { name: 'requests', kind: 'upstream', isFilled: true }, { name: 'errors', kind: 'refused', isFilled: true, isRare: true },
], rate, evenly, ' / s');
drawTime = chart($('c-time'), $('l-time'), 'Latency', [
  { name: 'p50', kind: 'hit' }, { name: 'p95', kind: 'upstream' }, { name: 'p99', kind: 'limited' },
], (value) => joined(span(value)), byPowers);
drawFlow = river($('river'));

$('theme').addEventListener('click', nextTheme);
$('leave').addEventListener('click', () => { forget(); location.reload(); });
$('reset').addEventListener('click', resetStatistics);
$('pause').addEventListener('click', () => { paused = !paused; refresh(); });
$('ask-no').addEventListener('click', () => $('ask').close(''));
$('period').addEventListener('change', showPeriod);
$('order').addEventListener('change', showRoutes);
$('purge-by').addEventListener('change', purgeBy);
$('purge').addEventListener('submit', purge);
document.addEventListener('visibilitychange', () => refresh());
purgeBy();

// Where access is by address alone, the door only says why it is shut, and can be tried again.
const isGuarded = document.body.hasAttribute('data-token');
$('token').required = isGuarded;
for (const id of ['token', 'keep']) show($(id).parentElement, isGuarded);

$('door').addEventListener('submit', async (event) => {
  event.preventDefault();
  const given = $('token').value.trim();
  if (!/^[\x20-\x7e]*$/.test(given)) {
    say($('refused'), 'A token has letters, digits and signs of ASCII only.');
    return;
  }
  token = given;
  $('enter').disabled = true;
  await enter(false);
  $('enter').disabled = false;
  if (session && $('keep').checked) keep();
  if (session) $('main').focus();
});

// Where no token is needed, or one was kept, nobody is asked for it.
token = kept();
if (token || !isGuarded) enter(true);
else leave();
