// `Date` in the workflow's time zone, with a clock that stands still. Only the zone's offsets come from the host; what is
// not a matter of zones stays with the engine's own `Date`, whose local methods would use the machine's zone.
(lib) => {
  'use strict';
  const Native = Date;
  const proto = Native.prototype;
  const { getTime, setTime } = proto;
  const { offset, instant } = lib.host;
  let now = 0;

  const wallOf = (ms) => new Native(ms + offset('', ms));
  const pad = (n, width = 2) => String(n).padStart(width, '0');
  const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
  const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

  const method = (name, body) => {
    const holder = { [name](...args) { return body(this, args); } };
    Object.defineProperty(proto, name, { value: holder[name], writable: true, configurable: true, enumerable: false });
  };
  for (const field of ['FullYear', 'Month', 'Date', 'Day', 'Hours', 'Minutes', 'Seconds', 'Milliseconds']) {
    const get = proto['getUTC' + field];
    method('get' + field, (date) => get.call(wallOf(getTime.call(date))));
    if (field === 'Day') continue;
    const set = proto['setUTC' + field];
    method('set' + field, (date, args) => {
      const at = getTime.call(date);
      const wall = Number.isNaN(at) && field === 'FullYear' ? new Native(0) : wallOf(at);
      set.apply(wall, args);
      return setTime.call(date, instant('', getTime.call(wall)));
    });
  }
  method('getYear', (date) => date.getFullYear() - 1900);
  method('getTimezoneOffset', (date) => Math.round(-offset('', getTime.call(date)) / 60000));

  const dateText = (wall) =>
    `${WEEKDAYS[wall.getUTCDay()]} ${MONTHS[wall.getUTCMonth()]} ${pad(wall.getUTCDate())} ${pad(wall.getUTCFullYear(), 4)}`;
  const clockText = (wall) => `${pad(wall.getUTCHours())}:${pad(wall.getUTCMinutes())}:${pad(wall.getUTCSeconds())}`;
  const zoneText = (ms) => {
    const minutes = Math.round(offset('', ms) / 60000);
    const size = Math.abs(minutes);
    return `GMT${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}${pad(size % 60)} (${lib.host.abbreviation('', ms)})`;
  };
  const usDate = (wall) => `${wall.getUTCMonth() + 1}/${wall.getUTCDate()}/${wall.getUTCFullYear()}`;
  const usTime = (wall) =>
    `${wall.getUTCHours() % 12 || 12}:${pad(wall.getUTCMinutes())}:${pad(wall.getUTCSeconds())} ${wall.getUTCHours() < 12 ? 'AM' : 'PM'}`;
  const text = (name, write) =>
    method(name, (date) => {
      const ms = getTime.call(date);
      return Number.isNaN(ms) ? 'Invalid Date' : write(wallOf(ms), ms);
    });
  text('toString', (wall, ms) => `${dateText(wall)} ${clockText(wall)} ${zoneText(ms)}`);
  text('toDateString', (wall) => dateText(wall));
  text('toTimeString', (wall, ms) => `${clockText(wall)} ${zoneText(ms)}`);
  text('toLocaleString', (wall) => `${usDate(wall)}, ${usTime(wall)}`);
  text('toLocaleDateString', (wall) => usDate(wall));
  text('toLocaleTimeString', (wall) => usTime(wall));

  const LOCAL = /^\s*(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,3})\d*)?)?\s*$/;
  const HAS_ZONE = /(?::\d\d.*?(?:Z|UTC|GMT|[ECMP][SD]T|[+-]\d\d:?\d\d)\s*(?:\([^)]*\))?|\d (?:UTC|GMT))\s*$/i;
  const ISO_DATE = /^\s*[+-]?\d{4,6}(?:-\d\d(?:-\d\d)?)?\s*$/;
  const parse = (source) => {
    const text = String(source);
    const local = LOCAL.exec(text);
    if (local) {
      const [, year, month, day, hour, minute, second = 0, fraction = ''] = local;
      if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 59) return NaN;
      return instant('', Native.UTC(year, month - 1, day, hour, minute, second, fraction.padEnd(3, '0')));
    }
    // A date alone is UTC by ECMA-262, and a text with a zone needs none of ours.
    if (ISO_DATE.test(text) || HAS_ZONE.test(text)) return Native.parse(text);
    return instant('', Native.parse(text + ' UTC'));
  };

  const ZonedDate = function Date(...args) {
    if (new.target === undefined) return new ZonedDate().toString();
    let ms = now;
    if (args.length === 1) {
      const [value] = args;
      if (value instanceof Native) ms = getTime.call(value);
      else if (typeof value === 'string') ms = parse(value);
      else {
        const plain = value !== null && typeof value === 'object' ? value.valueOf() : value;
        ms = typeof plain === 'object' && plain !== null ? parse(plain) : typeof plain === 'string' ? parse(plain) : Number(plain);
      }
    } else if (args.length > 1) {
      ms = instant('', Native.UTC(...args));
    }
    return Reflect.construct(Native, [ms], new.target);
  };
  Object.defineProperty(ZonedDate, 'prototype', { value: proto, writable: false });
  Object.defineProperty(proto, 'constructor', { value: ZonedDate, writable: true, configurable: true, enumerable: false });
  Object.defineProperty(ZonedDate, 'length', { value: 7 });
  for (const [name, value] of Object.entries({ now: () => now, UTC: Native.UTC, parse })) {
    Object.defineProperty(ZonedDate, name, { value, writable: true, configurable: true, enumerable: false });
  }

  lib.Date = ZonedDate;
  lib.NativeDate = Native;
  lib.now = () => now;
  lib.begin = (at) => { now = at; };
}
