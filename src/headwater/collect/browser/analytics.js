/**
 * analytics.js of Headwater: the calls of Segment's browser library, sent to the house that served this file.
 *
 * It is the same file for every source. The write key comes from the snippet (`_writeKey`) or from the address of this
 * script; the address of the house from there too; everything else from the settings of the source. What the page
 * called before this file arrived waits in the snippet's array and is made up for, in order.
 *
 * Stored values, query values and settings are text and data: nothing is ever evaluated or written into the page.
 *
 * In reading order: small words, storage, identity, context, delivery, plugins, the calls, links and forms, the start.
 */

/** Set by the build, such as `headwater-1.2.3`. */
const LIBRARY = { name: 'analytics.js', version: HEADWATER_VERSION };

const HOME = 'Segment.io';
const MAX_WAITING = 1000; // events in memory
const MAX_KEPT_CHARS = 500_000; // what one page may leave in localStorage
const MAX_EVENT_BYTES = 32_768;
const MAX_BATCH_BYTES = 450_000;
const MAX_KEEPALIVE_BYTES = 60_000; // browsers allow 64 KiB for all such requests together
const MAX_REQUESTS = 6;
const MAX_ANSWER_MS = 60_000;

// Small words

const isObject = (value) => Object.prototype.toString.call(value) === '[object Object]';
const isText = (value) => typeof value === 'string';
const isFunction = (value) => typeof value === 'function';
const isId = (value) => (isText(value) && value !== '') || typeof value === 'number';

/** A property of the object's own, never one of its prototype: names come from strangers. */
const own = (object, name) =>
  object != null && Object.prototype.hasOwnProperty.call(object, name) ? object[name] : undefined;

/** What `work` returns, or `otherwise` when it throws (called with the error if it is a function). */
const attempt = (work, otherwise = null) => {
  try {
    return work();
  } catch (error) {
    return isFunction(otherwise) ? otherwise(error) : otherwise;
  }
};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const copy = (value) => JSON.parse(JSON.stringify(value));
const bytes = (text) => new TextEncoder().encode(text).length;
const complain = (...words) => console.error('analytics.js:', ...words);

/** A random UUID, version 4, also where `crypto.randomUUID` is kept from pages without https. */
const uuid = () => {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  octets[6] = (octets[6] & 15) | 64;
  octets[8] = (octets[8] & 63) | 128;
  const hex = Array.from(octets, (octet) => (octet + 256).toString(16).slice(1)).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};

/** The parameters of a query, the last of equal names; `fromEntries` cannot reach a prototype. */
const readQuery = (query) => Object.fromEntries(new URLSearchParams(query));

/** The parameters whose names hold a mark, named by what remains when as many characters are cut off. */
const readMarked = (parameters, mark) =>
  Object.fromEntries(
    Object.entries(parameters)
      .filter(([name]) => name.includes(mark))
      .map(([name, value]) => [name.slice(mark.length), value]),
  );

function createEmitter() {
  let listeners = [];
  const on = (name, listener, single) => void listeners.push({ name, listener, single });
  const once = (name, listener) => on(name, listener, true);
  const off = (name, listener) => {
    listeners = listeners.filter((one) => one.name !== name || one.listener !== listener);
  };
  const emit = (name, ...values) => {
    for (const { listener, single } of listeners.filter((one) => one.name === name)) {
      if (single) off(name, listener);
      attempt(() => listener(...values), complain);
    }
  };
  return { on, once, off, emit };
}

// Storage: localStorage before cookies before memory, and what one of them lost is healed from the others

