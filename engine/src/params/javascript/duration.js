// `moment.duration`: months, days and milliseconds kept apart, since neither of them is a fixed number of another.
(lib) => {
  'use strict';
  const { SECOND, MINUTE, HOUR, DAY, normalize, towardsZero, roundAway } = lib.civil;
  // 400 years have 146,097 days and 4,800 months.
  const daysToMonths = (days) => (days * 4800) / 146097;
  const monthsToDays = (months) => (months * 146097) / 4800;
  const awayFromZero = (n) => (n < 0 ? Math.floor(n) : Math.ceil(n));
  const number = (value) => Number(value ?? 0);

  const CLOCK = /^(-|\+)?(?:(\d+)[. ])?(\d+):(\d+)(?::(\d+)([.,]\d+)?)?$/;
  const ISO = /^(-|\+)?P(?:([-+]?\d+(?:[.,]\d+)?)Y)?(?:([-+]?\d+(?:[.,]\d+)?)M)?(?:([-+]?\d+(?:[.,]\d+)?)W)?(?:([-+]?\d+(?:[.,]\d+)?)D)?(?:T(?:([-+]?\d+(?:[.,]\d+)?)H)?(?:([-+]?\d+(?:[.,]\d+)?)M)?(?:([-+]?\d+(?:[.,]\d+)?)S)?)?$/;
  // The units that a duration has: others are passed over.
  const PARTS = ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond'];
  const readParts = (input, unit) => {
    if (input === null || input === undefined) return {};
    if (typeof input === 'number' || (typeof input === 'string' && input.trim() !== '' && !Number.isNaN(Number(input)))) {
      return unit === undefined ? { millisecond: Number(input) } : { [normalize(unit)]: Number(input) };
    }
    if (typeof input === 'string') {
      const clock = CLOCK.exec(input);
      if (clock) {
        const sign = clock[1] === '-' ? -1 : 1;
        const [day, hour, minute, second] = clock.slice(2, 6).map((part) => sign * number(part));
        return { day, hour, minute, second, millisecond: sign * Math.round(number(clock[6]?.replace(',', '.')) * 1000) };
      }
      const iso = ISO.exec(input);
      if (iso) {
        const sign = iso[1] === '-' ? -1 : 1;
        const [year, month, week, day, hour, minute, second] = iso.slice(2).map((part) => sign * number(part?.replace(',', '.')));
        return { year, month, week, day, hour, minute, second };
      }
      return {};
    }
    if (typeof input === 'object') {
      if ('from' in input && 'to' in input) {
        const { months, milliseconds } = lib.between(input.from, input.to);
        return { month: months, millisecond: milliseconds };
      }
      const parts = {};
      for (const [name, value] of Object.entries(input)) parts[normalize(name)] = Number(value);
      return parts;
    }
    return {};
  };

  class Duration {
    constructor(months, days, milliseconds) {
      this._months = months;
      this._days = days;
      this._milliseconds = milliseconds;
    }
    _bubbled() {
      let { _months: months, _days: days, _milliseconds: milliseconds } = this;
      const sameSign = (milliseconds >= 0 && days >= 0 && months >= 0) || (milliseconds <= 0 && days <= 0 && months <= 0);
      if (!sameSign) {
        milliseconds += awayFromZero(monthsToDays(months) + days) * DAY;
        days = 0;
        months = 0;
      }
      const seconds = towardsZero(milliseconds / SECOND);
      const minutes = towardsZero(seconds / 60);
      const hours = towardsZero(minutes / 60);
      days += towardsZero(hours / 24);
      const wholeMonths = towardsZero(daysToMonths(days));
      months += wholeMonths;
      days -= awayFromZero(monthsToDays(wholeMonths));
      return {
        millisecond: milliseconds % SECOND, second: seconds % 60, minute: minutes % 60, hour: hours % 24, day: days,
        month: months % 12, year: towardsZero(months / 12),
      };
    }
    get(unit) {
      const name = normalize(unit);
      return name === 'week' ? this.weeks() : this._bubbled()[name];
    }
    weeks() { return towardsZero(this._bubbled().day / 7); }
    as(unit) {
      const name = normalize(unit);
      const { _months: months, _days: days, _milliseconds: ms } = this;
      if (name === 'month' || name === 'year' || name === 'quarter') {
        const all = months + daysToMonths(days + ms / DAY);
        return name === 'month' ? all : name === 'quarter' ? all / 3 : all / 12;
      }
      const all = days + Math.round(monthsToDays(months));
      switch (name) {
        case 'week': return all / 7 + ms / (7 * DAY);
        case 'day': return all + ms / DAY;
        case 'hour': return all * 24 + ms / HOUR;
        case 'minute': return all * 1440 + ms / MINUTE;
        case 'second': return all * 86400 + ms / SECOND;
        case 'millisecond': return Math.floor(all * DAY) + ms;
        default: throw new Error('Unknown unit ' + unit);
      }
    }
    _plus(other, unit, sign) {
      const by = duration(other, unit);
      this._months += sign * by._months;
      this._days += sign * by._days;
      this._milliseconds += sign * by._milliseconds;
      return this;
    }
    add(other, unit) { return this._plus(other, unit, 1); }
    subtract(other, unit) { return this._plus(other, unit, -1); }
    abs() {
      this._months = Math.abs(this._months);
      this._days = Math.abs(this._days);
      this._milliseconds = Math.abs(this._milliseconds);
      return this;
    }
    clone() { return new Duration(this._months, this._days, this._milliseconds); }
    isValid() { return [this._months, this._days, this._milliseconds].every(Number.isFinite); }
    valueOf() {
      return this._milliseconds + this._days * DAY + (this._months % 12) * 30 * DAY + towardsZero(this._months / 12) * 365 * DAY;
    }
    humanize(withSuffix) {
      const words = lib.relative(this);
      return withSuffix ? (Number(this) > 0 ? 'in ' + words : words + ' ago') : words;
    }
    toISOString() {
      if (!this.isValid()) return 'Invalid date';
      const days = Math.abs(this._days);
      const months = Math.abs(this._months);
      const total = this.as('second');
      if (!total) return 'P0D';
      const all = Math.abs(this._milliseconds) / SECOND;
      const minutes = towardsZero(all / 60);
      const hours = towardsZero(minutes / 60);
      const seconds = all % 60 ? (all % 60).toFixed(3).replace(/\.?0+$/, '') : '';
      const sign = (part) => (Math.sign(part) === Math.sign(total) || part === 0 ? '' : '-');
      const date = (value, letter, of) => (value ? sign(of) + value + letter : '');
      const time = (value, letter) => (value ? sign(this._milliseconds) + value + letter : '');
      const clock = time(hours, 'H') + time(minutes % 60, 'M') + time(seconds, 'S');
      return (total < 0 ? '-' : '') + 'P' + date(towardsZero(months / 12), 'Y', this._months) + date(months % 12, 'M', this._months) +
        date(days, 'D', this._days) + (clock ? 'T' + clock : '');
    }
    toJSON() { return this.toISOString(); }
    toString() { return this.toISOString(); }
    locale() { return this; }
  }
  for (const unit of ['millisecond', 'second', 'minute', 'hour', 'day', 'month', 'year']) {
    Duration.prototype[unit + 's'] = function () { return this._bubbled()[unit]; };
  }
  for (const unit of ['millisecond', 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year']) {
    Duration.prototype['as' + unit[0].toUpperCase() + unit.slice(1) + 's'] = function () { return this.as(unit); };
  }

  const duration = (input, unit) => {
    if (input instanceof Duration) return input.clone();
    const parts = readParts(input, unit);
    const [year, quarter, month, week, day, hour, minute, second, millisecond] = PARTS.map((name) => number(parts[name]));
    return new Duration(
      month + quarter * 3 + year * 12,
      day + week * 7,
      millisecond + second * SECOND + minute * MINUTE + hour * HOUR,
    );
  };

  // "3 days": the words of `fromNow` and `humanize`.
  lib.relative = (span) => {
    const size = span.clone().abs();
    const of = (unit) => Math.round(size.as(unit));
    const some = (n, one, many) => (n <= 1 ? one : `${n} ${many}`);
    if (of('s') <= 44) return 'a few seconds';
    if (of('m') < 45) return some(of('m'), 'a minute', 'minutes');
    if (of('h') < 22) return some(of('h'), 'an hour', 'hours');
    if (of('d') < 26) return some(of('d'), 'a day', 'days');
    if (of('M') < 11) return some(of('M'), 'a month', 'months');
    return some(of('y'), 'a year', 'years');
  };
  lib.roundAway = roundAway;
  lib.Duration = Duration;
  lib.duration = duration;
}
