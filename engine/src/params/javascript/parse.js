// `moment(text)` and `moment(text, format)`: from a text to the parts of a time. Which zone a time without an offset is in,
// and what the parts left out are, is decided in moment.js.
//
// The result is null (cannot be read) or {ms} (an instant) or {wall parts…, offset in minutes when the text has one}.
(lib) => {
  'use strict';
  const { MONTHS, MONTHS_SHORT, WEEKDAYS, WEEKDAYS_SHORT, WEEKDAYS_MIN } = lib.civil;

  const DATE = /^(?:([+-]\d{6}|\d{4})-(?:(\d\d)-(\d\d)|W(\d\d)(?:-(\d))?|(\d{3})|(\d\d))|([+-]\d{6}|\d{4})(?:(\d\d)(\d\d)|W(\d\d)(\d)?|(\d{3})))$/;
  const TIME = /^(\d\d)(?:(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)|(?:(\d\d)(?:(\d\d)(?:[.,](\d+))?)?))?$/;
  const WHOLE = /^\s*([+-]?\d[\dW-]*?)(?:(?:T| )(\d\d[\d:.,]*?)(\s*Z|[+-]\d\d(?::?\d\d)?)?)?$/;

  const fraction = (digits) => (digits === undefined ? 0 : Math.floor(Number('0.' + digits) * 1000 + 1e-7));
  const number = (text) => (text === undefined ? undefined : Number(text));
  const offsetOf = (text) => {
    const zone = text.trim();
    if (/^z$/i.test(zone)) return 0;
    const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
    return sign === undefined ? undefined : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  };

  lib.parseIso = (text) => {
    const whole = WHOLE.exec(text);
    if (!whole) return null;
    const date = DATE.exec(whole[1]);
    if (!date) return null;
    const [, y1, m1, d1, w1, e1, o1, onlyMonth, y2, m2, d2, w2, e2, o2] = date;
    const parts = {};
    const week = w1 ?? w2;
    if (week === undefined) {
      parts.year = number(y1 ?? y2);
      const month = m1 ?? m2 ?? onlyMonth;
      if (month !== undefined) parts.month = Number(month) - 1;
      parts.date = number(d1 ?? d2);
      parts.dayOfYear = number(o1 ?? o2);
    } else {
      parts.isoYear = number(y1 ?? y2);
      parts.isoWeek = number(week);
      parts.isoWeekday = number(e1 ?? e2) ?? 1;
    }
    if (whole[2] !== undefined) {
      const time = TIME.exec(whole[2]);
      // A date with hyphens takes a time with colons, one without takes one without.
      if (!time || (/-/.test(date[0].slice(1)) ? time[5] : time[2]) !== undefined) return null;
      parts.hour = Number(time[1]);
      parts.minute = number(time[2] ?? time[5]);
      parts.second = number(time[3] ?? time[6]);
      parts.millisecond = fraction(time[4] ?? time[7]);
    }
    if (whole[3] !== undefined) parts.offset = offsetOf(whole[3]);
    return parts;
  };

  const twoDigitYear = (n) => n + (n > 68 ? 1900 : 2000);
  const D12 = /\d\d?/;
  const D2 = /\d\d/;
  // A forgiving reader takes a whole word and looks at how it begins.
  const WORD = /\d*['a-z\u00A0-\u05FF\u0700-\uD7FF\uF900-\uFDCF\uFDF0-\uFF07\uFF10-\uFFEF]+/i;
  const names = (...lists) => new RegExp(lists.flat().sort((a, b) => b.length - a.length).join('|'), 'i');
  const position = (lists, word) => {
    const lower = word.toLowerCase();
    for (const list of lists) {
      const at = list.findIndex((name) => lower.startsWith(name.toLowerCase()));
      if (at >= 0) return at;
    }
    return NaN;
  };
  const MONTH_LISTS = [MONTHS, MONTHS_SHORT];
  const DAY_LISTS = [WEEKDAYS, WEEKDAYS_SHORT, WEEKDAYS_MIN];
  const set = (field, shift = 0) => (parts, text) => { parts[field] = Number.parseInt(text, 10) + shift; };
  const compact = (hourField) => (parts, text) => {
    const digits = text.length > 4 ? text.length - 4 : text.length - 2;
    parts[hourField] = Number(text.slice(0, digits));
    parts.minute = Number(text.slice(digits, digits + 2));
    if (text.length > 4) parts.second = Number(text.slice(digits + 2));
  };
  const year = (field) => (parts, text) => { parts[field] = /^\d\d$/.test(text) ? twoDigitYear(Number(text)) : Number.parseInt(text, 10); };
  const weekday = (parts, text) => { parts.day = position(DAY_LISTS, text); };
  // Token → what it accepts, what it accepts in strict mode, what it sets.
  const READ = {
    Y: [/[+-]?\d+/, /[+-]?\d+/, year('year')],
    YY: [D12, D2, (parts, text) => { parts.year = twoDigitYear(Number(text)); }],
    YYYY: [/[+-]?\d{1,4}/, /[+-]?\d{4}/, year('year')],
    YYYYY: [/[+-]?\d{1,6}/, /[+-]?\d{6}/, year('year')],
    YYYYYY: [/[+-]?\d{1,6}/, /[+-]?\d{6}/, year('year')],
    gg: [D12, D2, (parts, text) => { parts.weekYear = twoDigitYear(Number(text)); }],
    gggg: [/[+-]?\d{1,4}/, /[+-]?\d{4}/, set('weekYear')],
    ggggg: [/[+-]?\d{1,6}/, /[+-]?\d{6}/, set('weekYear')],
    GG: [D12, D2, (parts, text) => { parts.isoYear = twoDigitYear(Number(text)); }],
    GGGG: [/[+-]?\d{1,4}/, /[+-]?\d{4}/, set('isoYear')],
    GGGGG: [/[+-]?\d{1,6}/, /[+-]?\d{6}/, set('isoYear')],
    Q: [/\d/, /\d/, (parts, text) => { parts.month = (Number(text) - 1) * 3; }],
    Qo: [/\d(?:st|nd|rd|th)/i, /\d(?:st|nd|rd|th)/i, (parts, text) => { parts.month = (Number.parseInt(text, 10) - 1) * 3; }],
    M: [D12, D12, set('month', -1)],
    MM: [D12, D2, set('month', -1)],
    Mo: [/\d\d?(?:st|nd|rd|th)/i, /\d\d?(?:st|nd|rd|th)/i, set('month', -1)],
    MMM: [WORD, names(MONTHS_SHORT), (parts, text) => { parts.month = position(MONTH_LISTS, text); }],
    MMMM: [WORD, names(MONTHS), (parts, text) => { parts.month = position(MONTH_LISTS, text); }],
    D: [D12, D12, set('date')],
    DD: [D12, D2, set('date')],
    Do: [/\d\d?(?:st|nd|rd|th)/i, /\d\d?(?:st|nd|rd|th)/i, set('date')],
    DDD: [/\d{1,3}/, /\d{1,3}/, set('dayOfYear')],
    DDDo: [/\d{1,3}(?:st|nd|rd|th)/i, /\d{1,3}(?:st|nd|rd|th)/i, set('dayOfYear')],
    DDDD: [/\d{1,3}/, /\d{3}/, set('dayOfYear')],
    d: [/\d/, /\d/, set('day')],
    do: [/\d(?:st|nd|rd|th)/i, /\d(?:st|nd|rd|th)/i, set('day')],
    e: [/\d/, /\d/, set('day')],
    E: [/\d/, /\d/, set('isoWeekday')],
    dd: [WORD, names(WEEKDAYS_MIN), weekday],
    ddd: [WORD, names(WEEKDAYS_SHORT), weekday],
    dddd: [WORD, names(WEEKDAYS), weekday],
    w: [D12, D12, set('week')],
    wo: [/\d\d?(?:st|nd|rd|th)/i, /\d\d?(?:st|nd|rd|th)/i, set('week')],
    ww: [D12, D2, set('week')],
    W: [D12, D12, set('isoWeek')],
    Wo: [/\d\d?(?:st|nd|rd|th)/i, /\d\d?(?:st|nd|rd|th)/i, set('isoWeek')],
    WW: [D12, D2, set('isoWeek')],
    a: [/[ap]\.?m?\.?/i, /[ap]m/i, (parts, text) => { parts.afternoon = /^p/i.test(text); }],
    H: [D12, D12, set('hour')],
    HH: [D12, D2, set('hour')],
    k: [D12, D12, (parts, text) => { parts.hour = Number(text) % 24; }],
    kk: [D12, D2, (parts, text) => { parts.hour = Number(text) % 24; }],
    h: [D12, D12, set('halfHour')],
    hh: [D12, D2, set('halfHour')],
    Hmm: [/\d{3,4}/, /\d{3,4}/, compact('hour')],
    Hmmss: [/\d{5,6}/, /\d{5,6}/, compact('hour')],
    hmm: [/\d{3,4}/, /\d{3,4}/, compact('halfHour')],
    hmmss: [/\d{5,6}/, /\d{5,6}/, compact('halfHour')],
    m: [D12, D12, set('minute')],
    mm: [D12, D2, set('minute')],
    s: [D12, D12, set('second')],
    ss: [D12, D2, set('second')],
    x: [/[+-]?\d+/, /[+-]?\d+/, (parts, text) => { parts.ms = Number(text); }],
    X: [/[+-]?\d+(?:\.\d{1,3})?/, /[+-]?\d+(?:\.\d{1,3})?/, (parts, text) => { parts.ms = Math.round(Number(text) * 1000); }],
    Z: [/Z|[+-]\d\d:?\d\d/i, /Z|[+-]\d\d:?\d\d/i, (parts, text) => { parts.offset = offsetOf(text); }],
  };
  READ.A = READ.a;
  READ.ZZ = READ.Z;
  const reader = (token) => {
    if (token[0] !== 'S') return READ[token];
    const width = token.length;
    return [/\d+/, new RegExp(`\\d{${width}}`), (parts, text) => { parts.millisecond = fraction(text); }];
  };

  lib.parseFormat = (input, format, strict) => {
    const parts = {};
    let rest = String(input);
    let read = 0;
    let taken = 0;
    let unused = 0;
    const length = rest.length;
    for (const piece of lib.cutFormat(format)) {
      if (piece.literal !== undefined) {
        if (strict) {
          if (!rest.startsWith(piece.literal)) return null;
          rest = rest.slice(piece.literal.length);
        } else {
          const at = piece.literal === '' ? -1 : rest.indexOf(piece.literal);
          // A forgiving reader skips what separates, as long as it skips no digit.
          if (at >= 0 && !/[\dA-Za-z]/.test(rest.slice(0, at))) {
            rest = rest.slice(at + piece.literal.length);
            taken += piece.literal.length;
          }
        }
        continue;
      }
      const known = reader(piece.token);
      if (known === undefined) continue;
      const found = (strict ? known[1] : known[0]).exec(rest);
      if (!found || (strict && found.index !== 0)) {
        if (strict) return null;
        unused += 1;
        continue;
      }
      taken += found[0].length;
      known[2](parts, found[0]);
      read += 1;
      rest = rest.slice(found.index + found[0].length);
    }
    if (read === 0 || (strict && rest !== '')) return null;
    // How badly the format fits: what of the text and of the format was of no use.
    parts.score = length - taken + unused * 10;
    if (parts.halfHour !== undefined) {
      if (strict && (parts.halfHour < 1 || parts.halfHour > 12)) return null;
      parts.hour = parts.halfHour;
    }
    if (parts.afternoon === true && parts.hour < 12) parts.hour += 12;
    else if (parts.afternoon === false && parts.hour === 12) parts.hour = 0;
    return parts;
  };
}
