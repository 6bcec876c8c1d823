// `moment`: the interface of moment.js 2.21 as Digdag's workflows use it, over the host's time zones. A moment is an instant
// and a way to look at it: the workflow's zone (`''`), `UTC`, another zone by name, or a fixed offset.
//
// More than Digdag has: `.tz(name)` and `moment.tz(…, name)`. Less: only English, no deprecated setters.
(lib) => {
  'use strict';
  const { MINUTE, HOUR, DAY, SECOND, MONTHS, MONTHS_SHORT, WEEKDAYS, WEEKDAYS_SHORT, WEEKDAYS_MIN, ISO, US } = lib.civil;
  const { normalize, utc, fields, daysInMonth, dayOfYear, weekOf, firstWeek, weeksInYear, mod, towardsZero } = lib.civil;
  const { Duration, duration, roundAway, host } = lib;
  const LOCAL = '';

  class Moment {
    // `look`: a zone's name, or an offset in minutes.
    constructor(ms, look) {
      this._ms = ms;
      this._look = look;
    }
    valueOf() { return this._ms; }
    getTime() { return this._ms; }
    unix() { return Math.floor(this._ms / SECOND); }
    toDate() { return new lib.Date(this._ms); }
    isValid() { return !Number.isNaN(this._ms); }
    clone() { return new Moment(this._ms, this._look); }

    // --- zones ---
    _offset() {
      if (typeof this._look === 'number') return this._look * MINUTE;
      return this._look === 'UTC' ? 0 : host.offset(this._look, this._ms);
    }
    _wall() { return this._ms + this._offset(); }
    _setWall(wall) {
      this._ms = fromWall(wall, this._look);
      return this;
    }
    _lookAt(look, keepWall) {
      if (look === this._look) return this;
      const wall = keepWall ? this._wall() : 0;
      this._look = look;
      return keepWall ? this._setWall(wall) : this;
    }
    utc(keepWall) { return this._lookAt('UTC', keepWall); }
    local(keepWall) { return this._lookAt(LOCAL, keepWall); }
    tz(name, keepWall) {
      if (name === undefined) return this._look === LOCAL ? undefined : this._look;
      return this._lookAt(known(name), keepWall);
    }
    utcOffset(value, keepWall) {
      if (value === undefined || value === null) return this.isValid() ? Math.round(this._offset() / MINUTE) : NaN;
      if (!this.isValid()) return this;
      let minutes = Number(value);
      if (typeof value === 'string') {
        const found = /^\s*(?:([+-]?)(\d\d):?(\d\d)|(Z))\s*$/i.exec(value);
        if (!found) return this;
        minutes = found[4] ? 0 : (found[1] === '-' ? -1 : 1) * (Number(found[2]) * 60 + Number(found[3]));
      } else if (Math.abs(minutes) < 16) {
        minutes *= 60;
      }
      return this._lookAt(minutes === 0 ? 0 : minutes, keepWall);
    }
    isUTC() { return this.isValid() && (this._look === 'UTC' || this._look === 0); }
    isUtc() { return this.isUTC(); }
    isLocal() { return this.isValid() && this._look === LOCAL; }
    isUtcOffset() { return this.isValid() && this._look !== LOCAL; }
    // As in moment: nothing for the workflow's zone, `UTC` for any offset.
    zoneAbbr() {
      if (this._look === LOCAL) return '';
      return typeof this._look === 'number' || this._look === 'UTC' ? 'UTC' : host.abbreviation(this._look, this._ms);
    }
    zoneName() { return this._look === 'UTC' || typeof this._look === 'number' ? 'Coordinated Universal Time' : ''; }
    isDST() {
      const offset = this.utcOffset();
      return offset > this.clone().month(0).utcOffset() || offset > this.clone().month(5).utcOffset();
    }

    // --- arithmetic ---
    _shift(amount, unit, sign) {
      // The old order of the arguments, unit first, still works.
      const [value, name] = unit !== undefined && unit !== null && typeof amount === 'string' && Number.isNaN(Number(amount)) ? [unit, amount] : [amount, unit];
      // A text is a number here or nothing: `add("P1D")` adds nothing in moment either.
      const by = duration(typeof value === 'string' ? Number(value) || 0 : value, name);
      const months = sign * roundAway(by._months);
      const days = sign * roundAway(by._days);
      if (months) this._setWall(addMonths(this._wall(), months));
      if (days) this._setWall(this._wall() + days * DAY);
      this._ms += sign * by._milliseconds;
      return this;
    }
    add(amount, unit) { return this._shift(amount, unit, 1); }
    subtract(amount, unit) { return this._shift(amount, unit, -1); }
    startOf(unit) {
      const name = normalize(unit);
      const wall = this._wall();
      const f = fields(wall);
      const day = Math.floor(wall / DAY) * DAY;
      switch (name) {
        case 'year': return this._setWall(utc(f.year, 0, 1));
        case 'quarter': return this._setWall(utc(f.year, f.month - (f.month % 3), 1));
        case 'month': return this._setWall(utc(f.year, f.month, 1));
        case 'week': return this._setWall(day - f.day * DAY);
        case 'isoWeek': return this._setWall(day - ((f.day + 6) % 7) * DAY);
        case 'day': case 'date': return this._setWall(day);
        // Parts of a day are taken off the instant: an hour that comes twice keeps its turn.
        case 'hour': this._ms -= mod(wall, HOUR); return this;
        case 'minute': this._ms -= mod(wall, MINUTE); return this;
        case 'second': this._ms -= mod(wall, SECOND); return this;
        default: return this;
      }
    }
    endOf(unit) {
      const name = normalize(unit);
      if (name === undefined || name === 'millisecond') return this;
      return this.startOf(name).add(1, name === 'isoWeek' ? 'week' : name === 'date' ? 'day' : name).subtract(1, 'ms');
    }
    diff(input, unit, exact) {
      if (!this.isValid()) return NaN;
      const that = this._alike(input);
      if (!that.isValid()) return NaN;
      const zones = that._offset() - this._offset();
      const ms = this._ms - that._ms;
      const result = (() => {
        switch (normalize(unit)) {
          case 'year': return monthsBetween(this, that) / 12;
          case 'quarter': return monthsBetween(this, that) / 3;
          case 'month': return monthsBetween(this, that);
          case 'second': return ms / SECOND;
          case 'minute': return ms / MINUTE;
          case 'hour': return ms / HOUR;
          case 'day': return (ms - zones) / DAY;
          case 'week': return (ms - zones) / (7 * DAY);
          default: return ms;
        }
      })();
      return exact ? result : towardsZero(result);
    }
    _alike(input) {
      const that = moment(input);
      that._look = this._look;
      return that;
    }

    // --- comparing ---
    isAfter(input, unit) {
      const that = moment(input);
      const exact = normalize(unit) === undefined || normalize(unit) === 'millisecond';
      return exact ? this._ms > that._ms : that._ms < this.clone().startOf(unit)._ms;
    }
    isBefore(input, unit) {
      const that = moment(input);
      const exact = normalize(unit) === undefined || normalize(unit) === 'millisecond';
      return exact ? this._ms < that._ms : this.clone().endOf(unit)._ms < that._ms;
    }
    isSame(input, unit) {
      const that = moment(input);
      if (normalize(unit) === undefined || normalize(unit) === 'millisecond') return this._ms === that._ms;
      return this.clone().startOf(unit)._ms <= that._ms && that._ms <= this.clone().endOf(unit)._ms;
    }
    isSameOrAfter(input, unit) { return this.isSame(input, unit) || this.isAfter(input, unit); }
    isSameOrBefore(input, unit) { return this.isSame(input, unit) || this.isBefore(input, unit); }
    isBetween(from, to, unit, bounds = '()') {
      return (bounds[0] === '(' ? this.isAfter(from, unit) : !this.isBefore(from, unit)) &&
        (bounds[1] === ')' ? this.isBefore(to, unit) : !this.isAfter(to, unit));
    }

    // --- text ---
    format(format) {
      if (!this.isValid()) return 'Invalid date';
      return lib.format(this, this._wall(), format || (this.isUTC() ? 'YYYY-MM-DDTHH:mm:ss[Z]' : 'YYYY-MM-DDTHH:mm:ssZ'));
    }
    toISOString(keepOffset) {
      if (!this.isValid()) return null;
      return keepOffset ? this.format('YYYY-MM-DDTHH:mm:ss.SSSZ') : new lib.NativeDate(this._ms).toISOString();
    }
    toJSON() { return this.toISOString(); }
    toString() { return this.format('ddd MMM DD YYYY HH:mm:ss [GMT]ZZ'); }
    inspect() {
      if (!this.isValid()) return 'moment.invalid(/* NaN */)';
      const [maker, zone] = this.isLocal() ? ['moment', ''] : [this.utcOffset() === 0 ? 'moment.utc' : 'moment.parseZone', 'Z'];
      const year = this.year() >= 0 && this.year() <= 9999 ? 'YYYY' : 'YYYYYY';
      return `${maker}("${this.format(`${year}-MM-DD[T]HH:mm:ss.SSS${zone}`)}")`;
    }
    toArray() {
      const f = fields(this._wall());
      return [f.year, f.month, f.date, f.hour, f.minute, f.second, f.millisecond];
    }
    toObject() {
      const f = fields(this._wall());
      return { years: f.year, months: f.month, date: f.date, hours: f.hour, minutes: f.minute, seconds: f.second, milliseconds: f.millisecond };
    }
    from(input, bare) {
      const that = moment(input);
      if (!this.isValid() || !that.isValid()) return 'Invalid date';
      const span = duration({ from: that, to: this });
      const words = lib.relative(span);
      return bare ? words : span.valueOf() > 0 ? 'in ' + words : words + ' ago';
    }
    to(input, bare) { return moment(input)._as(this._look).from(this, bare); }
    fromNow(bare) { return this.from(lib.now(), bare); }
    toNow(bare) { return this.to(lib.now(), bare); }
    _as(look) {
      this._look = look;
      return this;
    }
    calendar(reference, formats) {
      const start = this._alike(reference ?? lib.now()).startOf('day');
      const days = this.diff(start, 'days', true);
      const kind = days < -6 ? 'sameElse' : days < -1 ? 'lastWeek' : days < 0 ? 'lastDay' : days < 1 ? 'sameDay' : days < 2 ? 'nextDay' : days < 7 ? 'nextWeek' : 'sameElse';
      const given = formats?.[kind];
      return this.format((typeof given === 'function' ? given.call(this, start) : given) ?? CALENDAR[kind]);
    }
    // Only English is known; asking for another language changes nothing, as in moment when a language is not loaded.
    locale(name) { return name === undefined ? 'en' : this; }
    lang(name) { return this.locale(name); }

    // --- fields ---
    daysInMonth() {
      const f = fields(this._wall());
      return this.isValid() ? daysInMonth(f.year, f.month) : NaN;
    }
    isLeapYear() { return lib.civil.isLeap(this.year()); }
    weeksInYear() { return this.isValid() ? weeksInYear(this.year(), US) : NaN; }
    isoWeeksInYear() { return this.isValid() ? weeksInYear(this.year(), ISO) : NaN; }
    get(unit) {
      const name = normalize(unit);
      return name === undefined ? this : this[name]();
    }
    set(unit, value) {
      if (unit !== null && typeof unit === 'object') {
        const order = ['year', 'quarter', 'month', 'week', 'isoWeek', 'date', 'dayOfYear', 'day', 'weekday', 'isoWeekday', 'hour', 'minute', 'second', 'millisecond'];
        const given = Object.entries(unit).map(([name, to]) => [normalize(name), to]).filter(([name]) => name !== undefined);
        given.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)).forEach(([name, to]) => this[name](to));
        return this;
      }
      const name = normalize(unit);
      return name === undefined ? this : this[name](value);
    }
    _change(parts) {
      if (!this.isValid()) return this;
      const f = { ...fields(this._wall()), ...parts };
      return this._setWall(utc(f.year, f.month, f.date, f.hour, f.minute, f.second, f.millisecond));
    }
  }

  const field = (name, plural, get, set) => {
    const method = function (value) {
      if (value === undefined || value === null) return this.isValid() ? get(this._wall(), this) : NaN;
      return this.isValid() ? set(this, typeof value === 'string' && !Number.isNaN(Number(value)) ? Number(value) : value) : this;
    };
    for (const key of [name, plural]) Object.defineProperty(Moment.prototype, key, { value: method, writable: true, configurable: true });
  };
  const simple = (name, plural) => field(name, plural, (wall) => fields(wall)[name], (m, value) => m._change({ [name]: value }));
  const position = (value, ...lists) => {
    if (typeof value !== 'string') return value;
    for (const list of lists) {
      const at = list.findIndex((name) => name.toLowerCase() === value.toLowerCase());
      if (at >= 0) return at;
    }
    return undefined;
  };
  const inMonth = (m, year, month) => {
    const first = new lib.NativeDate(utc(year, month, 1));
    const date = Math.min(m.date(), daysInMonth(first.getUTCFullYear(), first.getUTCMonth()));
    return m._change({ year, month, date });
  };
  field('year', 'years', (wall) => fields(wall).year, (m, value) => inMonth(m, value, m.month()));
  field('month', 'months', (wall) => fields(wall).month, (m, value) => {
    const month = position(value, MONTHS, MONTHS_SHORT);
    return month === undefined ? m : inMonth(m, m.year(), month);
  });
  simple('date', 'dates');
  simple('hour', 'hours');
  simple('minute', 'minutes');
  simple('second', 'seconds');
  simple('millisecond', 'milliseconds');
  const weekday = (m, value) => {
    const to = position(value, WEEKDAYS, WEEKDAYS_SHORT, WEEKDAYS_MIN);
    return to === undefined ? m : m.add(to - m.day(), 'd');
  };
  field('day', 'days', (wall) => fields(wall).day, weekday);
  field('weekday', 'weekday', (wall) => fields(wall).day, weekday);
  field('isoWeekday', 'isoWeekday', (wall) => fields(wall).day || 7, (m, value) => {
    const to = position(value, WEEKDAYS, WEEKDAYS_SHORT, WEEKDAYS_MIN);
    return to === undefined ? m : m.add((typeof value === 'string' ? to || 7 : to) - m.isoWeekday(), 'd');
  });
  field('dayOfYear', 'dayOfYear', dayOfYear, (m, value) => m.add(value - m.dayOfYear(), 'd'));
  field('quarter', 'quarters', (wall) => Math.floor(fields(wall).month / 3) + 1, (m, value) => m.month((value - 1) * 3 + (m.month() % 3)));
  field('week', 'weeks', (wall) => weekOf(wall, US).week, (m, value) => m.add((value - m.week()) * 7, 'd'));
  field('isoWeek', 'isoWeeks', (wall) => weekOf(wall, ISO).week, (m, value) => m.add((value - m.isoWeek()) * 7, 'd'));
  const weekYear = (rule) => (m, year) => {
    const wall = m._wall();
    const week = Math.min(weekOf(wall, rule).week, weeksInYear(year, rule));
    const day = (fields(wall).day - rule.first + 7) % 7;
    return m._setWall(firstWeek(year, rule) + ((week - 1) * 7 + day) * DAY + mod(wall, DAY));
  };
  field('weekYear', 'weekYear', (wall) => weekOf(wall, US).year, weekYear(US));
  field('isoWeekYear', 'isoWeekYear', (wall) => weekOf(wall, ISO).year, weekYear(ISO));

  const CALENDAR = {
    sameDay: '[Today at] LT', nextDay: '[Tomorrow at] LT', nextWeek: 'dddd [at] LT', lastDay: '[Yesterday at] LT',
    lastWeek: '[Last] dddd [at] LT', sameElse: 'L',
  };

  const known = (zone) => {
    if (typeof zone !== 'string' || !host.knows(zone)) throw new RangeError(`unknown time zone ${String(zone)}`);
    return zone;
  };
  const fromWall = (wall, look) => {
    // The host knows whole milliseconds only, and no NaN.
    if (Number.isNaN(wall)) return NaN;
    if (typeof look === 'number') return wall - look * MINUTE;
    return look === 'UTC' ? wall : host.instant(look, wall);
  };
  const addMonths = (wall, months) => {
    const f = fields(wall);
    const first = new lib.NativeDate(utc(f.year, f.month + months, 1));
    const [year, month] = [first.getUTCFullYear(), first.getUTCMonth()];
    return utc(year, month, Math.min(f.date, daysInMonth(year, month)), f.hour, f.minute, f.second, f.millisecond);
  };
  // Whole months by the calendar, the rest as a share of the month it falls into.
  const monthsBetween = (a, b) => {
    const whole = (b.year() - a.year()) * 12 + (b.month() - a.month());
    const anchor = a.clone().add(whole, 'months');
    const before = b - anchor < 0;
    const other = a.clone().add(before ? whole - 1 : whole + 1, 'months');
    const share = before ? (b - anchor) / (anchor - other) : (b - anchor) / (other - anchor);
    return -(whole + share) || 0;
  };

  // Whole months by the calendar and what is left over.
  const between = (from, to) => {
    let months = to.month() - from.month() + (to.year() - from.year()) * 12;
    if (from.clone().add(months, 'months')._ms > to._ms) months -= 1;
    return { months, milliseconds: to._ms - from.clone().add(months, 'months')._ms };
  };
  lib.between = (from, to) => {
    const [start, end] = [moment(from), moment(to)];
    end._look = start._look;
    if (!start.isValid() || !end.isValid()) return { months: 0, milliseconds: 0 };
    if (start._ms <= end._ms) return between(start, end);
    const { months, milliseconds } = between(end, start);
    return { months: -months, milliseconds: -milliseconds };
  };

  // From the parts of a time to an instant; NaN for what no calendar has.
  const instantOf = (parts, look) => {
    if (parts === null) return NaN;
    if (parts.ms !== undefined) return parts.ms;
    const today = new Moment(lib.now(), look)._wall();
    const current = fields(today);
    const { hour = 0, minute = 0, second = 0, millisecond = 0 } = parts;
    const midnight = hour === 24 && minute === 0 && second === 0 && millisecond === 0;
    if ((hour > 23 && !midnight) || minute > 59 || second > 59 || [hour, minute, second].some((n) => n < 0)) return NaN;
    let day;
    const byWeek = parts.month === undefined && parts.date === undefined && parts.dayOfYear === undefined;
    if (byWeek && (parts.isoYear ?? parts.isoWeek ?? parts.isoWeekday) !== undefined) {
      const year = parts.isoYear ?? parts.year ?? weekOf(today, ISO).year;
      const { isoWeek = 1, isoWeekday = 1 } = parts;
      if (isoWeek < 1 || isoWeek > weeksInYear(year, ISO) || isoWeekday < 1 || isoWeekday > 7) return NaN;
      day = firstWeek(year, ISO) + ((isoWeek - 1) * 7 + isoWeekday - 1) * DAY;
    } else if (byWeek && (parts.weekYear ?? parts.week ?? parts.day) !== undefined) {
      const now = weekOf(today, US);
      const year = parts.weekYear ?? parts.year ?? now.year;
      const { week = now.week, day: weekday = 0 } = parts;
      if (week < 1 || week > weeksInYear(year, US) || weekday < 0 || weekday > 6) return NaN;
      day = firstWeek(year, US) + ((week - 1) * 7 + weekday) * DAY;
    } else if (parts.dayOfYear !== undefined) {
      const year = parts.year ?? current.year;
      if (parts.dayOfYear < 1 || parts.dayOfYear > (lib.civil.isLeap(year) ? 366 : 365)) return NaN;
      day = utc(year, 0, parts.dayOfYear);
    } else {
      // What stands left of the first part given is today's, what stands right of it is the first of its kind.
      const [year, month, date] = [parts.year, parts.month, parts.date];
      const none = year === undefined && month === undefined;
      const y = year ?? current.year;
      const m = month ?? (none ? current.month : 0);
      const d = date ?? (none ? current.date : 1);
      if (!Number.isFinite(y) || m < 0 || m > 11 || d < 1 || d > daysInMonth(y, m)) return NaN;
      day = utc(y, m, d);
      if (parts.day !== undefined && parts.day !== fields(day).day) return NaN;
    }
    const wall = day + hour * HOUR + minute * MINUTE + second * SECOND + millisecond;
    return parts.offset === undefined ? fromWall(wall, look) : wall - parts.offset * MINUTE;
  };

  const create = (look, input, format, language, strict) => {
    const exactly = strict ?? (language === true);
    if (format === true) return create(look, input, ISO_8601, undefined, true);
    if (input instanceof Moment) return look === LOCAL ? input.clone() : new Moment(input._ms, look);
    if (input === undefined && format === undefined) return new Moment(lib.now(), look);
    if (input === null || input === undefined || input === '') return new Moment(NaN, look);
    if (input instanceof lib.NativeDate) return new Moment(lib.NativeDate.prototype.getTime.call(input), look);
    if (Array.isArray(format)) {
      // The format that leaves the least of the text and of itself unused.
      let best = { ms: NaN, score: Infinity };
      for (const one of format) {
        const parts = one === ISO_8601 ? lib.parseIso(String(input)) : lib.parseFormat(input, String(one), exactly);
        const ms = instantOf(parts, look);
        const score = parts?.score ?? 0;
        if (!Number.isNaN(ms) && score < best.score) best = { ms, score };
      }
      return new Moment(best.ms, look);
    }
    if (format === ISO_8601) return new Moment(instantOf(lib.parseIso(String(input)), look), look);
    if (format !== undefined && format !== false && format !== null) {
      return new Moment(instantOf(lib.parseFormat(input, String(format), exactly), look), look);
    }
    if (typeof input === 'number') return new Moment(Number.isFinite(input) ? Math.trunc(input) : NaN, look);
    if (typeof input === 'string') {
      const parts = lib.parseIso(input);
      // What is no ISO 8601 is read as `Date` reads it, in UTC for `moment.utc`.
      const ms = parts === null ? lib.Date.parse(look === 'UTC' ? input + ' UTC' : input) : instantOf(parts, look);
      return new Moment(ms, look);
    }
    if (Array.isArray(input)) {
      if (input.length === 0) return new Moment(lib.now(), look);
      const [year, month, date, hour, minute, second, millisecond] = input.map(Number);
      return new Moment(instantOf({ year, month: month ?? 0, date: date ?? 1, hour, minute, second, millisecond }, look), look);
    }
    if (typeof input === 'object') {
      const parts = {};
      for (const [name, value] of Object.entries(input)) {
        const unit = normalize(name);
        if (unit !== undefined) parts[unit === 'day' ? 'date' : unit] = Number(value);
      }
      return new Moment(Object.keys(parts).length === 0 ? lib.now() : instantOf(parts, look), look);
    }
    return new Moment(NaN, look);
  };
  const ISO_8601 = () => {};

  const moment = function moment(input, format, language, strict) { return create(LOCAL, input, format, language, strict); };
  lib.moment = moment;
  const pick = (list, better) => {
    const all = (list.length === 1 && Array.isArray(list[0]) ? list[0] : list).map((one) => moment(one));
    return all.reduce((best, one) => (!best.isValid() || (one.isValid() && !better(one, best)) ? best : one), all[0] ?? moment());
  };
  const wordList = (words) => (format, index) => {
    const at = typeof format === 'number' ? format : index;
    return at === undefined ? [...words] : words[at];
  };
  Object.assign(moment, {
    fn: Moment.prototype,
    version: '2.21.0',
    ISO_8601,
    defaultFormat: 'YYYY-MM-DDTHH:mm:ssZ',
    defaultFormatUtc: 'YYYY-MM-DDTHH:mm:ss[Z]',
    utc: (input, format, language, strict) => create('UTC', input, format, language, strict),
    unix: (seconds) => create(LOCAL, seconds * 1000),
    parseZone: (input, format, language, strict) => {
      const parsed = create('UTC', input, format, language, strict);
      const text = typeof input === 'string' ? /(?:(Z)|([+-])(\d\d):?(\d\d)?)\s*$/i.exec(input.replace(/^\s*[+-]?\d{4,6}-\d\d(-\d\d)?/, '')) : null;
      if (text === null || text[1]) return parsed.utcOffset(0);
      return parsed.utcOffset((text[2] === '-' ? -1 : 1) * (Number(text[3]) * 60 + Number(text[4] ?? 0)) || 0);
    },
    tz: (...args) => {
      const zone = known(args.pop());
      return args.length === 0 ? create(zone) : args[0] instanceof Moment ? args[0].clone().tz(zone) : create(zone, ...args);
    },
    duration,
    invalid: () => new Moment(NaN, LOCAL),
    isMoment: (value) => value instanceof Moment,
    isDuration: (value) => value instanceof Duration,
    isDate: (value) => value instanceof lib.NativeDate,
    max: (...list) => pick(list, (a, b) => a._ms > b._ms),
    min: (...list) => pick(list, (a, b) => a._ms < b._ms),
    now: () => lib.now(),
    normalizeUnits: normalize,
    locale: () => 'en',
    months: wordList(MONTHS),
    monthsShort: wordList(MONTHS_SHORT),
    weekdays: wordList(WEEKDAYS),
    weekdaysShort: wordList(WEEKDAYS_SHORT),
    weekdaysMin: wordList(WEEKDAYS_MIN),
  });
  duration.fn = Duration.prototype;
}