/** Ids are plain text; older versions wrote them as JSON, in quotes. */
const readStored = (text) =>
  /^["{]/.test(text) ? attempt(() => JSON.parse(text), text) : /^(null|undefined)?$/.test(text) ? null : text;

function createCookies({ maxage = 365, path = '/', sameSite = 'Lax', secure, domain }) {
  const write = (name, value, age, at) =>
    attempt(() => {
      document.cookie =
        `${encodeURIComponent(name)}=${encodeURIComponent(value)};path=${path};max-age=${age};samesite=${sameSite}` +
        (at ? `;domain=${at}` : '') +
        (secure ? ';secure' : '');
    });
  const read = (name) => {
    const start = `${encodeURIComponent(name)}=`;
    const found = attempt(() => document.cookie, '')
      .split('; ')
      .find((pair) => pair.startsWith(start));
    const value = found?.slice(start.length);
    return attempt(() => found && decodeURIComponent(value), value);
  };
  /** The widest domain that takes a cookie, so that subdomains share ids; none for `localhost` and addresses. */
  const widest = () => {
    const parts = location.hostname.split('.');
    if (/^[\d.]+$|:/.test(location.hostname)) return '';
    for (let count = 2; count <= parts.length; count++) {
      const candidate = parts.slice(-count).join('.');
      write('__tld__', 1, 60, candidate);
      const taken = read('__tld__');
      write('__tld__', '', 0, candidate);
      if (taken) return candidate;
    }
    return '';
  };
  return {
    get: (name) => readStored(read(name)),
    set(name, value) {
      domain ??= widest();
      if (value === null) write(name, '', 0, domain);
      else write(name, isText(value) ? value : JSON.stringify(value), maxage * 86_400, domain);
    },
  };
}

const createLocal = () => ({
  get: (name) => readStored(attempt(() => localStorage.getItem(name))),
  set: (name, value) =>
    attempt(() =>
      value === null ? localStorage.removeItem(name) : localStorage.setItem(name, JSON.stringify(value)),
    ),
});

function createMemory() {
  const kept = new Map();
  return { get: (name) => kept.get(name) ?? null, set: (name, value) => void kept.set(name, value) };
}

/** Several stores as one: the first that knows a value wins, and the others are given it. */
function joinStores(stores) {
  const set = (name, value) => stores.forEach((store) => store.set(name, value));
  const get = (name) => {
    const values = stores.map((store) => store.get(name));
    const value = values.find((one) => one !== null) ?? null;
    if (isText(value)) stores.forEach((store, at) => values[at] !== value && store.set(name, value));
    return value;
  };
  return { get, set };
}

// Identity

/**
 * A user or a group: an id and traits. `settings` are the load options `user` or `group`.
 * Another id than the one before drops the traits of the one before.
 */
function createSubject(names, settings, options, cookies) {
  const memory = createMemory();
  const all = { localStorage: createLocal(), cookie: cookies, memory };
  const persistent = !options.disableClientPersistence && settings.persist !== false;
  const chosen = persistent ? (settings.storage ?? options.storage)?.stores : ['memory'];
  const pick = (without) =>
    joinStores((chosen ?? Object.keys(all)).filter((name) => name !== without).map((name) => own(all, name) ?? memory));
  const ids = pick(settings.localStorageFallbackDisabled && 'localStorage');
  const facts = pick('cookie');
  const idName = settings.cookie?.key ?? names.id;
  const traitsName = settings.localStorage?.key ?? names.traits;

  const textAt = (name) => {
    const value = settings.disable || ids.get(name);
    return isText(value) ? value : null;
  };
  const keep = (name, value) => settings.disable || ids.set(name, value == null ? null : String(value));

  const subject = {
    textAt,
    keep,
    id(id) {
      if (id !== undefined) keep(idName, id);
      return textAt(idName);
    },
    traits(traits) {
      if (traits !== undefined && !settings.disable) facts.set(traitsName, traits === null ? null : copy(traits));
      const known = facts.get(traitsName);
      return isObject(known) ? copy(known) : {};
    },
    /** Remember an id (unless null) and merge traits; returns the traits that are now known. */
    identify(id, traits) {
      const before = subject.id();
      const same = id === null || before === null || before === id;
      const merged = { ...(same ? subject.traits() : {}), ...traits };
      if (id !== null) subject.id(id);
      if (!same || traits) subject.traits(merged);
      return copy(merged);
    },
    reset() {
      subject.id(null);
      subject.traits(null);
    },
  };
  return subject;
}

/** The user: a subject with an anonymous id, which changes when the user does. */
function createUser(options, cookies) {
  const settings = options.user ?? {};
  const user = createSubject({ id: 'ajs_user_id', traits: 'ajs_user_traits' }, settings, options, cookies);
  const { id: plainId, reset: plainReset, textAt, keep } = user;
  const legacy = () => String((!settings.disable && cookies.get('_sio')) || '').split('----');

  user.anonymousId = (id) => {
    if (id === undefined) {
      const known = textAt('ajs_anonymous_id') || legacy()[0];
      if (known) return known;
    }
    const next = id === undefined ? uuid() : id;
    keep('ajs_anonymous_id', next);
    return next;
  };
  user.id = (id) => {
    const before = plainId() ?? (legacy()[1] || null);
    if (id === undefined) return before;
    if (before !== null && id !== null && String(id) !== before) user.anonymousId(null);
    return plainId(id);
  };
  user.reset = () => {
    plainReset();
    user.anonymousId(null);
    if (legacy()[0]) cookies.set('_sio', null);
  };
  user.logout = user.reset;

  const older = options.disableClientPersistence ? null : cookies.get(settings.cookie?.oldKey ?? 'ajs_user');
  if (older && plainId() === null) {
    const { id, traits } = isObject(older) ? older : { id: older };
    if (isId(id)) plainId(id);
    if (isObject(traits)) user.traits(traits);
  }
  return user;
}

// Context

/** What the page is like now, in the form in which the snippet remembers it with each call. */
const snapshot = () => ({
  __t: 'bpc',
  c: document.querySelector("link[rel='canonical']")?.getAttribute('href') || undefined,
  p: location.pathname,
  u: location.href,
  s: location.search,
  t: document.title,
  r: document.referrer,
});

const isSnapshot = (value) => isObject(value) && value.__t === 'bpc' && isText(value.u);

/** The page as destinations know it; a canonical link decides where it is, and the hash never counts. */
function describePage({ c, p, u, s, t, r }) {
  const canonical = c && attempt(() => new URL(c, document.baseURI));
  const address = canonical && (/^[a-z]+:/i.test(c) ? c : canonical.href);
  return {
    path: canonical ? canonical.pathname : p,
    referrer: r,
    search: s,
    title: t,
    url: address ? (address.includes('?') ? address : address + s) : u.split('#')[0],
  };
}

/** `utm_campaign` is the name of the campaign, every other `utm_` parameter is named by what follows. */
function readCampaign(parameters) {
  const { campaign: name, ...more } = readMarked(parameters, 'utm_');
  return { name, ...more };
}

const AD_NETWORKS = { btid: 'dataxu', urid: 'millennial-media' };

/** The click on an advertisement that led here, also on later pages. */
function readAdClick(parameters, cookies, persistent) {
  const name = Object.keys(AD_NETWORKS).find((one) => own(parameters, one));
  if (!name) return persistent ? cookies.get('s:context.referrer') : null;
  const click = { id: parameters[name], type: AD_NETWORKS[name] };
  if (persistent) cookies.set('s:context.referrer', click);
  return click;
}

/** Adds what a browser knows. What the caller said wins. */
function enrich(event, seen, { cookies, persistent, agentData }) {
  const page = describePage(seen);
  const said = event.context;
  if (event.type === 'page') {
    event.properties = { ...page, ...event.properties };
    for (const name of ['category', 'name']) event.properties[name] = event[name] ?? event.properties[name];
    for (const name of Object.keys(page)) page[name] = event.properties[name];
  }
  const context = {
    userAgent: navigator.userAgent,
    userAgentData: agentData,
    locale: navigator.language,
    library: LIBRARY,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    ...said,
    page: { ...page, ...said.page },
  };
  const query = String(context.page.search || '');
  const parameters = readQuery(query);
  if (query && !context.campaign) context.campaign = readCampaign(parameters);
  const click = readAdClick(parameters, cookies, persistent);
  if (isObject(click)) context.referrer = { ...click, ...context.referrer };
  event.context = context;
}

// Delivery

const BACKOFF = {
  maxRetryCount: 10,
  baseBackoffInterval: 0.5,
  maxBackoffInterval: 60,
  maxTotalBackoffDuration: 43_200,
  jitterPercent: 10,
  default4xxBehavior: 'drop',
  default5xxBehavior: 'retry',
};
const OVERRIDES = { 408: 'retry', 410: 'retry', 429: 'retry', 460: 'retry', 501: 'drop', 505: 'drop', 511: 'drop' };
const RATE_LIMIT = { maxRetryCount: 10, maxRetryInterval: 300, maxRateLimitDuration: 43_200 };

/**
 * Sends events and keeps those that cannot be sent yet, in memory and, when there is trouble, in localStorage.
 *
 * An event that is sent twice is one event, by its messageId: so in doubt it is sent again. Requests carry the write
 * key in the body and no Authorization, so that browsers need not ask for permission first.
 */
function createDelivery({ home, strategy, writeKey, http, persistent, metadata, emit }) {
  const config = strategy.config ?? {};
  const batching = strategy.strategy === 'batching';
  const base = `${home.protocol ?? 'https'}://${home.apiHost}`;
  const backoff = { ...BACKOFF, ...http.backoffConfig };
  const rates = { ...RATE_LIMIT, ...http.rateLimitConfig };
  const overrides = { ...OVERRIDES, ...backoff.statusCodeOverrides };
  const maxTries = home.retryQueue === false ? 0 : (config.maxRetries ?? backoff.maxRetryCount);
  const prefix = `headwater-queue:${writeKey}:`;
  const shelf = prefix + uuid();
  const canOutlive = 'keepalive' in Request.prototype;

  /** Entries that wait, oldest first: `{ctx, text, bytes, tries, limits, sends, since, due}`. */
  let queue = [];
  const flying = new Set();
  let outliving = 0; // bytes of requests that outlive the page
  let silentUntil = 0;
  let timer;
  let saving;
  let troubled = false; // from the first trouble on the shelf is kept up to date

  const online = () => navigator.onLine !== false;

  const finish = ({ ctx, settle }, name, reason) => {
    settle?.();
    emit(name, ctx, reason);
    if (reason) emit('error', { code: name, reason, ctx });
  };

  /** Puts an event in the queue; the oldest gives way when there are too many. */
  function hold(ctx, tries, sends, due, settle) {
    const text = JSON.stringify(ctx.event);
    const entry = { ctx, text, bytes: bytes(text), tries, limits: 0, sends, due, settle };
    if (entry.bytes > MAX_EVENT_BYTES) finish(entry, 'delivery_failure', 'Exceed payload limit');
    else if (queue.push(entry) > MAX_WAITING) finish(queue.shift(), 'delivery_failure', 'Too many events wait');
  }

  /** Takes over an event. Settles with the first answer, or at once when none is to be expected. */
  const push = (ctx) =>
    new Promise((resolve) => {
      hold(ctx, 0, 0, batching ? Date.now() + (config.timeout ?? 5000) : 0, resolve);
      const size = queue.reduce((sum, one) => sum + one.bytes, 0);
      const most = config.keepalive ? 54_000 : MAX_BATCH_BYTES;
      if (!batching || queue.length >= (config.size ?? 10) || size >= most) run();
      else schedule();
      if (!online()) saveSoon();
      if (batching || !online()) resolve();
    });

  /** The next request's worth of entries that may go now; `leaving` holds back those that failed before. */
  function take(most, many, leaving) {
    const now = Date.now();
    const group = [];
    let size = 0;
    for (const entry of queue) {
      if (entry.tries && (leaving || entry.due > now)) continue;
      size += entry.bytes + 300;
      if (group.length && (!many || size > most)) break;
      group.push(entry);
    }
    return group;
  }

  /** Sends whatever is not waiting for its next try. */
  function run() {
    if (online() && Date.now() >= silentUntil) {
      for (let group; flying.size < MAX_REQUESTS && (group = take(MAX_BATCH_BYTES, batching)).length; ) send(group);
    }
    schedule();
  }

  function schedule() {
    clearTimeout(timer);
    if (!queue.length || !online() || flying.size >= MAX_REQUESTS) return;
    const due = Math.max(silentUntil, Math.min(...queue.map((entry) => entry.due)));
    timer = setTimeout(run, Math.max(0, due - Date.now()));
  }

  /** JSON text of an object with more members at its end. */
  const extend = (text, more) => text.slice(0, -1) + ',' + JSON.stringify(more).slice(1);

  const write = ({ text, sends }) => extend(text, { _metadata: { ...metadata, ...(sends && { retryCount: sends }) } });

  /** One request. `leaving`: the page may be gone before the answer. */
  function send(group, leaving) {
    queue = queue.filter((entry) => !group.includes(entry));
    const single = !batching && group.length === 1;
    const envelope = { writeKey, sentAt: new Date().toISOString() };
    const lines = group.map(write);
    const body = extend(single ? lines[0] : `{"batch":[${lines}]}`, envelope);
    const url = `${base}/${single ? group[0].ctx.event.type[0] : 'b'}`;
    const size = bytes(body);
    const wished = leaving || (canOutlive && (config.keepalive ?? !batching));
    const outlives = wished && outliving + size <= MAX_KEEPALIVE_BYTES;
    const before = Math.max(...group.map((entry) => entry.sends));
    for (const entry of group) {
      entry.since ??= Date.now();
      entry.sends += 1;
    }
    const flight = { group, outlives };
    flying.add(flight);
    if (outlives) outliving += size;
    flight.landed = transfer(url, body, before, leaving, leaving || outlives).then((answer) => {
      flying.delete(flight);
      if (outlives) outliving -= size;
      land(group, answer);
    });
  }

  /** The answer of the house: `{status, after}`; status 0 when there was none. */
  async function transfer(url, body, before, leaving, keepalive) {
    if (leaving && !canOutlive && navigator.sendBeacon(url, new Blob([body], { type: 'text/plain' }))) {
      return { status: 200 };
    }
    const custom = isFunction(config.headers) ? config.headers() : config.headers;
    const headers = { 'Content-Type': 'text/plain', ...custom, ...(before && { 'X-Retry-Count': String(before) }) };
    const { credentials, priority } = config;
    const signal = AbortSignal.timeout?.(MAX_ANSWER_MS);
    try {
      const response = await fetch(url, { method: 'POST', body, headers, keepalive, credentials, priority, signal });
      const after = response.headers.get('Retry-After') ?? '';
      return { status: response.status, after: /^\d+$/.test(after) ? Math.min(after, rates.maxRetryInterval) : null };
    } catch {
      return { status: 0, after: null };
    }
  }

  const mayRetry = (status) =>
    !status ||
    (own(overrides, status) ?? (status < 500 ? backoff.default4xxBehavior : backoff.default5xxBehavior)) === 'retry';

  const delay = (tries) => {
    const seconds = Math.min(backoff.baseBackoffInterval * 2 ** (tries - 1), backoff.maxBackoffInterval);
    return seconds * 1000 * (1 + (Math.random() * backoff.jitterPercent) / 100);
  };

  /** Decides about entries by what was answered: delivered, tried again, or given up. */
  function land(group, { status, after }) {
    const again = [];
    for (const entry of group) {
      if (status && status < 400) finish(entry, 'delivery_success');
      else if (!mayRetry(status)) finish(entry, 'delivery_failure', `HTTP ${status}`);
      else if (postpone(entry, status, after)) {
        again.push(entry);
        finish(entry, 'delivery_retry');
      } else finish(entry, 'delivery_failure', status ? `HTTP ${status}` : 'The network failed');
    }
    queue.unshift(...again);
    if (again.length || troubled) saveSoon();
    schedule();
  }

  /** When to try again; false when it was tried often enough. Being limited, or offline, does not count as a try. */
  function postpone(entry, status, after) {
    const now = Date.now();
    const spent = (now - entry.since) / 1000;
    entry.due = 0;
    if (status === 429 && after !== null) {
      silentUntil = now + after * 1000;
      entry.limits += 1;
      return maxTries > 0 && entry.limits <= rates.maxRetryCount && spent <= rates.maxRateLimitDuration;
    }
    if (!status && !online()) return true;
    entry.tries += 1;
    entry.due = now + (after === null ? delay(entry.tries) : after * 1000);
    return entry.tries <= maxTries && spent <= backoff.maxTotalBackoffDuration;
  }

  /** Leaves on the shelf what would be lost with the page, the newest first when there is no room for all. */
  function save() {
    if (!persistent) return;
    const unsafe = [...flying].filter((flight) => !flight.outlives).flatMap((flight) => flight.group);
    const lines = [];
    let chars = 0;
    for (const { text, tries } of [...unsafe, ...queue].reverse()) {
      chars += text.length + 20;
      if (chars > MAX_KEPT_CHARS) break;
      lines.unshift(`[${tries},${text}]`);
    }
    attempt(() => (lines.length ? localStorage.setItem(shelf, `[${lines}]`) : localStorage.removeItem(shelf)));
  }

  function saveSoon() {
    troubled = true;
    clearTimeout(saving);
    saving = setTimeout(save, 50);
  }

  /** Takes what earlier pages left behind. */
  function restore() {
    if (!persistent) return;
    const shelves = attempt(() => Object.keys(localStorage), []).filter((name) => name.startsWith(prefix));
    for (const name of shelves) {
      const lines = attempt(() => JSON.parse(localStorage.getItem(name)), []);
      attempt(() => localStorage.removeItem(name));
      for (const line of Array.isArray(lines) ? lines : []) {
        const [tries, event] = Array.isArray(line) ? line : [];
        if (!isObject(event) || !isText(event.type) || !isText(event.messageId)) continue;
        hold(new Context(event), +tries || 0, 1, 0);
      }
    }
    if (queue.length) saveSoon();
    run();
  }

  /** The page is hidden or going: what is fresh leaves in requests that outlive it; the rest goes on the shelf. */
  function leave() {
    if (online() && Date.now() >= silentUntil) {
      for (let group; (group = take(MAX_KEEPALIVE_BYTES, true, true)).length; ) send(group, true);
    }
    save();
    troubled = true;
  }

  addEventListener('pagehide', leave);
  document.addEventListener('visibilitychange', () => (document.visibilityState === 'hidden' ? leave() : run()));
  addEventListener('online', () => {
    for (const entry of queue) entry.due = 0;
    run();
  });
  restore();

  /** Sends what waits and settles when everything in flight was answered. */
  const flush = () => {
    run();
    emit('flush');
    return Promise.all([...flying].map((flight) => flight.landed));
  };
  return { push, flush };
}

// Plugins

/** An event on its way, as plugins, middleware, listeners and callbacks see it. */
class Context {
  constructor(event) {
    this.event = event;
    this.id = event.messageId;
    this.attempts = 0;
  }

  /** Sets a value at a path with dots; only own properties are walked, so no prototype is reached. */
  updateEvent(path, value) {
    const steps = path.split('.');
    const last = steps.pop();
    let place = this.event;
    for (const step of steps) place = own(place, step) ?? (place[step] = {});
    place[last] = value;
  }

  log() {}
}

/** The event that a middleware lets through, or null when it did not call `next`. */
async function passMiddleware(middleware, event) {
  let passed = null;
  const next = (payload) => void (passed = payload === undefined ? event : (payload?.obj ?? null));
  await middleware({ payload: { obj: event, json: () => event }, next, integrations: event.integrations });
  return passed;
}

/** Whether an event may go to a destination, by its `integrations`. */
const isWanted = (integrations, name) => own(integrations, name) ?? own(integrations, 'All') ?? true;

function createPlugins(analytics, emit) {
  let plugins = [];
  const sources = [];
  const ofType = (...types) => plugins.filter((plugin) => types.includes(plugin.type));

  const call = async (plugin, ctx) => {
    const hook = plugin[ctx.event.type];
    return (isFunction(hook) && (await hook.call(plugin, ctx))) || ctx;
  };

  return {
    async register(...added) {
      for (const plugin of added) {
        try {
          await plugin.load?.(new Context({ type: 'track', event: 'load', context: {} }), analytics);
          plugins.push(plugin);
        } catch (error) {
          complain(error);
          emit('error', { code: 'load_plugin', reason: error });
          emit('initialization_failure', plugin);
        }
      }
    },
    async deregister(...names) {
      for (const plugin of plugins.filter((one) => names.includes(one.name))) await plugin.unload?.();
      plugins = plugins.filter((one) => !names.includes(one.name));
    },
    addSource: (middleware) => void sources.push(middleware),
    ready: () => Promise.all(plugins.map((plugin) => plugin.ready?.())),

    /** What becomes of an event before it is sent: the context to send, or null when it was dropped. */
    async prepare(ctx) {
      for (const middleware of sources) {
        ctx.event = await passMiddleware(middleware, ctx.event);
        if (!ctx.event) return null;
      }
      for (const plugin of ofType('before')) ctx = await call(plugin, ctx);
      for (const plugin of ofType('enrichment')) ctx = (await call(plugin, ctx).catch(complain)) ?? ctx;
      return ctx;
    },
    reachDestinations(ctx) {
      for (const plugin of ofType('destination')) {
        if (isWanted(ctx.event.integrations, plugin.name)) {
          call(plugin, new Context(copy(ctx.event))).catch(complain);
        }
      }
    },
    async conclude(ctx) {
      for (const plugin of ofType('after', 'utility')) await call(plugin, ctx).catch(complain);
    },
  };
}

// The calls

/** Of no use here, and still called by pages. */
const RETIRED = [
  'addDestinationMiddleware',
  'initialize',
  'noConflict',
  'normalize',
  'listeners',
  'log',
  'addEventListener',
  'removeListener',
  'addIntegrationMiddleware',
];

// How the values of a call are read: the fields of the event, what listeners are told, and the options.

/** One text is a name, two are category and name; then properties and options. */
function readPage(values) {
  const texts = values.filter(isText);
  const rest = texts.length ? values.slice(values.lastIndexOf(texts[texts.length - 1]) + 1) : values.filter(isObject);
  const [name, category] = texts.slice(0, 2).reverse();
  const [properties, said] = rest;
  return [{ category, name, properties: { ...properties } }, [category, name, properties], said];
}

/** An event's name, properties and options; or an object with the first two, and options. */
function readTrack([first, second, third]) {
  const [event, properties, said] = isObject(first) ? [first.event, first.properties, second] : [first, second, third];
  if (!isText(event) || !event) throw new Error('track: the event needs a name');
  return [{ event, properties: { ...properties } }, [event, properties], said];
}

function createAnalytics({ writeKey, options, settings, consent, agentData }) {
  const persistent = !options.disableClientPersistence;
  const cookies = createCookies(options.cookie ?? {});
  const user = createUser(options, cookies);
  const group = createSubject(
    { id: 'ajs_group_id', traits: 'ajs_group_properties' },
    options.group ?? {},
    options,
    cookies,
  );
  const emitter = createEmitter();
  const { emit } = emitter;
  const wanted = Object.fromEntries(
    Object.entries(options.integrations ?? {}).map(([name, value]) => [name, Boolean(value)]),
  );
  const home = { ...settings.integrations?.[HOME], ...options.integrations?.[HOME] };
  const plan = options.plan?.track ?? settings.plan?.track;
  const delivery = isWanted(wanted, HOME)
    ? createDelivery({
        home,
        strategy: home.deliveryStrategy ?? {},
        writeKey: home.apiKey ?? writeKey,
        http: { ...options.integrations?.[HOME]?.httpConfig, ...settings.integrations?.[HOME]?.httpConfig },
        persistent,
        metadata: { bundled: [HOME], unbundled: home.unbundledIntegrations ?? [], bundledIds: [] },
        emit,
      })
    : { push() {}, async flush() {} };
  let talking = false;

  /** Puts the parts of a call together (`fields` are those of its type) and hands it on. */
  function call(type, fields, said, seen, callback) {
    const { integrations, context, userId, anonymousId, timestamp, messageId, ...rest } = said;
    if (isId(anonymousId)) user.anonymousId(anonymousId);
    const now = Date.now();
    const event = {
      timestamp: isText(timestamp) ? timestamp : attempt(() => new Date(timestamp ?? now).toISOString()),
      integrations: { ...wanted, ...integrations },
      type,
      userId: user.id(),
      anonymousId: user.anonymousId(),
      ...fields,
      ...(isId(userId) && { userId: String(userId) }),
      context: { ...context, ...rest },
      messageId: isText(messageId) ? messageId : `ajs-next-${now}-${uuid()}`,
    };
    enrich(event, seen, { cookies, persistent, agentData });
    return dispatch(new Context(event), now, callback);
  }

  async function dispatch(ctx, began, callback) {
    emit('dispatch_start', ctx);
    if (consent) await consent.stamp(ctx.event);
    const passed = await plugins.prepare(ctx);
    if (!passed) return ctx;
    applyPlan(passed.event);
    emit('message_enriched', passed);
    if (talking) console.log('analytics.js:', passed.event.type, passed.event);
    plugins.reachDestinations(passed);
    passed.attempts += 1;
    const delivered = isWanted(passed.event.integrations, HOME) ? delivery.push(passed) : undefined;
    if (callback) {
      await Promise.race([delivered, pause(1000)]);
      await pause(began + analytics.settings.timeout - Date.now());
      attempt(() => callback(passed), complain);
    } else await delivered;
    emit('message_delivered', passed);
    await plugins.conclude(passed);
    return passed;
  }

  /** The plan of the source: an event that is switched off goes to the house alone. */
  function applyPlan(event) {
    if (event.type !== 'track' || !isObject(plan)) return;
    const rule = own(plan, event.event) ?? own(plan, '__default');
    if (rule?.enabled === false) event.integrations = { ...event.integrations, All: false, [HOME]: true };
    else event.integrations = { ...event.integrations, ...rule?.integrations };
  }

  /** An id that may be left out or null, then traits and options; the user or group remembers them. */
  const readSubject = (subject, name) => (values) => {
    const [first, traits, said] = isObject(values[0]) ? [null, ...values] : values;
    const known = subject.identify(isId(first) ? String(first) : null, traits);
    const id = subject.id() ?? (isId(first) ? String(first) : null);
    return [{ [name]: id, traits: known }, [id, traits], said];
  };

  function readAlias(values) {
    const [to = null, from] = values.filter(isId).map(String);
    const previousId = from ?? user.id() ?? user.anonymousId();
    return [{ userId: to, previousId }, [to, from], values.find(isObject)];
  }

  /** A method of that type of event, which takes its values as `read` does. */
  const method =
    (type, read) =>
    async (...values) => {
      const callback = values.find(isFunction);
      const seen = values.find(isSnapshot) ?? snapshot();
      const [fields, told, said] = read(values.filter((value) => value !== callback && value !== seen));
      const sent = call(type, fields, isObject(said) ? said : {}, seen, callback);
      emit(type, ...told, said);
      return sent;
    };
  const changeGroup = method('group', readSubject(group, 'groupId'));

  const analytics = {
    initialized: true,
    VERSION: LIBRARY.version,
    settings: { writeKey, timeout: 300 },
    options,

    track: method('track', readTrack),
    page: method('page', readPage),
    screen: method('screen', readPage),
    identify: method('identify', readSubject(user, 'userId')),
    alias: method('alias', readAlias),
    group: (...values) => (values.length ? changeGroup(...values) : group),

    user: () => user,
    setAnonymousId: (id) => user.anonymousId(id),
    reset() {
      user.reset();
      group.reset();
      emit('reset');
    },
    ready: async (callback) => {
      await plugins.ready();
      return callback?.();
    },
    flush: () => delivery.flush(),
    timeout: (ms) => void (analytics.settings.timeout = ms),
    debug(on) {
      talking = on !== false;
      if (!talking) attempt(() => localStorage.removeItem('debug'));
      return analytics;
    },
    ...emitter,
    pageview: (url) => analytics.page(isText(url) ? { path: url } : {}),
  };
  for (const name of RETIRED) analytics[name] = () => analytics;

  const plugins = createPlugins(analytics, emit);
  analytics.register = plugins.register;
  analytics.deregister = plugins.deregister;
  analytics.addSourceMiddleware = plugins.addSource;
  addTracking(analytics);
  return analytics;
}

// Links and forms

function addTracking(analytics) {
  /** An element, several of them in an array or a list, or those of jQuery. */
  const elementsOf = (given) => {
    const list = !given ? [] : given instanceof Element ? [given] : Array.from(given.toArray?.() ?? given);
    for (const one of list) if (!(one instanceof Element)) throw new TypeError('not an element');
    return list;
  };
  const told = (value, element) => (isFunction(value) ? value(element) : value);
  const onEach = (given, kind, react) => {
    for (const element of elementsOf(given)) element.addEventListener(kind, (click) => react(element, click));
    return analytics;
  };
  /** Goes on when the call was sent, or when it takes too long. */
  const after = (sent, go) => void Promise.race([sent, pause(analytics.settings.timeout)]).then(go, go);

  analytics.trackLink = (links, event, properties, options) =>
    onEach(links, 'click', (element, click) => {
      const sent = analytics.track(told(event, element), told(properties, element) ?? {}, options ?? {});
      const anchor = element.href ? element : element.querySelector('a[href]');
      const address = anchor?.href?.baseVal ?? anchor?.href;
      const stays =
        anchor?.target === '_blank' || click.ctrlKey || click.metaKey || click.shiftKey || click.button > 0;
      if (!address || stays || click.defaultPrevented || !/^https?:/.test(new URL(address, document.baseURI).href)) {
        sent.catch(complain);
        return;
      }
      click.preventDefault();
      after(sent, () => location.assign(address));
    });

  analytics.trackForm = (forms, event, properties, options) =>
    onEach(forms, 'submit', (form, submit) => {
      if (submit.defaultPrevented) return;
      submit.preventDefault();
      const sent = analytics.track(told(event, form), told(properties, form) ?? {}, options ?? {});
      after(sent, () => HTMLFormElement.prototype.submit.call(form));
    });

  analytics.trackClick = analytics.trackLink;
  analytics.trackSubmit = analytics.trackForm;
}

// The start

/**
 * Consent: `{getCategories, shouldLoadSegment?, registerOnConsentChanged?}` of the load options. Until a category that
 * the source asks for is granted nothing is stored or sent; afterwards every event carries the preferences.
 */
function createConsent({ getCategories, shouldLoadSegment, registerOnConsentChanged }) {
  let changed = () => {};
  let inform = () => {};
  registerOnConsentChanged?.((categories) => {
    changed();
    inform(categories);
  });
  return {
    begin: async () => shouldLoadSegment?.({}),
    /** Waits until something may be sent, by the categories of the settings. */
    async allow({ allCategories, hasUnmappedDestinations } = {}) {
      for (;;) {
        const change = new Promise((resolve) => (changed = resolve));
        const granted = (await getCategories()) ?? {};
        if (hasUnmappedDestinations !== false || (allCategories ?? []).some((name) => own(granted, name))) return;
        await change;
      }
    },
    async stamp(event) {
      const categoryPreferences = { ...(await getCategories()) };
      event.context.consent = { ...event.context.consent, categoryPreferences };
    },
    tellOf(analytics) {
      inform = (categories) => {
        const consent = isObject(categories) ? { consent: { categoryPreferences: categories } } : {};
        analytics.track('Segment Consent Preference Updated', {}, consent).catch(complain);
      };
    },
  };
}

/** `?ajs_aid=...&ajs_uid=...&ajs_event=...`: calls that stand in the page's address (after `?`, also in the hash). */
function obeyQuery(analytics, rule) {
  const query = location.search || location.hash.split('?')[1] || '';
  if (rule === false || !query.includes('ajs_')) return;
  const parameters = readQuery(query);
  const { ajs_aid: aid, ajs_uid: uid, ajs_event: event } = parameters;
  const matches = (pattern, value) => value && (!pattern || new RegExp(pattern).test(value));
  if (matches(rule?.aid, aid)) analytics.setAnonymousId(aid);
  if (matches(rule?.uid, uid)) void analytics.identify(uid, readMarked(parameters, 'ajs_trait_'));
  if (event) void analytics.track(event, readMarked(parameters, 'ajs_prop_'));
}

async function fetchSettings(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  return response.json();
}

/**
 * Fetches the settings, waits for consent, takes the place of the snippet's array as `window[name]`, and makes up for
 * the calls that wait in it: first those that say how others are to be treated.
 */
async function start(script, name) {
  const buffer = (window[name] = window[name] ?? []);
  if (buffer.initialized || buffer.starting) {
    complain('this page includes it twice.');
    return;
  }
  buffer.starting = true;
  const [, root, keyInAddress] = /^(.*)\/analytics\.js\/v1\/([^/]+)\//.exec(script?.src ?? '') ?? [];
  const writeKey = buffer._writeKey ?? (keyInAddress && decodeURIComponent(keyInAddress));
  if (!writeKey) throw new Error('there is no write key');
  const options = { ...buffer._loadOptions };
  if (options.initialPageview) buffer.unshift(['page', snapshot()]);
  const consent = options.consent && createConsent(options.consent);
  await consent?.begin();

  const cdn = options.cdnURL ?? buffer._cdn ?? root ?? new URL(script?.src || location.href).origin;
  const address = `${cdn}/v1/projects/${encodeURIComponent(writeKey)}/settings`;
  const fetched = options.cdnSettings ?? (await fetchSettings(address));
  const settings = options.updateCDNSettings?.(fetched) ?? fetched;
  if (isFunction(options.disable) ? options.disable(settings) : options.disable) {
    buffer.length = 0;
    buffer.push = () => 0;
    return;
  }
  await consent?.allow(settings.consentSettings);
  let agentData = navigator.userAgentData;
  const hints = options.highEntropyValuesClientHints;
  if (hints) agentData = await agentData?.getHighEntropyValues(hints).catch(() => agentData);

  const analytics = createAnalytics({ writeKey, options, settings, consent, agentData });
  const make = async ([method, ...values]) => {
    try {
      await own(analytics, method)?.(...values);
    } catch (error) {
      complain(error);
    }
  };
  const taken = (...methods) => {
    const lines = buffer.filter((line) => methods.includes(line?.[0]));
    for (const line of lines) buffer.splice(buffer.indexOf(line), 1);
    return lines;
  };
  for (const line of taken('setAnonymousId', 'on', 'once', 'off', 'debug')) void make(line);
  for (const line of taken('register', 'addSourceMiddleware', 'addDestinationMiddleware')) await make(line);
  window[name] = analytics;
  analytics.emit('initialize', analytics.settings, options);
  consent?.tellOf(analytics);
  obeyQuery(analytics, options.useQueryString);
  for (const line of buffer.splice(0)) void make(line);
}

const script = document.currentScript;
start(script, script?.dataset.globalSegmentAnalyticsKey || 'analytics').catch(complain);
