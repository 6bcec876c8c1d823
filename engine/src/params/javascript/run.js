// Closes the prelude: takes away every global that is not listed, freezes what is left, and returns the two doors through
// which the host runs expressions. Nothing here is reachable from an expression.
(lib, names) => {
  'use strict';
  const { freeze, defineProperty, getOwnPropertyDescriptor, getOwnPropertyDescriptors, getPrototypeOf } = Object;
  const { apply, ownKeys } = Reflect;
  const NativeFunction = Function;
  const stringify = JSON.stringify;
  const global = globalThis;

  const define = (name, value) => defineProperty(global, name, { value, writable: true, configurable: true, enumerable: false });
  define('Date', lib.Date);
  if (lib.moment !== undefined) define('moment', lib.moment);
  for (const key of ownKeys(global)) {
    if (typeof key === 'symbol' || !names.includes(key)) delete global[key];
  }
  const state = { seed: [0, 0, 0, 0] };
  // xoshiro128**: small, and the same numbers on every machine.
  const rotate = (x, k) => (x << k) | (x >>> (32 - k));
  const next = () => {
    const s = state.seed;
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11);
    return result;
  };
  defineProperty(Math, 'random', { value: () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992 });

  // Loops inside the engine ask nobody whether to go on. No list of that length fits into the memory an expression may use,
  // so one that claims it has holes or is no list at all.
  const MAX_LENGTH = 10_000_000;
  const tooLong = (list) => list !== null && typeof list === 'object' && list.length > MAX_LENGTH;
  for (const [name, { value: body }] of Object.entries(getOwnPropertyDescriptors(Array.prototype))) {
    if (typeof body !== 'function' || name === 'constructor' || name === 'values') continue;
    const guarded = {
      [name](...args) {
        let refused = tooLong(this);
        for (let i = 0; i < args.length; i++) refused ||= tooLong(args[i]);
        if (refused) throw new RangeError(`a list may have ${MAX_LENGTH} items`);
        return apply(body, this, args);
      },
    };
    defineProperty(Array.prototype, name, { value: guarded[name], writable: true, configurable: true, enumerable: false });
  }

  const seen = new Set();
  const harden = (value) => {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function') || seen.has(value)) return;
    seen.add(value);
    freeze(value);
    harden(getPrototypeOf(value));
    const callable = typeof value === 'function';
    for (const key of ownKeys(value)) {
      // Of every function: a number and a text.
      if (callable && (key === 'length' || key === 'name')) continue;
      const descriptor = getOwnPropertyDescriptor(value, key);
      harden(descriptor.value);
      harden(descriptor.get);
      harden(descriptor.set);
    }
  };
  harden(global);
  // Objects that only literals and iterations lead to.
  [[][Symbol.iterator](), ''[Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), /x/[Symbol.matchAll](''),
    function* () {}, (function* () {})(), async function () {}, async function* () {}].forEach(harden);

  let needed = -1;
  const stop = freeze({ __proto__: null });
  const compiled = new Map();
  const compile = (source) => {
    let body = compiled.get(source);
    if (body === undefined) {
      // The scope is `this`, so that no name of ours stands between an expression and its parameters.
      body = NativeFunction('with(this){return(\n' + source + '\n)}');
      if (compiled.size >= 1000) compiled.clear();
      compiled.set(source, body);
    }
    return body;
  };
  const run = (source, scope, now, high, low) => {
    let body;
    try {
      body = compile(source);
    } catch (error) {
      return ['syntax', String(error.message)];
    }
    needed = -1;
    lib.begin(now);
    state.seed = [high | 0, low | 0, (high ^ 0x9e3779b9) | 0, (low ^ 0x243f6a88) | 1];
    for (let i = 0; i < 8; i++) next();
    let answer;
    try {
      const value = apply(body, freeze(scope), []);
      const type = typeof value;
      if (value === null || value === undefined) answer = ['text', ''];
      else if (type === 'string') answer = ['text', value];
      else if (type === 'bigint') answer = ['text', String(value)];
      else {
        const text = stringify(value);
        answer = typeof text === 'string' ? ['text', text] : ['no text', type];
      }
    } catch (error) {
      if (error !== null && typeof error === 'object' && error !== stop) {
        answer = ['thrown', String(error.name ?? ''), String(error.message ?? error)];
      } else if (error === null) {
        // An out-of-memory error for which there is no memory arrives as null.
        answer = ['thrown', 'InternalError', 'out of memory'];
      } else {
        answer = ['thrown', '', error === stop ? '' : String(error)];
      }
    }
    // Looked at last: an expression may have caught the stop.
    return needed >= 0 ? ['needs', needed] : answer;
  };
  const pending = (object, key, id) => {
    defineProperty(object, key, {
      get() {
        if (needed < 0) needed = id;
        throw stop;
      },
      enumerable: true,
    });
  };
  return { run, pending };
}
