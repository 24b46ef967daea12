// Asking the gateway: the token, what is asked how often, and what is said when it does not answer.

const POLL = 2000;      // between two looks, milliseconds
const SLOWEST = 30000;  // between two looks at what does not answer
const PATIENCE = 8000;  // for one answer
const STORE = 'weir-token';
const prefix = location.pathname.replace(/\/console\/?$/, '');

/** Who is signed in, if anybody: what the gateway said of the console, and what is looked at. */
let session = null;
let token = '';
let timer = 0;
let paused = false;
let lost = 0;

/** Why there is no answer of use. Status 0: none came. */
class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The JSON at a path of this gateway; a Problem if there is none. */
async function request(path, method = 'GET') {
  let answer;
  let body = null;
  try {
    const headers = token ? { 'x-weir-token': token } : {};
    const signal = AbortSignal.timeout(PATIENCE);
    answer = await fetch(path, { method, headers, signal, cache: 'no-store', redirect: 'error' });
    body = await answer.json().catch((error) => { if (error.name === 'TimeoutError') throw error; });
  } catch (error) {
    const late = `The gateway did not answer within ${PATIENCE / 1000} seconds.`;
    throw new Problem(0, error.name === 'TimeoutError' ? late : 'The gateway cannot be reached.');
  }
  const isObject = body !== null && typeof body === 'object';
  // Health is told with 503 too; a problem document has a number for its status.
  if (isObject && (answer.ok || typeof body.status === 'string')) return body;
  const told = isObject ? [body.detail, ...(body.problems ?? [])].filter((text) => typeof text === 'string') : [];
  throw new Problem(answer.status, told.join(' ') || `Status ${answer.status}, and no JSON.`);
}

/** A path with parameters. */
const at = (path, parameters) => `${path}?${new URLSearchParams(parameters)}`;

/** Tells what was done, or what went wrong, for some seconds. */
function tell(text, isBad = false) {
  const note = make('p', isBad ? { class: 'bad', role: 'alert' } : {}, text);
  $('says').append(note);
  while ($('says').children.length > 3) $('says').firstChild.remove();
  setTimeout(() => note.remove(), isBad ? 15000 : 7000);
}

/** Does something that changes the gateway, and says how it went. */
async function act(path, method, told, then = []) {
  try {
    const body = await request(path, method);
    tell(typeof told === 'function' ? told(body) : told);
    await Promise.all(session.sources.filter((source) => then.includes(source.name)).map(look));
    return body;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    tell(problem.message, true);
    return null;
  }
}

/** Asks one source and shows what it says; tells whether an answer came. */
async function look(source) {
  const mine = session;
  let problem = null;
  try {
    const body = await request(source.path);
    if (session !== mine) return true;
    source.show(body);
  } catch (error) {
    if (session !== mine) return true;
    if (error.status === 401 && source.isOwn) {
      leave('The gateway does not accept this token any more.');
      return true;
    }
    if (!(error instanceof Problem)) console.error(error);
    problem = error instanceof Problem ? error : new Problem(-1, 'The answer is not what this page expects.');
  }
  source.failures = problem ? source.failures + 1 : 0;
  source.next = Date.now() + (problem ? Math.min(source.every * 2 ** source.failures, SLOWEST) : source.every) - POLL / 4;
  if (source.note) {
    const where = problem?.status === 401 ? 'The token is not accepted here: give all filters the same. ' : '';
    say(source.note, problem ? `${where}${source.path.split('?')[0]}: ${problem.message}` : '');
    show(source.note, problem);
    const section = source.note.closest('.card');
    section.toggleAttribute('data-stale', [...section.querySelectorAll('.note')].some((note) => !note.hidden));
  }
  return problem?.status !== 0;
}

/** Looks at everything that is due, and sets the time of the next look. */
async function refresh() {
  clearTimeout(timer);
  const mine = session;
  if (!mine || mine.busy || paused || document.hidden) return tellLink();
  mine.busy = true;
  const due = mine.sources.filter((source) => Date.now() >= source.next);
  const answered = await Promise.all(due.map(look));
  mine.busy = false;
  if (session !== mine) return;
  if (answered.length) lost = answered.some((is) => is) ? 0 : lost + 1;
  tellLink();
  clearTimeout(timer);
  timer = setTimeout(refresh, wait());
}

const wait = () => Math.min(POLL * 2 ** lost, SLOWEST);

/** Says whether what is shown is of now. */
function tellLink() {
  const [kind, text, more] = paused ? ['soft', 'Paused', '']
    : lost ? ['bad', 'No answer', `, next try in ${wait() / 1000} s`] : ['good', 'Live', ''];
  const [state, next] = $('link').firstChild.children;
  set($('link'), 'class', `pill ${kind}`);
  say(state, text);
  say(next, more);
  $('room').toggleAttribute('data-lost', lost);
  say($('pause'), paused ? 'Go on' : 'Pause');
}

/** Signs in with the token that there is; true if the gateway took it. */
async function enter(isFirst) {
  say($('refused'), '');
  let settings;
  try {
    settings = await request(`${prefix}/console/settings`);
  } catch (problem) {
    const refused = problem.status === 401;
    if (refused) forget();
    leave(refused && isFirst ? '' : refused ? 'The gateway does not accept this token.' : problem.message);
    return;
  }
  session = { settings, sources: [], busy: false };
  session.sources = sources(settings);
  for (const source of session.sources) Object.assign(source, { failures: 0, next: 0 });
  lost = 0;
  paused = false;
  $('token').value = '';
  inside(true);
  refresh();
}

/** Shows the door, and why. */
function leave(why = '') {
  session = null;
  clearTimeout(timer);
  inside(false);
  say($('refused'), why);
  $('token').focus();
}

function inside(is) {
  for (const id of ['room', 'nav', 'link', 'pause']) show($(id), is);
  show($('leave'), is && token);
  show($('door'), !is);
}

/** The token that was kept for this tab, if any; where nothing may be kept, none is. */
function kept() {
  try { return sessionStorage.getItem(STORE) ?? ''; } catch { return ''; }
}

function keep() {
  try { sessionStorage.setItem(STORE, token); } catch { tell('This browser keeps nothing for this page.', true); }
}

function forget() {
  token = '';
  try { sessionStorage.removeItem(STORE); } catch { /* There is nothing to forget. */ }
}

/** Asks whether to do something; the choice if there are some, else true; null for no. */
function sure(title, text, verb, isDangerous, label, choices = []) {
  const dialog = $('ask');
  say($('ask-title'), title);
  say($('ask-text'), text);
  say($('ask-yes'), verb);
  say($('ask-label'), label);
  set($('ask-yes'), 'class', isDangerous ? 'danger' : 'main');
  show($('ask-more'), choices.length);
  $('ask-choice').replaceChildren(...choices.map(([value, name]) => make('option', { value }, name)));
  dialog.returnValue = '';
  dialog.showModal();
  $('ask-no').focus();
  return new Promise((done) => {
    const yes = (event) => { event.preventDefault(); dialog.close('yes'); };
    const form = dialog.firstElementChild;
    form.addEventListener('submit', yes);
    dialog.addEventListener('close', () => {
      form.removeEventListener('submit', yes);
      const choice = choices.length ? $('ask-choice').value : true;
      done(dialog.returnValue === 'yes' ? choice : null);
    }, { once: true });
  });
}
